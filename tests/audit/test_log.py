"""The log's writer: what is acknowledged is there, what was cut off is said, and only one writes at a time."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from audit_helpers import search_entry, small_log

from tgfr_search.audit import locking, log
from tgfr_search.audit.entries import Act, Entry, canonical
from tgfr_search.audit.errors import AuditError, DamagedLogError
from tgfr_search.audit.journal import LogJournal
from tgfr_search.audit.keys import CaseKeys
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.verify import CHECKPOINT, LOG, check_log, main, read_records

CHILD = Path(__file__).with_name("audit_child.py")


def entries(folder: Path) -> list[dict[str, object]]:
    with (folder / LOG).open("rb") as file:
        return [json.loads(record.body or b"{}") for record in read_records(file)]


def test_an_entry_says_what_was_done_and_the_log_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = small_log(tmp_path / "log", 3)
    assert writer.append(search_entry(3)) == 4
    told = entries(tmp_path / "log")
    assert [each["act"] for each in told] == ["log opened", *["search"] * 4]
    assert told[1].keys() == {
        *("act", "actor", "candidates", "case", "ended", "format", "prev", "seq", "software", "started")
    }
    assert told[1]["candidates"] == [{"log10_lr": 1.5, "row": 0}]
    with (tmp_path / "log" / LOG).open("rb") as file:
        for record in read_records(file):
            assert record.body == canonical(json.loads(record.body or b""))
    assert main([str(tmp_path / "log")]) == 0
    assert capsys.readouterr().out.endswith("whole\n")
    assert (tmp_path / "log" / CHECKPOINT).read_text() == writer.checkpoint()
    assert (tmp_path / "log" / "signing.key").stat().st_mode & 0o077 == 0


def test_a_value_that_is_no_json_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    writer = small_log(tmp_path, 1)
    for value in (float("nan"), 2**60, b"x", "\ud800"):
        with pytest.raises(AuditError, match="expected: plain JSON values"):
            writer.append(Entry(Act.SEARCH, details={"value": value}))
    assert writer.append(search_entry(1)) == 2
    assert check_log(tmp_path).problems == []


def test_another_process_goes_on_where_the_last_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "SAVED_EVERY", 4)
    one = small_log(tmp_path, 5)
    two = AuditLog.open(tmp_path)
    assert [one.append(search_entry(0)), two.append(search_entry(1)), one.append(search_entry(2))] == [6, 7, 8]
    (tmp_path / "state.json").write_text((tmp_path / "state.json").read_text().replace('"end": ', '"end": 1'))
    assert AuditLog.open(tmp_path).append(search_entry(3)) == 9
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert AuditLog.open(tmp_path / "copy").append(search_entry(4)) == 10
    assert check_log(tmp_path / "copy", [tmp_path / CHECKPOINT]).problems == []


def test_twenty_threads_write_one_log(tmp_path: Path) -> None:
    shared, places = small_log(tmp_path, 0), []
    threads = [threading.Thread(target=lambda: places.append(shared.append(search_entry(0)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(places) == list(range(1, 21))
    assert check_log(tmp_path).problems == []


def test_who_waits_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = small_log(tmp_path, 0)
    monkeypatch.setattr(locking, "PATIENCE_S", 0.01)
    with locking.locked(tmp_path), pytest.raises(AuditError, match="held by another process"):
        writer.append(search_entry(0))


def test_a_tail_cut_off_at_any_byte_is_removed_with_a_note(tmp_path: Path) -> None:
    small_log(tmp_path / "log", 2)
    before, note = (tmp_path / "log" / LOG).read_bytes(), (tmp_path / "log" / CHECKPOINT).read_bytes()
    AuditLog.open(tmp_path / "log").append(search_entry(9))
    whole = (tmp_path / "log" / LOG).read_bytes()
    for cut in range(len(before) + 1, len(whole), 37):
        folder = tmp_path / f"cut-{cut}"
        shutil.copytree(tmp_path / "log", folder)
        (folder / LOG).write_bytes(whole[:cut])
        # The last entry was acknowledged: its loss is none that a writer may pass over.
        with pytest.raises(DamagedLogError, match="expected: the 4 entries that were acknowledged"):
            AuditLog.open(folder).append(search_entry(3))
        assert check_log(folder).problems
        # It was not: the checkpoint is the one before.
        (folder / CHECKPOINT).write_bytes(note)
        report = check_log(folder)
        assert (report.problems, report.torn, report.size) == ([], cut - len(before), 3)
        assert AuditLog.open(folder).append(search_entry(3)) == 4
        told = entries(folder)[3]
        assert (told["act"], told["details"]["bytes_cut"]) == ("log recovered", cut - len(before))  # type: ignore[index]
        assert check_log(folder, [tmp_path / "log" / "log.vkey"]).problems  # no checkpoint at all
        assert check_log(folder).problems == []


def test_more_than_one_entry_too_many_is_no_kills_work(tmp_path: Path) -> None:
    writer = small_log(tmp_path, 2)
    note = (tmp_path / CHECKPOINT).read_bytes()
    for number in range(3):
        writer.append(search_entry(number))
    data = bytearray((tmp_path / LOG).read_bytes())
    data[data.index(b'"row":0', data.index(b'"seq":2')) + 6] += 1  # in the first entry after the older checkpoint
    (tmp_path / LOG).write_bytes(data)
    (tmp_path / CHECKPOINT).write_bytes(note)
    with pytest.raises(DamagedLogError):
        AuditLog.open(tmp_path).append(search_entry(9))
    assert check_log(tmp_path).problems


def test_a_full_disk_refuses_the_act(tmp_path: Path) -> None:
    """The system itself refuses to let the file grow beyond a limit, at any byte of an entry."""
    small_log(tmp_path / "log", 1)
    size = (tmp_path / "log" / LOG).stat().st_size
    for room in (0, 1, 200, 280, 350):
        folder = tmp_path / f"full-{room}"
        shutil.copytree(tmp_path / "log", folder)
        run = subprocess.run(
            [sys.executable, str(CHILD), "full", str(folder), str(size + room)], capture_output=True, text=True
        )
        assert "so it was not answered; found: File too large" in run.stdout, run
        report = check_log(folder)
        assert (report.problems, report.notes, report.size) == ([], [], 2)
        assert AuditLog.open(folder).append(search_entry(1)) == 2


def test_the_disk_fails_at_every_step(tmp_path: Path) -> None:
    for failing in ("write", "fsync", "checkpoint"):
        writer = small_log(tmp_path / failing, 1)

        def fail(step: str, failing: str = failing) -> None:
            if step == failing:
                raise OSError(5, "Input/output error")

        writer.on_step = fail
        with pytest.raises(AuditError, match="Input/output error; expected: "):
            writer.append(search_entry(1))
        writer.on_step = lambda step: None
        assert check_log(tmp_path / failing).problems == []
        assert writer.append(search_entry(2)) == (3 if failing == "checkpoint" else 2)
        assert check_log(tmp_path / failing).problems == []


def test_a_clock_that_goes_back_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = small_log(tmp_path, 1)
    monkeypatch.setattr("tgfr_search.audit.entries.now", lambda: "2001-01-01T00:00:00.000Z")
    writer.append(search_entry(1))
    report = check_log(tmp_path)
    assert report.problems == []
    assert "entry 2: the clock went back" in report.notes[0]


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.jpg").touch()
    with pytest.raises(AuditError, match=r"photo\.jpg; expected: an empty folder"):
        AuditLog.open(tmp_path / "full")
    with pytest.raises(AuditError, match=r"log\.vkey and signing\.key"):
        AuditLog(tmp_path / "nothing")
    small_log(tmp_path / "one", 0)
    small_log(tmp_path / "two", 0)
    shutil.copy(tmp_path / "two" / "signing.key", tmp_path / "one")
    with pytest.raises(DamagedLogError, match="found: another key"):
        AuditLog.open(tmp_path / "one")


@pytest.mark.parametrize("kills", [int(os.environ.get("TGFR_AUDIT_KILLS", "30"))])
def test_killed_at_random_moments(kills: int) -> None:
    """Several processes append to one log and are killed; what they acknowledged is there, and the log stays whole."""
    # In memory where there is such a disk: a kill does not care, and they need not wait for thousands of syncs.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        command = [sys.executable, str(CHILD), "kills", f"{folder}/log", str(kills)]
        run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    print(told)
    assert told["kills"] == kills
    assert told["acknowledged"] > kills
    assert told["recovered"] > 0


def test_a_child_forked_during_an_append_keeps_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, children = small_log(tmp_path, 0), []

    def fork(step: str) -> None:
        if not children:
            child = os.fork()
            if child == 0:
                time.sleep(600)
                os._exit(1)
            children.append(child)

    writer.on_step = fork
    monkeypatch.setattr(locking, "PATIENCE_S", 0.5)
    try:
        assert [writer.append(search_entry(0)), writer.append(search_entry(1))] == [1, 2]
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_a_lock_stays_with_the_process_that_took_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has no copy of the descriptor, which would outlive a kill of its parent, and its end frees nothing."""
    monkeypatch.setattr(locking, "PATIENCE_S", 0.01)
    with locking.locked(tmp_path):
        numbers = [int(path.name) for path in Path("/dev/fd").iterdir()]
        (held,) = [number for number in numbers if is_file(number, tmp_path / locking.LOCK)]
        if (child := os.fork()) == 0:
            code = 1
            try:
                with pytest.raises(AuditError, match="held by another process"), locking.locked(tmp_path):
                    pass
                code = 2 if is_file(held, tmp_path / locking.LOCK) else 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        if (child := os.fork()) == 0:
            monkeypatch.undo()
    if child == 0:
        os._exit(0)  # has left the block as its parent does
    os.waitpid(child, 0)
    with locking.locked(tmp_path):
        pass


