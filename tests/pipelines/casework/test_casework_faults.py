"""Cases that somebody meddled with, that two work on, that a kill left: nobody is accused, nothing is lost."""

from __future__ import annotations

import json
import os
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.case.files import PATIENCE_S
from pipelines.casework.exchange import export as exporting
from pipelines.casework.exchange.export import export
from tgfr_search.app.cli.main import app
from tgfr_search.audit import entries, retention
from tgfr_search.audit.errors import BusyError
from tgfr_search.audit.retention import remove_old_bodies
from tgfr_search.audit.verify import LOG, check_folder
from tgfr_search.errors import InputError

ACTOR = "examiner-1"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """With one file of evidence and a note."""
    made = Case.new(tmp_path / "case", purpose="fraud", basis="§ 98c StPO", actor=ACTOR)
    (tmp_path / "q.jpg").write_bytes(b"a photo")
    made.add(tmp_path / "q.jpg", actor=ACTOR)
    made.note("seen", actor=ACTOR)
    return made


def whole(case: Case, target: Path) -> list[str]:
    """Exports, and checks as a stranger; the problems."""
    export(case, target.with_suffix(".zip"), actor=ACTOR)
    with zipfile.ZipFile(target.with_suffix(".zip")) as archive:
        archive.extractall(target)
    return check_folder(target).problems


@pytest.mark.parametrize("step", ["write", "fsync", "checkpoint"])
def test_a_case_whose_start_was_cut_off_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """It is the one that was asked for, or none at once; never one that answers first and is gone afterwards."""

    def killed(self: object, entry: entries.Entry) -> int:
        def at(now: str) -> None:
            if now == step:
                raise KeyboardInterrupt

        self.log.on_step = at  # type: ignore[attr-defined]
        return int(self.log.append(entry))  # type: ignore[attr-defined]

    with monkeypatch.context() as patched:
        patched.setattr("tgfr_search.audit.journal.LogJournal.record", killed)
        with pytest.raises(KeyboardInterrupt):
            Case.new(tmp_path / "case", purpose="p", basis="b", actor=ACTOR)
    assert (tmp_path / "case" / "case.json.pending").exists()
    if step == "write":
        for _ in range(2):
            with pytest.raises(InputError, match=r"no case"):
                Case.open(tmp_path / "case")
        with pytest.raises(InputError, match=r"found: something"):
            Case.new(tmp_path / "case", purpose="p", basis="b", actor=ACTOR)
    else:
        for _ in range(2):
            assert Case.open(tmp_path / "case").purpose == "p"


def test_of_two_who_start_one_case_one_is_told(tmp_path: Path) -> None:
    told: list[object] = []

    def start() -> None:
        try:
            told.append(Case.new(tmp_path / "case", purpose="p", basis="b", actor=ACTOR).id)
        except InputError as error:
            told.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (identity,) = [each for each in told if isinstance(each, str)]
    assert Case.open(tmp_path / "case").id == identity


@pytest.mark.parametrize(
    ("given", "ending"),
    [
        ("J.Zygmunt", ""),
        ("a.Meyerhold", ""),
        ("photograph.JPG", ".jpg"),
        ("x.heic", ".heic"),
        ("clip.mp4", ".mp4"),
        ("a.pdf", ".pdf"),
    ],
)
def test_no_part_of_a_name_is_told(case: Case, tmp_path: Path, given: str, ending: str) -> None:
    (tmp_path / given).write_bytes(given.encode())
    assert case.add(tmp_path / given, actor=ACTOR) == f"E0002{ending}"
    assert whole(case, tmp_path / "bag") == []
    data = (case.folder / "audit" / LOG).read_text()
    # Long enough that no signature in base64 holds one by chance.
    assert not [part for part in ("zygmunt", "meyerhold", "photograph") if part in data.lower()]


