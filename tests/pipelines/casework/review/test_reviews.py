"""A review kept in its case: the same after each opening, refused where it is not the time, whole after a kill."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.casework.case.case import Case
from pipelines.casework.review.review import Conclusion, ReviewError, Step
from pipelines.casework.review.reviews import act, review_of
from tgfr_search.audit.errors import AuditError
from tgfr_search.errors import InputError
from tgfr_search.types import QueryResult, SearchHit

SECRET = "a scar that Heidi has"


def answer(rows: Sequence[int]) -> QueryResult:
    hits = tuple(SearchHit(at + 1, f"s{row}", row, 1.0, {}, "x", "") for at, row in enumerate(rows))
    return QueryResult(hits, {"sha256": None}, "caption", {}, 0.0, "model", "index@3", {})


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = Case.new(tmp_path / "case", purpose="p", basis="b", actor="examiner-1")
    for rows in ((4, 9), ()):
        made.search(lambda _, rows=rows: answer(rows), actor="examiner-1", evidence=None,
                    asked={"top_k": 2}, lines=["a man"], origin="witness", rows=10)  # fmt: skip
    return made


def person(case: Case, actor: str, decision: str, conclusion: str) -> None:
    act(case, "S0001", "begin", actor=actor)
    act(case, "S0001", "analyse", actor=actor, text=SECRET)
    for label in ("C01", "C02"):
        act(case, "S0001", "decide", actor=actor, label=label, decision=decision)
    act(case, "S0001", "unmask", actor=actor)
    act(case, "S0001", "conclude", actor=actor, conclusion=conclusion)


def test_two_people_to_the_release(case: Case) -> None:
    assert review_of(case, "S0001") is None
    person(case, "examiner-1", "excluded", "no candidate")
    again = review_of(Case.open(case.folder), "S0001")
    assert again is not None
    assert again.step is Step.NEXT_PERSON
    person(case, "examiner-2", "excluded", "no candidate")
    assert act(case, "S0001", "release", actor="examiner-2").conclusion is Conclusion.NONE
    acts = [entry["act"] for entry in case.entries()][4:]
    assert acts == [*["review", "review", "decision", "decision", "unmask", "decision"] * 2, "review"]
    told = [entry for entry in case.entries() if entry["act"] == "review"]
    assert "seed" in told[0]["details"]
    assert "seed" not in told[1]["details"]
    assert SECRET not in (case.folder / "audit" / "log.jsonl").read_text()


def test_what_is_refused_leaves_nothing(case: Case) -> None:
    before = len(case.entries())
    for name, given in (("unmask", {}), ("_tell", {}), ("decide", {"label": "C01", "decision": "excluded"})):
        with pytest.raises(ReviewError):
            act(case, "S0001", name, actor="examiner-1", **given)
    with pytest.raises(InputError, match="no candidate"):
        act(case, "S0002", "begin", actor="examiner-1")
    with pytest.raises(InputError, match="S0009"):
        act(case, "S0009", "begin", actor="examiner-1")
    assert len(case.entries()) == before
    assert review_of(case, "S0001") is None


def test_what_cannot_be_logged_did_not_happen(case: Case) -> None:
    act(case, "S0001", "begin", actor="examiner-1")

    def full(step: str) -> None:
        raise OSError(28, "No space left on device")

    case.files.log.on_step = full
    with pytest.raises(AuditError):
        act(case, "S0001", "analyse", actor="examiner-1", text="seen")
    again = review_of(Case.open(case.folder), "S0001")
    assert again is not None
    assert again.step is Step.ANALYSIS


def test_an_event_that_was_changed_is_found(case: Case) -> None:
    act(case, "S0001", "begin", actor="examiner-1")
    path = case.folder / "reviews" / "R0001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 1}))
    with pytest.raises(InputError, match="other bytes"):
        review_of(case, "S0001")
