"""The vectorised bootstrap against one written out pair by pair."""

import numpy as np
import pytest

from tgfr_search.evaluation import intervals
from tgfr_search.evaluation.identification import fnir_at_fpir
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import eer_interval, fnir_interval, rate_interval, subject_weights, tar_interval
from tgfr_search.evaluation.pairs import score_pairs
from tgfr_search.evaluation.verification import Figure, eer, tar_at_far


def labelled(subjects: int = 40, images: int = 4, dim: int = 8, spread: float = 0.8, seed: int = 0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(subjects, dim))
    owner = np.repeat(np.arange(subjects), images)
    vectors = (centres[owner] + spread * rng.normal(size=(len(owner), dim))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = rng.permutation(len(owner))
    return vectors[order], owner[order]


def open_pairs(probes, templates, owner):
    """(score, subject a, subject b) of every pair, in plain Python."""
    return [
        (float(probes[j] @ templates[i]), int(owner[j]), int(owner[i])) for j in range(len(owner)) for i in range(j)
    ]


def test_every_pair_is_scored_once() -> None:
    vectors, owner = labelled()
    rng = np.random.default_rng(1)
    probes = (vectors + 0.1 * rng.normal(size=vectors.shape)).astype(np.float32)
    pairs = score_pairs(probes, vectors, owner)
    every = open_pairs(probes, vectors, owner)
    genuine = sorted(s for s, a, b in every if a == b)
    impostor = sorted(s for s, a, b in every if a != b)
    assert np.allclose(np.sort(pairs.genuine), genuine, atol=1e-6)
    assert pairs.n_impostor == len(impostor) == pairs.histogram.sum()
    assert np.allclose(np.sort(pairs.tail), impostor[-len(pairs.tail) :], atol=1e-6)


def test_probes_meet_every_template_of_a_gallery_of_their_own() -> None:
    """Two sets: all pairs count, whatever their order; intervals agree with the pairs written out."""
    vectors, owner = labelled(subjects=15)
    probes, templates = vectors[:20], vectors[20:]
    pairs = score_pairs(probes, templates, owner[:20], owner[20:])
    every = [
        (float(p @ t), int(a), int(b))
        for p, a in zip(probes, owner[:20], strict=True)
        for t, b in zip(templates, owner[20:], strict=True)
    ]
    assert np.allclose(np.sort(pairs.genuine), sorted(s for s, a, b in every if a == b), atol=1e-6)
    assert pairs.n_impostor == sum(a != b for _, a, b in every)
    w = subject_weights(15, seed=2, resamples=3)
    tar = tar_interval(pairs, 5e-2, w)
    eers = eer_interval(pairs, w)
    for at in range(3):
        assert tar.samples[at] == pytest.approx(brute_tar(every, w[at], 5e-2), abs=1e-6)
        assert eers.samples[at] == pytest.approx(brute_eer(every, w[at]), abs=0.02)


def test_the_tail_is_the_tail_when_it_must_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tgfr_search.evaluation.pairs.MIN_TAIL", 100)
    monkeypatch.setattr("tgfr_search.evaluation.pairs.BLOCK_ROWS", 7)
    vectors, owner = labelled()
    pairs = score_pairs(vectors, vectors, owner)
    impostor = sorted((s for s, a, b in open_pairs(vectors, vectors, owner) if a != b), reverse=True)
    assert len(pairs.tail) == int(0.02 * 160 * 159 / 2)
    assert np.allclose(pairs.tail, impostor[: len(pairs.tail)], atol=1e-6)


def weighted(pairs, w):
    genuine = [(s, w[a]) for s, a, b in pairs if a == b]
    impostor = [(s, w[a] * w[b]) for s, a, b in pairs if a != b]
    return genuine, impostor


def brute_tar(pairs, w, far: float) -> float:
    genuine, impostor = weighted(pairs, w)
    total = sum(v for _, v in impostor)
    best = 0.0
    own = sum(v for _, v in genuine)
    if not own:
        return np.nan
    for t in sorted({np.nextafter(np.float32(s), np.float32(np.inf)) for s, _ in impostor}):
        if sum(v for s, v in impostor if s >= t) <= total * far + 1e-9:
            best = max(best, sum(v for s, v in genuine if s >= t) / own)
            break
    return best


def brute_eer(pairs, w) -> float:
    genuine, impostor = weighted(pairs, w)
    total, own = sum(v for _, v in impostor), sum(v for _, v in genuine)
    before = None
    for t in sorted({s for s, _ in (*genuine, *impostor)}):
        far = sum(v for s, v in impostor if s >= t) / total
        frr = sum(v for s, v in genuine if s < t) / own
        if frr >= far:
            if before is None:
                return (far + frr) / 2
            gap, now = before[0] - before[1], frr - far
            return before[1] + gap / (gap + now) * (frr - before[1])
        before = (far, frr)
    return 1.0


@pytest.mark.slow
def test_tar_interval_equals_a_bootstrap_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, owner = labelled(subjects=12, images=3, spread=0.9)
    pairs, every = score_pairs(vectors, vectors, owner), open_pairs(vectors, vectors, owner)
    weights = subject_weights(12, seed=3, resamples=25)
    got = tar_interval(pairs, 0.05, weights)
    impostor = np.array([s for s, a, b in every if a != b])
    genuine = np.array([s for s, a, b in every if a == b])
    assert got.value == pytest.approx(tar_at_far(genuine, impostor, 0.05).value)
    for value, w in zip(got.samples, weights, strict=True):
        assert value == pytest.approx(brute_tar(every, w, 0.05), nan_ok=True)


def test_eer_interval_equals_a_bootstrap_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "GRID", 400)  # so fine that the linear steps between thresholds do not matter
    vectors, owner = labelled(subjects=12, images=3, spread=0.9)
    pairs, every = score_pairs(vectors, vectors, owner), open_pairs(vectors, vectors, owner)
    weights = subject_weights(12, seed=3, resamples=15)
    got = eer_interval(pairs, weights)
    impostor = np.array([s for s, a, b in every if a != b])
    genuine = np.array([s for s, a, b in every if a == b])
    assert got.value == pytest.approx(eer(genuine, impostor).value, abs=2e-3)
    brute = np.array([brute_eer(every, w) for w in weights])
    assert np.abs(got.samples - brute).mean() < 0.01
    assert np.abs(got.samples - brute).max() < 0.04