@contextmanager
def told_in_between(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, work: Any
) -> Iterator[list[threading.Thread]]:
    """While the function runs for the first time, another thread starts the work, and has a while for it."""
    real, threads = getattr(where, name), []

    def between(*given: Any) -> Any:
        if not threads:
            threads.append(threading.Thread(target=work))
            threads[0].start()
            threads[0].join(0.3)
        return real(*given)

    with monkeypatch.context() as patched:
        patched.setattr(where, name, between)
        yield threads
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("name", ["read_records", "inclusion_path", "_zip"])
def test_an_export_beside_a_writer_is_whole(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def write() -> None:
        with pytest.raises(BusyError, match="export"):
            Case.open(case.folder).note("another", actor=ACTOR)

    with told_in_between(monkeypatch, exporting, name, write) as threads:
        assert whole(case, tmp_path / "bag") == []
        assert len(threads) == (name != "inclusion_path")  # a case without a search has no proofs
    assert sorted(path.name for path in (tmp_path / "bag" / "data" / "notes").iterdir()) == ["N0001.txt"]


def test_an_export_settles_what_a_kill_left(case: Case, tmp_path: Path) -> None:
    note = case.folder / "notes" / "N0001.txt"
    note.rename(note.with_name("N0001.txt.pending"))
    (case.folder / "evidence" / "E0002.jpg.pending").write_bytes(b"half")
    assert whole(case, tmp_path / "bag") == []
    assert (tmp_path / "bag" / "data" / "notes" / "N0001.txt").read_text() == "seen"


def test_files_of_somebody_else_are_named_left_out_and_left_alone(case: Case, tmp_path: Path) -> None:
    names = ["evidence/.DS_Store", "evidence/E0002.jpg", "evidence/Edit.jpg", "notes/~lock", "Thumbs.db", "x.pending"]
    for name in names:
        (case.folder / name).write_bytes(b"somebody's")
    (case.folder / "searches" / "scratch").mkdir()
    (tmp_path / "r.jpg").write_bytes(b"another photo")
    assert case.add(tmp_path / "r.jpg", actor=ACTOR) == "E0003.jpg"
    assert whole(case, tmp_path / "bag") == []
    run = CliRunner().invoke(app, ["case", "export", str(case.folder), str(tmp_path / "two.zip"), "--json"])
    assert json.loads(run.stdout)["left_out"] == sorted(names)
    run = CliRunner().invoke(app, ["case", "export", str(case.folder), str(tmp_path / "three.zip")])
    assert "note: evidence/.DS_Store is in no entry of the log, and left out" in run.stderr
    assert all((case.folder / name).read_bytes() == b"somebody's" for name in names)
    with pytest.raises(InputError, match=r"Edit\.jpg; found: in no entry"):
        case.evidence("Edit.jpg")


def test_evidence_that_comes_again_as_another_kind_is_refused(case: Case, tmp_path: Path) -> None:
    assert case.add(tmp_path / "q.jpg", actor=ACTOR, kind="still") == "E0001.jpg"
    with pytest.raises(InputError, match=r"--kind; found: sketch; expected: still, as which .* E0001\.jpg"):
        case.add(tmp_path / "q.jpg", actor=ACTOR, kind="sketch")
    (tmp_path / "r.jpg").write_bytes(b"a drawing")
    assert case.add(tmp_path / "r.jpg", actor=ACTOR, kind="video frame") == "E0002.jpg"
    assert case.add(tmp_path / "r.jpg", actor=ACTOR, kind="video frame") == "E0002.jpg"
    assert case.add(tmp_path / "r.jpg", actor=ACTOR) == "E0002.jpg"


def test_a_child_of_a_writer_keeps_no_lock_of_the_case(case: Case) -> None:
    with case.files.settled():
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(1)
    try:
        assert Case.open(case.folder).note("more", actor=ACTOR) == "N0002"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def long_ago(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A closed case of 2015, exported once."""
    with monkeypatch.context() as then:
        then.setattr(entries, "now", lambda: "2015-05-05T05:05:05.000Z")
        case = Case.new(folder, purpose="p", basis="b", actor=ACTOR)
        case.note("seen", actor=ACTOR)
        case.journal(ACTOR).record(entries.Entry(entries.Act.REPLAY, details={"search": "S0001"}))
        case.close(actor=ACTOR)
    return case


def test_a_case_whose_old_entries_were_removed_stays_closed_and_can_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = long_ago(tmp_path / "case", monkeypatch)
    assert remove_old_bodies(case.files.log, actor="admin") == 1
    with pytest.raises(InputError, match="a closed case"):
        Case.open(case.folder).note("more", actor=ACTOR)
    assert whole(case, tmp_path / "bag") == []
    (tmp_path / "bag" / "data" / "notes" / "N0009.txt").write_text("put there")
    told = check_folder(tmp_path / "bag").problems
    assert "notes/N0009.txt is in no entry of the log: its entry was removed, as 1 were, or never was" in told


def test_of_a_file_whose_entry_was_removed_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier versions removed every body: nobody is accused of having changed a file, and nothing is added."""
    case = long_ago(tmp_path / "case", monkeypatch)
    export(case, tmp_path / "before.zip", actor=ACTOR)
    monkeypatch.setattr(retention, "_kept", lambda entry: entry["act"] in ("log opened", "retention", "export"))
    assert remove_old_bodies(case.files.log, actor="admin") == 4
    with pytest.raises(InputError, match=r"N0001\.txt; found: its entry was removed, as 4 of this log were, or never"):
        case.files.kept("notes/N0001.txt")
    with pytest.raises(InputError, match=r"case\.json; found: its entry was removed"):
        export(case, tmp_path / "after.zip", actor=ACTOR)
    with pytest.raises(InputError, match="nobody can tell whether it is closed"):
        case.note("more", actor=ACTOR)
    assert Case.open(case.folder).files.next_name("notes", "N") == "N0002"


def test_an_account_by_the_name_of_a_field_is_no_fault(case: Case, tmp_path: Path) -> None:
    case.journal("file").record(entries.Entry(entries.Act.ANCHOR))
    case.note("more", actor="file")
    assert whole(case, tmp_path / "bag") == []


def test_beside_an_export_a_case_is_looked_at_and_whoever_would_write_is_told_at_once_who_is_at_work(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a moment's work is waited for, a hanging one not for long."""
    run, began = CliRunner(), time.monotonic()
    with case.files.settled("export"):
        (case.folder / "notes" / "N0002.txt.pending").write_text("of the one who is at work")
        told = json.loads(run.invoke(app, ["case", "open", str(case.folder), "--json"]).stdout)
        assert [note["name"] for note in told["notes"]] == ["N0001"]
        for given in (["note", str(case.folder), "x"], ["export", str(case.folder), str(case.folder.parent / "x.zip")]):
            with pytest.raises(BusyError, match=rf"process {os.getpid()} on .* since 20.*: export; expected"):
                run.invoke(app, ["case", *given], catch_exceptions=False)
        assert (case.folder / "notes" / "N0002.txt.pending").exists()
    assert time.monotonic() - began < PATIENCE_S
    assert case.note("more", actor=ACTOR) == "N0002"
    assert (case.folder / "LOCK").read_bytes() == b""
    monkeypatch.setattr("pipelines.casework.case.files.PATIENCE_S", 0.05)
    with case.files.settled(), pytest.raises(BusyError, match="look for a process that hangs"):
        case.note("more", actor=ACTOR)


def test_a_killed_export_is_not_named_for_ever(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if child == 0:
        with case.files.settled("export"):
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert b"export" in (case.folder / "LOCK").read_bytes()
    with case.files.settled():
        monkeypatch.setattr("pipelines.casework.case.files.PATIENCE_S", 0.05)
        with pytest.raises(BusyError, match="no end of it"):
            case.note("more", actor=ACTOR)
