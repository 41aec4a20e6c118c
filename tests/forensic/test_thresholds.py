"""Thresholds, expected strangers, crowdedness and typicality, against distributions whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tgfr_search.errors import InputError
from tgfr_search.forensic.tail import crowdedness, expected_strangers, tail_of
from tgfr_search.forensic.thresholds import seen_at, threshold_for
from tgfr_search.forensic.typicality import check_disjoint, highest, record_terms


def tops(people: int, searches: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Highest of N standard normal scores: the N-th root of a uniform draw is the highest of N uniform ones."""
    from scipy.stats import norm

    return np.asarray(norm.ppf(np.random.default_rng(seed).random(searches) ** (1 / people)))


def test_a_threshold_keeps_its_rate_on_other_searches() -> None:
    told = threshold_for(tops(300, 5000), 0.01, 300)
    alarms, missed = seen_at(tops(300, 20_000, 1), np.array([told.score - 1, told.score + 1]), told.score)
    assert 0.005 < alarms < 0.02
    assert missed == 0.5
    assert told.fmr == pytest.approx(1 - 0.99 ** (1 / 300))
    assert told.warning == ""


@pytest.mark.parametrize("people", [100, 600])
def test_a_threshold_for_another_size_is_scaled_and_says_so(people: int) -> None:
    told = threshold_for(tops(300, 20_000), 0.01, 300, at_people=people)
    assert 0.005 < seen_at(tops(people, 20_000, 1), np.zeros(1), told.score)[0] < 0.02
    assert "scaled" in told.warning
    assert str(people) in told.warning
    assert threshold_for(tops(300, 20_000), 0.01, 300, at_people=people, tested=(0.3, 2.0)).warning == ""


def test_too_few_searches_are_refused_with_the_number_needed() -> None:
    with pytest.raises(InputError, match="1,000"):
        threshold_for(tops(300, 999), 0.01, 300)
    assert threshold_for(tops(300, 1000), 0.01, 300).searches == 1000
    with pytest.raises(InputError, match="found: 1,000"):  # a smaller gallery has fewer alarms, so it takes more
        threshold_for(tops(300, 1000), 0.01, 300, at_people=3000)


@pytest.mark.parametrize("fpir", [0.0, 1.0, 1.2])
def test_a_rate_that_is_none_is_refused(fpir: float) -> None:
    with pytest.raises(InputError, match="fpir"):
        threshold_for(tops(3, 1000), fpir, 3)


def test_strangers_are_counted_then_extrapolated() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(size=100_000)
    tail = tail_of(values)
    for score in (0.5, 2.0, 6.0):
        told = expected_strangers(score, tail, 1000)
        assert told.strangers == pytest.approx(1000 * math.exp(-score), rel=0.15)
        assert not told.extrapolated
    beyond = expected_strangers(14.0, tail, 1000)
    assert beyond.extrapolated
    assert 0.1 < beyond.strangers / (1000 * math.exp(-14.0)) < 10
    assert expected_strangers(-1.0, tail, 1000).strangers == 1000
    last = np.sort(values)[-10]
    assert not expected_strangers(float(last), tail, 1).extrapolated
    assert expected_strangers(float(np.nextafter(last, np.inf)), tail, 1).extrapolated


def test_equal_scores_have_a_tail_too() -> None:
    told = expected_strangers(1.0, tail_of(np.ones(50)), 8)
    assert (told.strangers, told.extrapolated) == (8.0, False)
    assert expected_strangers(2.0, tail_of(np.ones(50)), 8).extrapolated
    with pytest.raises(InputError, match="9 impostor pairs"):
        tail_of(np.ones(9))


def test_crowded_records_are_seen() -> None:
    rng = np.random.default_rng(0)
    crowd = rng.normal(size=200)
    scores, own = rng.normal(size=(300, 200)), np.zeros((300, 200), bool)
    even, _ = crowdedness(scores, own, 1e-2, crowd)
    uneven, tenths = crowdedness(scores + crowd, own, 1e-2, crowd)
    assert even < 2
    assert uneven > 4
    assert tenths[-1] == max(tenths)
    with pytest.raises(InputError, match="pairs"):
        crowdedness(scores, own, 1e-4, crowd)


def test_typicality_is_of_the_highest_tenth() -> None:
    scores = np.tile(np.arange(200.0), (2, 1))
    assert highest(scores).tolist() == [[189.5, pytest.approx(np.arange(20).std())]] * 2
    with pytest.raises(InputError, match="99 people"):
        highest(scores[:, :99])


def test_terms_of_a_record_follow_quality() -> None:
    by_level = np.array([[[4.0, 1.0]], [[2.0, 0.5]]])  # good, poor
    told = record_terms(by_level, np.array([0.9, 0.3]), np.array([0.9, 0.6, 0.3, 0.0, 1.0]))
    assert told[:, 0, 0] == pytest.approx([4.0, 3.0, 2.0, 2.0, 4.0])
    alone = record_terms(by_level[:1], np.array([0.9]), np.array([0.1, 0.9]))
    assert alone[:, 0, 0].tolist() == [4.0, 4.0]


def test_a_cohort_shares_nobody() -> None:
    check_disjoint({"1", "2"}, {"3"}, "gallery")
    with pytest.raises(InputError, match="1 people who are in the gallery too: 2"):
        check_disjoint({"1", "2"}, {"2", "3"}, "gallery")
