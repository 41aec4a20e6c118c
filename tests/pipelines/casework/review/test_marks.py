"""Marks of a decision: kept with it, changed with a reason, told when it is told, refused where they say nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_review_commands import decide
from test_reviews import answer

from pipelines.casework.case.case import Case
from pipelines.casework.report.facts import facts_of
from pipelines.casework.report.report import report_page, report_paper
from pipelines.casework.review.marks import Feature, Found, read_marks
from pipelines.casework.review.review import Review, ReviewError
from pipelines.casework.review.reviews import act, review_of
from tgfr_search.errors import InputError
from tgfr_search.faces.align import WIDE_CHIP
from tgfr_search.faces.schemes import eyes_in_chip
from tgfr_search.pages.catalogue import LANGUAGES, Words

EAR: dict[str, Any] = {
    "feature": "ears", "found": "different", "note": "lobe attached", "probe": [1.25, 0.4], "candidate": [1.3, 0.41],
}  # fmt: skip
NOSE = {"feature": "nose", "found": "similar"}


def begun(rows: tuple[int, ...] = (10, 11)) -> Review:
    review = Review(rows, seed=0)
    review.begin("examiner-1")
    review.analyse("examiner-1", "sharp")
    return review


def test_marks_belong_to_a_decision() -> None:
    review = begun()
    review.decide("examiner-1", "C01", "excluded", marks=[EAR, NOSE])
    review.decide("examiner-1", "C02", "inconclusive")
    assert "marks" not in review.events[-1], "an event without marks is that of before there were any"
    first, second = review.view("examiner-1")["candidates"]
    whole = [EAR, {**NOSE, "note": "", "probe": None, "candidate": None}]
    assert first["marks"] == whole
    assert "marks" not in second
    assert review.view("examiner-2") == {"step": review.step}
    review.unmask("examiner-1")
    review.revise("examiner-1", "C01", "inconclusive", "the light")
    assert review.view("examiner-1")["candidates"][0]["marks"] == whole, "they stay where none are given"
    review.revise("examiner-1", "C01", "excluded", "the ear again", marks=[EAR])
    assert review.view("examiner-1")["candidates"][0]["marks"] == [EAR]
    again = Review.again([10, 11], 0, json.loads(json.dumps(review.events)))
    assert again.view("examiner-1") == review.view("examiner-1")


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ({"feature": "aura", "found": "similar"}, "face or head outline"),
        ({"feature": "nose", "found": "identical"}, "not visible"),
        ({"feature": "nose"}, "feature and found"),
        ({**NOSE, "score": 1}, "feature and found"),
        ("nose", "feature and found"),
        ({**NOSE, "probe": [9, 0]}, "FACE coordinates"),
        ({**NOSE, "probe": [float("nan"), 0]}, "FACE coordinates"),
        ({**NOSE, "candidate": [1]}, "FACE coordinates"),
        ({**NOSE, "candidate": "left"}, "FACE coordinates"),
        ({**NOSE, "note": "x" * 1001}, "at most 1000"),
    ],
)
def test_a_mark_that_says_nothing_is_refused(mark: Any, why: str) -> None:
    review = begun()
    with pytest.raises(ReviewError, match=why):
        review.decide("examiner-1", "C01", "excluded", marks=[mark])
    assert "decision" not in review.view("examiner-1")["candidates"][0], "nothing was decided"
    with pytest.raises(ReviewError, match="at most 100"):
        read_marks([NOSE] * 101)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_feature_and_finding_has_words(language: str) -> None:
    words = Words(language)
    assert len({words.of("feature", each) for each in Feature}) == len(Feature) == 19
    assert len({words.of("found", each) for each in Found}) == 3


def test_eyes_are_half_a_unit_from_the_origin() -> None:
    (left, y), (right, other) = eyes_in_chip(WIDE_CHIP)
    assert (round(left, 2), round(right, 2)) == (0.38, 0.61)  # (38 + 25 + 22.7) and (38 + 25 + 75.3) of 225
    assert round(y, 2) == round(other, 2) == 0.38  # (38 + 25 + 22.1) of 225


def test_the_report_tells_them_and_the_log_does_not(tmp_path: Path) -> None:
    case = Case.new(tmp_path / "case", purpose="p", basis="b", actor="examiner-1")
    case.search(lambda _: answer((4, 9)), actor="examiner-1", evidence=None,
                asked={"top_k": 2, "lines": ["a man"], "where": None, "index": ""}, lines=["a man"], origin="witness",
                rows=10)  # fmt: skip
    for actor in ("examiner-1", "examiner-2"):
        decide(case.folder, "begin", actor=actor)
        decide(case.folder, "analyse", "--text", "sharp", actor=actor)
        act(case, "S0001", "decide", actor=actor, label="C01", decision="excluded", marks=[EAR])
        given = ("--label", "C02", "--decision", "excluded", "--mark", "facial lines=not visible: too dark: a lamp")
        with pytest.raises(ReviewError, match="one of: skin"):
            decide(case.folder, "decide", *given[:-1], "wart=similar", actor=actor)
        with pytest.raises(InputError, match="FEATURE=FOUND"):
            decide(case.folder, "decide", *given[:-1], "nose", actor=actor)
        decide(case.folder, "decide", *given, actor=actor)
        decide(case.folder, "unmask", actor=actor)
        decide(case.folder, "conclude", "--conclusion", "no candidate", actor=actor)
    with pytest.raises(InputError, match="--mark"):
        decide(case.folder, "release", "--mark", "nose=similar", actor="reviewer-1")
    decide(case.folder, "release", actor="reviewer-1")
    (told,) = facts_of(Case.open(case.folder)).searches
    assert [(each["rank"], each["actor"]) for each in told["marks"]] == [
        (rank, actor) for rank in (1, 2) for actor in ("examiner-1", "examiner-2")
    ]
    page = report_page(case, "de")
    for expected in ("lobe attached", "too dark: a lamp", "Falten", "nicht sichtbar", "FISWG"):
        assert expected in page
    assert report_paper(case, "en")[:5] == b"%PDF-"
    assert "lobe" not in (case.folder / "audit" / "log.jsonl").read_text()
    review = review_of(case, "S0001")
    assert review is not None
    assert sum(len(marks) for person in review.view("")["persons"] for marks in person["marks"].values()) == 4
