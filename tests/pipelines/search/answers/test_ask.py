"""The next question: its information by hand, and that an answer to it splits the candidates."""

import math
from pathlib import Path

import pytest

from pipelines.enrol.index import IndexSummary
from pipelines.search.answers.ask import questions
from pipelines.search.gallery import Gallery
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import QueryResult, SearchHit


def _result(*cards: dict[str, float], scores: tuple[float, ...], said: str = "") -> QueryResult:
    hits = tuple(
        SearchHit(at + 1, f"p{at}", at, score, {}, f"{at}.jpg", "", attributes=card)
        for at, (card, score) in enumerate(zip(cards, scores, strict=True))
    )
    told = {"statements": [{"attribute": said, "sure": 1.0}]} if said else None
    return QueryResult(hits, {}, "caption", {}, 0.0, "m", "i@1", {}, description=told)


def test_the_information_of_a_question_by_hand() -> None:
    """Two as likely as one another, one surely with glasses, one surely without: 1 bit of a witness who never errs."""
    result = _result({"eyeglasses": 1.0, "bangs": 0.5}, {"eyeglasses": 0.0, "bangs": 0.5}, scores=(1.0, 1.0))
    first, second = questions(result, slip=0.0)
    assert (first.attribute, first.bits, first.yes) == ("eyeglasses", 1.0, 0.5)
    assert (second.attribute, second.bits) == ("bangs", 0.0)
    assert first.if_yes[0] == ("p0", 2.0)
    assert first.if_no[0] == ("p1", 2.0)
    erring = questions(result, slip=0.1)[0]
    assert erring.bits == pytest.approx(1 + 0.1 * math.log2(0.1) + 0.9 * math.log2(0.9), abs=1e-4)


def test_a_candidate_that_leads_by_far_leaves_little_to_ask() -> None:
    cards = ({"eyeglasses": 1.0}, {"eyeglasses": 0.0})
    near, far = (questions(_result(*cards, scores=(gap, 0.0)))[0].bits for gap in (0.0, 6.0))
    assert far < 0.1 * near


def test_what_the_description_says_is_not_asked() -> None:
    result = _result({"eyeglasses": 1.0, "bangs": 0.6}, {"eyeglasses": 0.0, "bangs": 0.5}, scores=(1.0, 1.0),
                     said="eyeglasses")  # fmt: skip
    assert [own.attribute for own in questions(result)] == ["bangs"]


def test_one_candidate_or_no_cards_are_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        questions(_result({"bangs": 0.1}, scores=(1.0,)))
    with pytest.raises(InputError, match="fit-statements"):
        questions(_result({}, {}, scores=(1.0, 0.5)))


def test_a_gallery_says_what_to_ask_next(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> None:
    gallery = Gallery.open(enrolled[0], model=model)
    result = gallery.query(caption="a man", top_k=12)
    own = gallery.next_question(result)
    assert own.attribute not in {"male", "smiling", "attractive", "blurry"}
    assert own == questions(result)[0]
    shown = [hit.attributes[own.attribute] for hit in result.candidates]
    assert max(shown) - min(shown) > 0.2
