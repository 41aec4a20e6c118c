"""Precision of the head against chance, worked out by hand."""

import numpy as np
import pytest

from benchmarks.accuracy.attribute_search import read_phrases
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.evaluation.attribute_search import DENYING, Described, head_share, over_chance


def table(rows: list[set[str]]) -> np.ndarray:
    return np.array([[float(name in row) for name in ATTRIBUTES] for row in rows], np.float32)


def test_the_head_is_the_first_faces_and_a_face_drawn_twice_takes_two_places() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.7])
    holds = np.array([True, True, False, False])
    weights = np.array([[1, 1, 1, 1], [4, 0, 0, 0], [0, 1, 0, 1], [0, 2, 0, 0]], np.float32)
    share, samples = head_share(scores, holds, weights, first=2)
    assert share == 0.5  # faces 1 and 3
    assert samples.tolist() == [0.5, 1.0, 0.5, 1.0]


def test_a_denied_attribute_counts_the_faces_without_it() -> None:
    labels = table([{"male", "eyeglasses"}, {"male"}, {"male", "no_beard"}, {"eyeglasses"}])
    assert Described("", "male", (), ("eyeglasses",)).fits(labels).tolist() == [False, True, True, False]
    assert Described("", "male", ("beard",), ()).fits(labels).tolist() == [True, True, False, True]
    assert Described("", "male", (), ("beard",)).fits(labels).tolist() == [False, False, True, False]
    assert Described("", "male", ("old", "eyeglasses"), ()).fits(labels).tolist() == [True, False, False, True]


def test_chance_is_that_of_the_described_sex() -> None:
    labels = table([{"male", "bald"}, {"male"}, {"male"}, {"male"}, set(), set()])
    ones = np.ones((3, 6), np.float32)
    best = np.array([9.0, 0, 0, 0, 0, 0])
    own = over_chance(Described("", "male", ("bald",), ()), best, labels, ones)
    assert own["chance"].value == 0.25
    assert own["precision"].value == pytest.approx(1 / 6)  # all six are the head
    assert own["gain"].value == pytest.approx((1 / 6 - 0.25) / 0.75)
    whole = over_chance(Described("", "male", (), ("bald",)), best, labels, ones, whole=True)
    assert whole["precision"].value == pytest.approx(3 / 6)  # the women are not bald, but no men


def test_the_phrase_book_names_attributes_that_there_are() -> None:
    kinds = read_phrases()
    assert [len(kinds["plain"]), len(kinds["negated"])] == [32, 15]
    texts = [own.text for rows in kinds.values() for own in rows]
    assert len(set(texts)) == len(texts)
    for own in (one for rows in kinds.values() for one in rows):
        assert {*own.has, *own.lacks} <= {*ATTRIBUTES, *DENYING}, own.text
        assert own.has or own.lacks
        assert own.sex in ("", "male", "female")
    assert not any(own.has for own in kinds["negated"])
