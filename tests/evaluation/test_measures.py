"""Every figure of a run against scikit-learn, SciPy, and definitions written out: the same scores, others' code."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from sklearn.metrics import (
    balanced_accuracy_score,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
    top_k_accuracy_score,
)
from test_intervals import labelled

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.evaluation.attributes import LEAST_STATED, attribute_figures, smallest_threshold
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import fnir_interval, rate_interval, subject_weights
from tgfr_search.evaluation.measures import CMC_DEPTH, FARS, FPIRS, Measures, measure, search
from tgfr_search.evaluation.pairs import score_pairs
from tgfr_search.evaluation.protocol import Roles, two_sets
from tgfr_search.evaluation.verification import Figure, crossing

PEOPLE = 60
Run = tuple[Measures, np.ndarray, np.ndarray, Roles]


@pytest.fixture(scope="module")
def run() -> Run:
    """Figures, scores [300, 60] in float64, whether genuine, and roles: five photos each against one record each."""
    vectors, owner = labelled(subjects=PEOPLE, images=6, spread=1.1, seed=4)
    first = np.unique(owner, return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(owner)), first)
    probes, templates = vectors[rest], vectors[first]
    roles = two_sets(owner[rest], owner[first], seed=0)
    found = measure(probes, templates, roles, subject_weights(PEOPLE, 0, 30))
    return found, (probes @ templates.T).astype(np.float64), owner[rest][:, None] == owner[first][None, :], roles


def test_verification_equals_scikit_learn(run: Run) -> None:
    found, scores, genuine, _ = run
    assert (found.counts["n_genuine"], found.counts["n_impostor"]) == (300, 300 * 59)
    far, tar, _ = roc_curve(genuine.ravel(), scores.ravel(), drop_intermediate=False)
    assert found.figures["tar_at_far", 1e-3].value == pytest.approx(tar[far <= 1e-3].max())
    equal = brentq(lambda at: 1 - at - np.interp(at, far, tar), 0.0, 1.0)
    assert found.figures["eer", None].value == pytest.approx(equal, abs=5e-4)
    for small in FARS[:2]:
        assert found.figures["tar_at_far", small].value is None
        assert "17,700 impostor pairs expect" in found.figures["tar_at_far", small].reason


def test_identification_equals_scikit_learn(run: Run) -> None:
    found, scores, _, roles = run
    for rank in (1, 5, 10):
        expected = top_k_accuracy_score(roles.probe_subjects, scores, k=rank, labels=np.arange(PEOPLE))
        assert found.figures["rank", rank].value == pytest.approx(expected)
        assert found.curves["cmc"][rank - 1] == pytest.approx(expected)
    assert len(found.curves["cmc"]) == CMC_DEPTH
    assert (np.diff(found.curves["cmc"]) >= 0).all()


def test_the_open_set_equals_scikit_learn(run: Run) -> None:
    found, scores, _, roles = run
    enrolled = scores[:, roles.open_gallery]
    own = scores[roles.mated, roles.probe_subjects[roles.mated]]
    best = enrolled[roles.nonmated].max(axis=1)
    assert (found.counts["n_mated"], found.counts["n_nonmated"]) == (len(own), len(best)) == (150, 150)
    labels = np.r_[np.ones(len(own)), np.zeros(len(best))]
    alarms, hits, _ = roc_curve(labels, np.r_[own, best], drop_intermediate=False)
    assert found.figures["fnir_at_fpir", FPIRS[1]].value == pytest.approx(1 - hits[alarms <= 0.1].max())
    assert found.figures["fnir_at_fpir", FPIRS[0]].reason.startswith("150 nonmated searches expect 1.5 false alarms")


def test_drawn_points_lie_on_the_curve(run: Run) -> None:
    found, scores, genuine, _ = run
    far, tar = np.array(found.curves["far"]), np.array(found.curves["tar"])
    for wanted, got in zip(far, tar, strict=True):
        # Where the drawn false accept rate is reached there is a threshold with just this true accept rate.
        threshold = np.sort(scores[~genuine])[::-1][max(0, round(wanted * 17_700) - 1)]
        assert got == pytest.approx((scores[genuine] >= threshold).mean(), abs=0.011)
    area = np.trapezoid(np.r_[0.0, tar[::-1]] if far[0] > far[-1] else np.r_[0.0, tar], np.r_[0.0, np.sort(far)])
    assert area == pytest.approx(roc_auc_score(genuine.ravel(), scores.ravel()), abs=0.005)


def test_histograms_are_densities_of_the_scores(run: Run) -> None:
    found, scores, genuine, _ = run
    bins = np.array(found.curves["bins"])
    for kind, own in (("genuine", scores[genuine]), ("impostor", scores[~genuine])):
        drawn = np.array(found.curves[kind])
        assert (drawn * np.diff(bins)).sum() == pytest.approx(1.0)
        expected = np.histogram(own, bins, density=True)[0]
        assert np.abs(drawn - expected).max() < 0.02 * expected.max()


def test_a_search_names_the_record_that_was_put_first_and_the_mates_best() -> None:
    """Subject 0 has two records, 1 and 2 have one; scores by hand."""
    templates = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], np.float32)
    owners = np.array([0, 1, 2, 0])
    probes = np.array([[0.2, 0.9, 0.1], [0.1, 0.9, 0.3], [0.5, 0.4, 0.45]], np.float32)
    roles = two_sets(np.array([0, 1, 2]), owners, seed=0)
    found = search(probes, templates, roles)
    # Of the first: records 0.2, 0.9, 0.1, 1.1, its own best the last; of the second 1.0 by subject 0; of the third 0.9.
    assert found.best.tolist() == [3, 3, 3]
    assert found.mate.tolist() == [3, 1, 2]
    assert found.ranks.tolist() == [1, 2, 2]
    assert found.scores == pytest.approx(np.array([[1.1, 1.1], [1.0, 0.9], [0.9, 0.45]]))


def test_without_a_search_there_is_nothing_to_name() -> None:
    roles = two_sets(np.array([3, 3]), np.array([0, 1]), seed=0)
    assert search(np.ones((2, 4), np.float32), np.ones((2, 4), np.float32), roles).scores.shape == (0, 2)


def test_a_pair_that_is_left_out_is_in_no_figure() -> None:
    vectors = np.eye(4, dtype=np.float32)
    own = np.array([0, 1, 2, 3])
    pairs = score_pairs(vectors, vectors, own, own, skip=np.array([0, -1, 2, -1]))
    assert pairs.genuine_subject.tolist() == [1, 3]
    assert pairs.n_impostor == 12
    with pytest.raises(ValueError, match="found probes"):
        score_pairs(vectors, vectors[:, :3], own, own)


def test_where_two_error_rates_meet() -> None:
    # far ½ − ½s and frr ¼ + ¾s meet at s = 1/5.
    assert crossing(np.array([1, 0.5, 0.0]), np.array([0, 0.25, 1.0])) == pytest.approx(0.4)
    assert crossing(np.array([0.2, 0.0]), np.array([0.4, 1.0])) == pytest.approx(0.3)  # above from the beginning
    assert crossing(np.array([1.0, 0.6]), np.array([0.0, 0.4])) == pytest.approx(0.5)  # never: what comes nearest


def test_an_interval_is_the_quantiles_of_the_resamples_that_have_a_value() -> None:
    samples = np.r_[np.nan, np.linspace(0, 1, 201), np.nan]
    got = Interval.of(Figure(0.5), samples)
    assert (got.low, got.high) == (pytest.approx(0.025), pytest.approx(0.975))
    nothing = Interval.of(Figure(0.5), np.full(3, np.nan))
    assert (nothing.value, nothing.low, nothing.high) == (0.5, None, None)


def test_the_mean_of_several_figures_is_taken_within_each_resample() -> None:
    """Two figures that move against each other: their mean does not move at all."""
    rising = np.linspace(0, 1, 101)
    one, other = Interval.of(Figure(0.4), rising), Interval.of(Figure(0.6), 1 - rising)
    mean = Interval.mean([one, other])
    assert (mean.value, mean.low, mean.high) == (pytest.approx(0.5), pytest.approx(0.5), pytest.approx(0.5))
    lacking = Interval.of(Figure(None, reason="too few"), np.empty(0))
    assert Interval.mean([one, lacking]).reason == "too few"
    difference = one.minus(other)
    assert difference.value == pytest.approx(-0.2)
    assert (difference.low, difference.high) == (pytest.approx(-0.95), pytest.approx(0.95))


def test_with_one_photo_a_person_the_interval_is_scipys_bootstrap() -> None:
    hits = (np.random.default_rng(2).random(200) < 0.3).astype(float)
    got = rate_interval(hits, np.arange(200), subject_weights(200, seed=1, resamples=4000))
    same = stats.bootstrap((hits,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0))
    assert got.value == hits.mean()
    assert got.low == pytest.approx(same.confidence_interval.low, abs=0.008)
    assert got.high == pytest.approx(same.confidence_interval.high, abs=0.008)


@pytest.mark.parametrize("subjects", [5, 25, 400])
def test_where_nothing_or_everything_was_hit_the_limit_is_the_exact_one(subjects: int) -> None:
    weights = subject_weights(subjects, 0, 20)
    none, every = (rate_interval(np.full(subjects, hit), np.arange(subjects), weights) for hit in (0.0, 1.0))
    exact = stats.binomtest(0, subjects).proportion_ci(0.95, method="exact")
    assert (none.low, none.high) == (0.0, pytest.approx(exact.high))
    assert (every.low, every.high) == (pytest.approx(1 - exact.high), 1.0)


def test_an_open_set_interval_equals_one_of_searches_drawn_out() -> None:
    """Each resample anew, every search as often as its person was drawn; few values, so that ties are the rule."""
    rng = np.random.default_rng(3)
    owner, other = np.repeat(np.arange(20), 3), np.repeat(np.arange(20, 50), 4)
    mated = rng.integers(4, 12, len(owner)).astype(np.float32)
    nonmated = rng.integers(0, 9, len(other)).astype(np.float32)
    weights = subject_weights(50, seed=5, resamples=40)
    got = fnir_interval(mated, owner, nonmated, other, 0.1, weights)
    for value, drawn in zip(got.samples, weights.astype(int), strict=True):
        mates, others = np.repeat(mated, drawn[owner]), np.repeat(nonmated, drawn[other])
        allowed = 0.1 * len(others) + 1e-9
        threshold = min(t for t in np.arange(-1, 14) if (others >= t).sum() <= allowed)
        assert value == pytest.approx((mates < threshold).mean())
    assert got.low is not None
    assert got.high is not None
    assert got.low <= got.value <= got.high


def test_what_is_said_of_attributes_equals_scikit_learn() -> None:
    rng = np.random.default_rng(6)
    truth = (rng.random((300, len(ATTRIBUTES))) < rng.uniform(0.1, 0.9, len(ATTRIBUTES))).astype(np.float32)
    p = np.clip(0.6 * truth + rng.normal(0.2, 0.25, truth.shape), 0, 1).astype(np.float32)
    truth[rng.random(truth.shape) < 0.1] = np.nan  # nobody said
    rates = {name: float(np.nanmean(truth[:, at])) for at, name in enumerate(ATTRIBUTES)}
    yes = dict.fromkeys(ATTRIBUTES, (0.7, None))
    told = attribute_figures(p, truth, yes, rates)
    known = ~np.isnan(truth)
    for at, name in enumerate(ATTRIBUTES):
        own, holds = p[known[:, at], at], truth[known[:, at], at] == 1
        assert told["balanced_accuracy"][name] == pytest.approx(balanced_accuracy_score(holds, own >= rates[name]))
        assert told["share"][name] == pytest.approx(rates[name])
    said, holds = p[known] >= np.float32(0.7), truth[known] == 1
    assert told["precision"] == pytest.approx(precision_score(holds, said))
    assert told["recall"] == pytest.approx(recall_score(holds, said))
    assert told["stated"] == pytest.approx(said.sum() / 300)
    cells = np.digitize(p[known], np.linspace(0.1, 0.9, 9).astype(np.float32))
    error = [
        abs(p[known][cells == b].mean() - holds[cells == b].mean()) * (cells == b).mean() for b in np.unique(cells)
    ]
    assert told["calibration_error"] == pytest.approx(sum(error), abs=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_threshold_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 30, 120) / 30
    truth = rng.random(120) < p
    stated = [t for t in np.unique(p) if (p >= t).sum() >= LEAST_STATED]
    right = [t for t in stated if precision_score(truth, p >= t) >= 0.8]
    assert smallest_threshold(p, truth, 0.8) == (min(right) if right else None)
    assert smallest_threshold(p[: LEAST_STATED - 1], truth[: LEAST_STATED - 1], 0.1) is None
