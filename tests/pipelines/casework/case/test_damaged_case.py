"""A case folder in which something is lost, swapped or too much: said by name, and nothing of it is worked with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.exchange.export import export
from tgfr_search.app.cli.main import app
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.journal import LogJournal
from tgfr_search.audit.verify import check_log
from tgfr_search.errors import InputError

ACTOR = "examiner-1"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """With two files of evidence."""
    made = Case.new(tmp_path / "case", purpose="fraud", basis="§ 98c StPO", actor=ACTOR)
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(name.encode())
        made.add(tmp_path / name, actor=ACTOR)
    return made


def verified(folder: Path) -> tuple[int, list[str], list[str]]:
    """What `audit verify` says."""
    done = CliRunner().invoke(app, ["audit", "verify", str(folder), "--json"])
    told = json.loads(done.stdout)
    return done.exit_code, told["problems"], told["notes"]


def swap(folder: Path) -> None:
    one, two = (folder / "evidence" / f"E000{number}.jpg" for number in (1, 2))
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)


def lose(folder: Path) -> None:
    (folder / "evidence" / "E0001.jpg").unlink()


@pytest.mark.parametrize(
    ("change", "told"), [(swap, "other bytes than those that were logged"), (lose, "No such file")]
)
def test_evidence_that_was_swapped_or_is_gone(
    case: Case, tmp_path: Path, change: Callable[[Path], None], told: str
) -> None:
    assert verified(case.folder) == (0, [], [])
    change(case.folder)
    code, problems, _ = verified(case.folder)
    assert (code, problems[0]) == (1, "evidence/E0001.jpg is not the file that entry 2 was written for")
    again = Case.open(case.folder)
    with pytest.raises(InputError, match=rf"E0001\.jpg.*{told}"):
        again.evidence("E0001.jpg")
    with pytest.raises(InputError, match=r"E000\d\.jpg"):
        export(again, tmp_path / "out.zip", actor=ACTOR)
    assert not (tmp_path / "out.zip").exists()


def test_evidence_that_nobody_received_is_none(case: Case) -> None:
    (case.folder / "evidence" / "E0003.jpg").write_bytes(b"slipped in")
    notes = ["evidence/E0003.jpg is in no entry of the log, and no part of the case"]
    assert verified(case.folder) == (0, [], notes)
    with pytest.raises(InputError, match="in no entry"):
        Case.open(case.folder).evidence("E0003.jpg")
    assert Case.open(case.folder).add(case.folder / "case.json", actor=ACTOR) == "E0004", "its name is not given again"


def test_what_lies_beside_a_log_that_keeps_no_files_is_nobodys_business(tmp_path: Path) -> None:
    LogJournal.without_case(tmp_path / "audit")
    (tmp_path / "service.sqlite").write_bytes(b"accounts")
    assert verified(tmp_path) == (0, [], [])


def test_a_lost_key(case: Case) -> None:
    """Nothing is added, nothing is read as whole without it; what was logged is checked all the same."""
    (key,) = (case.folder / "audit" / "keys").iterdir()
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(AuditError, match=case.id):
        Case.open(case.folder)
    code, problems, _ = verified(case.folder)
    assert (code, len(problems)) == (1, 1), "files that cannot be checked are not called whole"
    key.write_bytes(kept[:-1])
    with pytest.raises((AuditError, InputError)):
        Case.open(case.folder).note("x", actor=ACTOR)
    key.write_bytes(kept)
    assert Case.open(case.folder).note("x", actor=ACTOR) == "N0001"
    (case.folder / "audit" / "signing.key").unlink()
    with pytest.raises(AuditError, match=r"signing\.key"):
        Case.open(case.folder)
    assert check_log(case.folder / "audit").problems == []
