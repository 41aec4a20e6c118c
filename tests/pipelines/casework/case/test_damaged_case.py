"""A case folder in which something is lost, swapped or too much: said by name, and nothing of it is worked with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.casework.case.case import Case
from pipelines.casework.exchange.export import export
from tgfr_search.audit.errors import AuditError
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
    change(case.folder)
    again = Case.open(case.folder)
    with pytest.raises(InputError, match=rf"E0001\.jpg.*{told}"):
        again.evidence("E0001.jpg")
    with pytest.raises(InputError, match=r"E000\d\.jpg"):
        export(again, tmp_path / "out.zip", actor=ACTOR)
    assert not (tmp_path / "out.zip").exists()


def test_evidence_that_nobody_received_is_none(case: Case) -> None:
    (case.folder / "evidence" / "E0003.jpg").write_bytes(b"slipped in")
    with pytest.raises(InputError, match="in no entry"):
        Case.open(case.folder).evidence("E0003.jpg")
    assert Case.open(case.folder).add(case.folder / "case.json", actor=ACTOR) == "E0004", "its name is not given again"


def test_a_lost_key(case: Case) -> None:
    """Nothing is added, nothing is read as whole without it; what was logged is checked all the same."""
    (key,) = (case.folder / "audit" / "keys").iterdir()
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(AuditError, match=case.id):
        Case.open(case.folder)
    key.write_bytes(kept[:-1])
    with pytest.raises((AuditError, InputError)):
        Case.open(case.folder).note("x", actor=ACTOR)
    key.write_bytes(kept)
    assert Case.open(case.folder).note("x", actor=ACTOR) == "N0001"
    (case.folder / "audit" / "signing.key").unlink()
    with pytest.raises(AuditError, match=r"signing\.key"):
        Case.open(case.folder)
    assert check_log(case.folder / "audit").problems == []