def test_eer_grid_of_the_default_size_is_fine_enough() -> None:
    vectors, owner = labelled(subjects=100, images=4, spread=0.7)
    pairs = score_pairs(vectors, vectors, owner)
    weights = subject_weights(100, seed=0, resamples=200)
    got = eer_interval(pairs, weights)
    assert got.value is not None
    assert got.low is not None
    assert got.high is not None
    assert got.low < got.value < got.high
    assert abs(np.mean(got.samples) - got.value) < 0.2 * (got.high - got.low)


def test_paired_difference_of_a_system_with_itself_is_zero() -> None:
    vectors, owner = labelled()
    pairs = score_pairs(vectors, vectors, owner)
    weights = subject_weights(40, seed=0, resamples=50)
    one = tar_interval(pairs, 0.01, weights)
    same = one.minus(tar_interval(pairs, 0.01, weights))
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="expected the same"):
        one.minus(tar_interval(pairs, 0.01, weights[:10]))


def test_rank_interval_covers_the_truth_about_95_times_in_100() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rate = rng.beta(6, 4, size=60)  # subjects differ: some are easy, some hard
        owner = np.repeat(np.arange(60), 5)
        hits = (rng.random(300) < rate[owner]).astype(float)
        got = rate_interval(hits, owner, subject_weights(60, seed=seed, resamples=400))
        assert got.low is not None
        assert got.high is not None
        covered += got.low <= 0.6 <= got.high
    assert 178 <= covered <= 199


def test_zero_errors_still_have_an_upper_limit() -> None:
    got = rate_interval(np.zeros(50), np.repeat(np.arange(25), 2), subject_weights(25, 0, 100))
    assert got.value == 0.0
    assert got.low == 0.0
    # Exact (Clopper–Pearson) limit of 0 in 25: 1 − 0.025^(1/25).
    assert got.high == pytest.approx(1 - 0.025 ** (1 / 25))


def test_figures_without_a_value_keep_their_reason() -> None:
    vectors, owner = labelled(subjects=5, images=1)
    pairs = score_pairs(vectors, vectors, owner)
    weights = subject_weights(5, 0, 10)
    assert eer_interval(pairs, weights).reason == "no genuine pair"
    assert tar_interval(pairs, 1e-3, weights).reason == "no genuine pair"
    nothing = Interval.of(Figure(None, reason="why"), np.empty(0))
    assert nothing.minus(nothing).reason == "why"


def test_nan_is_refused() -> None:
    vectors, owner = labelled()
    vectors[3, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        score_pairs(vectors, vectors, owner)


def test_no_interval_of_no_width_where_nothing_was_accepted() -> None:
    """Two clusters far apart, labels swapped between them: no genuine pair is ever accepted."""
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(60), 2)
    vectors = np.tile(np.eye(2, dtype=np.float32), (60, 1)) + 0.01 * rng.normal(size=(120, 2)).astype(np.float32)
    pairs = score_pairs(vectors, vectors, owner)
    tar = tar_interval(pairs, 1e-2, subject_weights(60, seed=0, resamples=50))
    assert (tar.value, tar.low) == (0.0, 0.0)
    assert tar.high == pytest.approx(1 - 0.025 ** (1 / 60))
    far, everyone = np.ones(100, np.float32), np.arange(100)
    fnir = fnir_interval(-far, everyone, far, everyone + 100, 0.1, subject_weights(200, seed=0, resamples=50))
    assert (fnir.value, fnir.high) == (1.0, 1.0)
    assert fnir.low == pytest.approx(0.025 ** (1 / 100))
    apart = np.eye(40, dtype=np.float32)[owner[:80] % 40]
    perfect = eer_interval(score_pairs(apart, apart, owner[:80]), subject_weights(60, seed=0, resamples=50))
    assert perfect.value == 0.0
    assert perfect.high == pytest.approx(1 - 0.025 ** (1 / 40))


def test_too_few_false_alarms_to_measure_a_fpir() -> None:
    few = np.linspace(0, 1, 99)
    assert fnir_at_fpir(few, few, 0.1).reason == "99 nonmated searches expect 9.9 false alarms at 0.1, fewer than 10"
    assert fnir_at_fpir(few, np.linspace(0, 1, 100), 0.1).value is not None


def test_the_mean_of_figures_is_that_of_each_resample() -> None:
    one = Interval(0.2, 0.1, 0.3, "", np.array([0.1, 0.2, 0.3]))
    two = Interval(0.6, 0.4, 0.8, "", np.array([0.7, 0.6, 0.5]))
    both = Interval.mean([one, two])
    assert both.value == pytest.approx(0.4)
    assert both.samples.tolist() == pytest.approx([0.4, 0.4, 0.4])  # what one gains the other loses
    assert (both.low, both.high) == (pytest.approx(0.4), pytest.approx(0.4))
    assert Interval.mean([one, Interval(None, None, None, "too few", np.empty(0))]).reason == "too few"
