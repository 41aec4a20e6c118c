"""The calibrator finds the true likelihood ratio, never falls with the score, and keeps within its bounds."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forensic.scores import gaussian_pairs, true_log10
from tgfr_search.errors import InputError
from tgfr_search.forensic.lr import Calibrator, fit
from tgfr_search.forensic.metrics import cllr, cllr_min, devpav
from tgfr_search.forensic.pairs import Pairs, thinned
from tgfr_search.forensic.reliability import reliability, simulate


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return thinned(gaussian_pairs(), 20_000, 0)


@pytest.fixture(scope="module")
def calibrator(pairs: Pairs) -> Calibrator:
    return fit(pairs, refits=6)


def test_the_true_ratio_is_found(calibrator: Calibrator) -> None:
    unseen = gaussian_pairs(people=120, seed=5)
    log10, same = calibrator.unbounded(unseen.score, unseen.quality), unseen.genuine
    own, other = log10[same], log10[~same]
    assert cllr(own, other) - cllr_min(own, other) < 0.02  # PAV learns these 720 genuine pairs by heart: .013 of truth
    truth = true_log10(unseen)
    assert cllr(own, other) - cllr(truth[same], truth[~same]) < 0.005
    assert devpav(own, other) < 0.25
    near = np.abs(truth) < 1.5  # where the data are
    assert np.abs(log10 - truth)[near].mean() < 0.1
    assert np.abs(log10 - truth)[near].max() < 0.5


def test_posteriors_of_searches_are_true(calibrator: Calibrator) -> None:
    rng = np.random.default_rng(3)
    people, q = 300, 0.7
    own = np.arange(people)
    score = rng.normal(-(1 + 5 * q), np.sqrt(2 + 10 * q), (people, people))
    score[own, own] = rng.normal(1 + 5 * q, np.sqrt(2 + 10 * q), people)
    log10 = calibrator.unbounded(score.ravel(), np.full(people**2, q)).reshape(score.shape)
    posteriors, true = simulate(log10, own, 125, 3000, 0)
    told = reliability(posteriors, true, 125)
    assert told.ece < 0.04
    assert told.worst < 0.06
    overconfident = reliability(np.minimum(posteriors * 1.5, 1.0), true, 125)
    assert overconfident.worst > 0.15
    assert overconfident.ece > told.ece


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.floats(-40, 25), min_size=2, max_size=20),
    quality=st.floats(0, 1),
    terms=st.lists(st.floats(-5, 5), min_size=2, max_size=2),
)
def test_no_higher_score_has_a_lower_ratio(
    with_terms: Calibrator, scores: list[float], quality: float, terms: list[float]
) -> None:
    score = np.sort(scores)
    same = np.full(len(score), quality)
    told = with_terms.ratios(score, same, np.tile(terms, (len(score), 1)))
    for values in (told.log10, told.low, told.high):
        assert (np.diff(values) >= -1e-9).all()
        assert (values >= with_terms.bounds.low).all()
        assert (values <= with_terms.bounds.high).all()
    assert (told.low <= told.log10).all()
    assert (told.log10 <= told.high).all()


@pytest.fixture(scope="module")
def with_terms(pairs: Pairs) -> Calibrator:
    rng = np.random.default_rng(4)
    crowd = rng.normal(size=250)[pairs.record]
    terms = np.stack([crowd, rng.normal(size=len(pairs))], axis=1)
    return fit(replace(pairs, score=pairs.score + crowd, typicality=terms), refits=5)


def test_a_record_that_answers_to_everybody_is_worth_less(with_terms: Calibrator) -> None:
    """The first term was added to the scores: the fit takes it off again, and leaves the idle one alone."""
    score, q = np.full(3, 3.0), np.full(3, 0.6)
    crowd = with_terms.unbounded(score, q, np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))
    assert np.diff(crowd) == pytest.approx([-1 / np.log(10)] * 2, abs=0.08)
    idle = with_terms.unbounded(score, q, np.array([[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]]))
    assert np.abs(np.diff(idle)).max() < 0.08


def test_bounds_cut_and_say_so(calibrator: Calibrator) -> None:
    told = calibrator.ratios(np.array([-40.0, 0.0, 40.0]), np.array([0.9, 0.9, 0.9]))
    assert told.bounded.tolist() == [True, False, True]
    assert told.log10[0] == calibrator.bounds.low
    assert told.log10[2] == calibrator.bounds.high
    assert told.high[2] == calibrator.bounds.high
    assert -np.log10(200) <= calibrator.bounds.low < -1
    assert 1.5 < calibrator.bounds.high <= np.log10(200)


def test_the_interval_holds_the_truth_mostly_and_narrows_with_people() -> None:
    score, q = np.linspace(-1, 2, 20), np.full(20, 0.6)  # far from the bounds, which cut intervals too
    widths = []
    for people in (100, 400):
        told = fit(thinned(gaussian_pairs(people=people, images=3, seed=9), 30_000, 0), refits=8).ratios(score, q)
        widths.append(float((told.high - told.low).mean()))
    assert widths[1] < 0.75 * widths[0]


def test_two_fits_give_equal_bytes(pairs: Pairs) -> None:
    few = thinned(pairs, 6_000, 1)
    first, second = (json.dumps(asdict(fit(few, refits=3, seed=2))) for _ in range(2))
    assert first == second
    assert first != json.dumps(asdict(fit(few, refits=3, seed=3)))


def test_thinning_keeps_sums_and_the_tail(pairs: Pairs) -> None:
    every = gaussian_pairs()
    other = ~every.genuine
    assert pairs.genuine.sum() == every.genuine.sum()
    assert pairs.weight[~pairs.genuine].sum() == pytest.approx(other.sum())
    top = np.sort(every.score[other])[-1000:]
    assert np.sort(pairs.score[~pairs.genuine])[-1000:].tolist() == top.tolist()
    mean = np.average(pairs.score[~pairs.genuine], weights=pairs.weight[~pairs.genuine])
    assert mean == pytest.approx(every.score[other].mean(), abs=0.05)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p: p.take(p.genuine), "both kinds"),
        (lambda p: p.take(~p.genuine), "both kinds"),
        (lambda p: replace(p, score=np.ones(len(p))), "all scores equal"),
        (lambda p: p.take((p.probe < 40) & (p.record < 40)), "40 people"),
        (lambda p: p.take(~p.genuine | (np.cumsum(p.genuine) <= 299)), "299 genuine pairs"),
    ],
)
def test_what_calibrates_nothing_is_refused(pairs: Pairs, change, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=told):
        fit(change(pairs), refits=0)


@pytest.mark.parametrize("prior", [0.0, 1.0, 1.2, -0.1, float("nan")])
def test_a_prior_that_is_none_is_refused(pairs: Pairs, prior: float) -> None:
    with pytest.raises(InputError, match="prior"):
        fit(pairs, prior=prior, refits=0)


@pytest.mark.parametrize("at", [0, 1])
def test_nan_is_refused(calibrator: Calibrator, at: int) -> None:
    columns = [np.zeros(3), np.full(3, 0.5)]
    columns[at][1] = np.nan
    with pytest.raises(InputError, match="1 of 3 values NaN"):
        calibrator.ratios(*columns)


def test_terms_other_than_fitted_are_refused(calibrator: Calibrator, with_terms: Calibrator) -> None:
    with pytest.raises(InputError, match="typicality"):
        with_terms.ratios(np.zeros(2), np.ones(2))
    with pytest.raises(InputError, match="typicality"):
        calibrator.ratios(np.zeros(2), np.ones(2), np.zeros((2, 1)))