def is_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_mount_that_cannot_sync_a_folder_has_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    CaseKeys(small_log(tmp_path, 1).folder).make("c-1")
    assert check_log(tmp_path).problems == []


def test_more_space_is_asked_for_only_where_it_is_what_lacks(tmp_path: Path) -> None:
    for number, advice in ((errno.ENOSPC, "free some space"), (errno.EIO, "check the disk and the rights")):
        writer = small_log(tmp_path / str(number), 0)

        def fail(step: str, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        writer.on_step = fail
        with pytest.raises(AuditError, match=f"what to do: {advice}, then run"):
            writer.append(search_entry(0))


def killed_after(steps: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that makes a log and a key is killed in the midst of a write, or before a sync."""
    if (child := os.fork()) == 0:
        write, fsync, left = os.write, os.fsync, steps

        def count_down() -> bool:
            nonlocal left
            left -= 1
            return left < 0

        def write_or_die(descriptor: int, data: bytes) -> int:
            if count_down():
                write(descriptor, data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(descriptor, data)

        def sync_or_die(descriptor: int) -> None:
            if count_down():
                os.kill(os.getpid(), signal.SIGKILL)
            fsync(descriptor)

        monkeypatch.setattr(os, "write", write_or_die)
        monkeypatch.setattr(os, "fsync", sync_or_die)
        LogJournal.without_case(folder)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == (-signal.SIGKILL if steps < STEPS else 0)


STEPS = 13
"""Writes and syncs until a log and its first key are there."""


@pytest.mark.parametrize("steps", range(STEPS + 1))
def test_a_kill_while_a_log_is_made_leaves_what_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    killed_after(steps, tmp_path / "log", monkeypatch)
    journal = LogJournal.without_case(tmp_path / "log")
    assert len(journal.key) == 32
    journal.record(search_entry(0))
    assert check_log(tmp_path / "log").problems == []


def test_a_full_disk_leaves_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = small_log(tmp_path, 0)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as filled:
        filled.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            CaseKeys(log.folder).make("c-1")
    assert list((log.folder / "keys").iterdir()) == []
    with monkeypatch.context() as slow:
        slow.setattr(os, "write", lambda descriptor, data, real=os.write: real(descriptor, data[:5]))
        key = CaseKeys(log.folder).make("c-1")
    assert CaseKeys(log.folder).get("c-1") == key


def test_a_file_system_without_hard_links_has_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **options: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    keys = CaseKeys(small_log(tmp_path, 0).folder)
    assert keys.make("c-1") == keys.get("c-1")
    with pytest.raises(FileExistsError):
        keys.make("c-1")
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["c-1.key"]
