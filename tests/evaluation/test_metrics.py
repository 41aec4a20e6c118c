"""Verification and identification against hand-worked cases, scikit-learn and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import det_curve as sk_det
from sklearn.metrics import roc_curve

from tgfr_search.evaluation.identification import cmc, fnir_at_fpir, mate_ranks, rank_k
from tgfr_search.evaluation.verification import det_curve, eer, far_threshold, tar_at_far

# Few distinct values, so that ties are the rule.
TIED = hnp.arrays(np.float64, st.integers(1, 60), elements=st.integers(-5, 5).map(float))


def test_threshold_never_exceeds_the_target_far() -> None:
    impostor = np.arange(1000, dtype=float)
    figure = far_threshold(impostor, 0.01)
    assert figure.value == 0.01
    assert figure.threshold is not None
    assert 989 < figure.threshold <= 990
    # Ties: ten scores at the top are one step; accepting 1 % means accepting all of them or none.
    tied = np.concatenate([np.zeros(989), np.full(11, 5.0)])
    assert far_threshold(tied, 0.01).value == 0.0


def test_far_needs_ten_expected_false_accepts() -> None:
    figure = tar_at_far(np.ones(5), np.zeros(999), 0.01)
    assert figure.value is None
    assert "9" in figure.reason
    assert tar_at_far(np.ones(5), np.zeros(1000), 0.01).value == 1.0


def test_tar_worked_by_hand() -> None:
    impostor = np.arange(100, dtype=float)
    # FAR 0.1 allows the ten scores 90 … 99: threshold just above 89.
    assert tar_at_far(np.array([89.0, 89.5, 95.0, 100.0]), impostor, 0.1).value == 0.75


@pytest.mark.slow
@given(TIED, TIED, st.sampled_from([0.2, 0.5, 0.9]))
def test_tar_equals_brute_force(genuine: np.ndarray, impostor: np.ndarray, far: float) -> None:
    figure = tar_at_far(genuine, impostor, far)
    if len(impostor) * far < 10:
        assert figure.value is None
        return
    candidates = [t for t in (*np.union1d(genuine, impostor), np.inf) if (impostor >= t).mean() <= far + 1e-12]
    assert figure.value == pytest.approx(max((genuine >= t).mean() for t in candidates))


def test_rates_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(1, 1, 300).round(1), rng.normal(0, 1, 2000).round(1)
    labels, scores = np.r_[np.ones(300), np.zeros(2000)], np.r_[genuine, impostor]
    far, frr, thresholds = det_curve(genuine, impostor)
    fpr, tpr, sk_thresholds = roc_curve(labels, scores, drop_intermediate=False)
    for t, f, p in zip(sk_thresholds[1:], fpr[1:], tpr[1:], strict=True):
        at = np.searchsorted(thresholds, t)
        assert far[at] == pytest.approx(f)
        assert 1 - frr[at] == pytest.approx(p)
    sk_far, sk_frr, _ = sk_det(labels, scores)
    near = np.argmin(np.abs(sk_far - sk_frr))
    assert eer(genuine, impostor).value == pytest.approx((sk_far[near] + sk_frr[near]) / 2, abs=0.01)


def test_eer_of_simple_cases() -> None:
    assert eer(np.array([2.0, 3.0]), np.array([0.0, 1.0])).value == 0.0
    assert eer(np.array([0.0, 1.0]), np.array([2.0, 3.0])).value == 1.0
    assert eer(np.zeros(3), np.zeros(4)).value == pytest.approx(0.5)
    # One of four genuine below one of four impostors: both rates are 1/4 between them.
    assert eer(np.array([1.0, 4.0, 5.0, 6.0]), np.array([-2.0, -1.0, 0.0, 2.0])).value == pytest.approx(0.25)


def test_empty_classes_have_a_reason_and_nan_is_refused() -> None:
    some = np.ones(100)
    assert tar_at_far(some[:0], some, 0.5).reason == "no genuine pair"
    assert eer(some, some[:0]).reason == "no impostor pair"
    with pytest.raises(ValueError, match="1 NaN"):
        tar_at_far(np.array([np.nan]), some, 0.5)
    with pytest.raises(ValueError, match="some of both"):
        det_curve(some, some[:0])


def test_mate_ranks_by_hand() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.5, 0.5, 0.5]])
    ranks = mate_ranks(scores, np.array([4, 6, 5]), np.array([4, 5, 6]))
    assert ranks.tolist() == [1, 3, 3]  # the last: all tied, so no credit
    assert mate_ranks(scores, np.array([4, 9, 5]), np.array([4, 5, 6])).tolist() == [1, 0, 3]


def test_a_subject_scores_as_its_best_template() -> None:
    scores = np.array([[0.1, 0.8, 0.7]])
    assert mate_ranks(scores, np.array([1]), np.array([1, 2, 1])).tolist() == [2]
    assert mate_ranks(scores, np.array([2]), np.array([1, 2, 1])).tolist() == [1]


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 10**6))
def test_ranks_equal_brute_force(probes: int, templates: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (probes, templates)).astype(float)
    own, gallery = rng.integers(0, 4, probes), rng.integers(0, 4, templates)
    for p, got in enumerate(mate_ranks(scores, own, gallery)):
        best = {s: max(scores[p][gallery == s]) for s in set(gallery.tolist())}
        want = sum(v >= best[own[p]] for v in best.values()) if own[p] in best else 0
        assert got == want


def test_cmc_and_rank_k_leave_unmated_probes_out() -> None:
    ranks = np.array([1, 2, 2, 5, 0])
    assert rank_k(ranks, 1).value == 0.25
    assert rank_k(ranks, 2).value == 0.75
    assert cmc(ranks, 5).tolist() == [0.25, 0.75, 0.75, 0.75, 1.0]
    assert rank_k(np.zeros(3, np.int64), 1).value is None


def test_fnir_by_hand() -> None:
    nonmated = np.arange(100, dtype=float)
    # FPIR 0.1 lets 90 … 99 through.
    assert fnir_at_fpir(np.array([50.0, 89.0, 90.0, 120.0]), nonmated, 0.1).value == 0.5
    assert fnir_at_fpir(np.array([1.0]), nonmated[:5], 0.1).value is None
    assert fnir_at_fpir(nonmated[:0], nonmated, 0.1).reason == "no mated search"
