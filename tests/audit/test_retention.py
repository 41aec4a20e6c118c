"""Old bodies go and the tree stays; a legal hold keeps them; a destroyed key makes commitments mute."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_helpers import search_entry, small_log

from tgfr_search.audit import entries
from tgfr_search.audit.entries import Act, Entry, commitment
from tgfr_search.audit.errors import AuditError, DamagedLogError
from tgfr_search.audit.keys import CaseKeys
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.retention import destroy_key, held_cases, hold, read_entries, remove_old_bodies
from tgfr_search.audit.verify import LOG, check_log


@pytest.fixture
def old_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    """Entries of long ago of the cases c-1 and c-2, then one of today."""
    with monkeypatch.context() as then:
        then.setattr(entries, "now", lambda: "2015-05-05T05:05:05.000Z")
        log = small_log(tmp_path / "log", 3)
        log.append(Entry(Act.NOTE, case="c-2", details={"codeword": "xyzzy"}))
        log.append(search_entry(8))
    log.append(search_entry(9))
    return log


def test_old_bodies_are_removed_and_the_log_is_whole(old_log: AuditLog, tmp_path: Path) -> None:
    (tmp_path / "before").write_text(old_log.checkpoint())
    assert remove_old_bodies(old_log, actor="admin") == 5
    assert b"xyzzy" not in (old_log.folder / LOG).read_bytes()
    assert [seq for seq, _ in read_entries(old_log.folder)] == [0, 6, 7]
    assert dict(read_entries(old_log.folder))[7]["removed"] == [[1, 5]]
    report = check_log(old_log.folder, [tmp_path / "before"])
    assert (report.problems, report.removed, report.size) == ([], 5, 8)
    assert remove_old_bodies(old_log, actor="admin") == 0
    assert old_log.append(search_entry(1)) == 8
    assert AuditLog.open(old_log.folder).append(search_entry(2)) == 9
    assert check_log(old_log.folder, [tmp_path / "before"]).problems == []


def test_a_hold_keeps_bodies_and_key(old_log: AuditLog) -> None:
    CaseKeys(old_log.folder).make("c-2")
    hold(old_log, "c-2", actor="admin")
    assert held_cases(old_log) == {"c-2"}
    assert remove_old_bodies(old_log, actor="admin") == 4
    assert b"xyzzy" in (old_log.folder / LOG).read_bytes()
    with pytest.raises(AuditError, match="on legal hold"):
        destroy_key(old_log, "c-2", actor="admin")
    hold(old_log, "c-2", actor="admin", release=True)
    assert remove_old_bodies(old_log, actor="admin") == 1
    destroy_key(old_log, "c-2", actor="admin")
    assert check_log(old_log.folder).problems == []


def test_less_than_six_months_is_refused(old_log: AuditLog) -> None:
    with pytest.raises(AuditError, match="found: 182; expected: 183 or more"):
        remove_old_bodies(old_log, actor="admin", days=182)


def test_a_kill_before_the_removal_leaves_all_bodies(old_log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as killed:
        killed.setattr("tgfr_search.audit.retention._rewrite", lambda log, remove: None)
        remove_old_bodies(old_log, actor="admin")
    assert check_log(old_log.folder).problems == []
    assert remove_old_bodies(old_log, actor="admin") == 5
    assert check_log(old_log.folder).problems == []


def test_keys_are_made_once_and_gone_for_ever(tmp_path: Path) -> None:
    log = small_log(tmp_path, 0)
    keys = CaseKeys(tmp_path)
    key = keys.make("c-1")
    assert keys.get("c-1") == key
    assert len(key) == 32
    assert keys.make("c-2") != key
    with pytest.raises(FileExistsError):
        keys.make("c-1")
    log.append(Entry(Act.SEARCH, case="c-1", words_hmac=(commitment(key, "Erika Mustermann"),)))
    destroy_key(log, "c-1", actor="admin")
    assert not keys.has("c-1")
    with pytest.raises(AuditError, match=r"c-1\.key; found: No such file.*if it was destroyed"):
        keys.get("c-1")
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or (key not in file.read_bytes() and b"Mustermann" not in file.read_bytes())
    for case in ("", "../x", "A"):
        with pytest.raises(AuditError, match="small letters"):
            keys.get(case)


def test_what_says_whether_a_case_is_open_and_what_its_files_are_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as then:
        then.setattr(entries, "now", lambda: "2015-05-05T05:05:05.000Z")
        log = small_log(tmp_path, 1)
        for act, details in ((Act.CASE_OPENED, {}), (Act.NOTE, {"file": "notes/N0001.txt"}), (Act.CASE_CLOSED, {})):
            log.append(Entry(act, case="c-1", details=details))
    assert remove_old_bodies(log, actor="admin") == 1
    assert [entry["act"] for _, entry in read_entries(tmp_path)][1:4] == ["case opened", "note", "case closed"]
    assert check_log(tmp_path).problems == []


@pytest.mark.parametrize("body", [b"no JSON", b"[1]", b"{}"])
def test_an_entry_that_cannot_be_read_is_named(tmp_path: Path, body: bytes) -> None:
    small_log(tmp_path, 1)
    lines = (tmp_path / LOG).read_bytes().splitlines(keepends=True)
    (tmp_path / LOG).write_bytes(b"".join([*lines[:2], body + b"\n", *lines[3:]]))
    with pytest.raises(DamagedLogError, match=r"found: entry 1 is none; .*audit verify"):
        list(read_entries(tmp_path))
