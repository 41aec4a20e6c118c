"""95 % intervals by bootstrap over subjects (docs/protocol.md 5), vectorised; paired differences; rule of three.

Images of one person are not independent, nor are pairs that share one: so subjects are drawn with replacement. A
subject drawn w times counts w times; a pair of subjects a ≠ b counts w_a·w_b times, a genuine pair of a w_a times.
"""

from __future__ import annotations

import numpy as np

from tgfr_search.evaluation.identification import fnir_at_fpir
from tgfr_search.evaluation.interval import LEVEL, Interval
from tgfr_search.evaluation.pairs import Ints, PairScores, blocks
from tgfr_search.evaluation.verification import MIN_FALSE_ACCEPTS, Figure, Floats, crossing
from tgfr_search.types import FloatArray

RESAMPLES = 1000
GRID = 33
"""Thresholds at which resampled FAR is computed for the EER; between them it is linear."""

THRESHOLDS_A_PASS = 8

COUNTS_BYTES = 500_000_000
"""For the counts of one pass: with many subjects fewer thresholds go together."""


def _not_blind(interval: Interval, subjects: int) -> Interval:
    """Widens an interval that the bootstrap cannot see the width of: nothing, or everything, was hit.

    It then reaches at least as far as the one-sided 97.5 % Clopper–Pearson limit over the number of SUBJECTS (about
    3.7 / S; the rule of three is its 95 % form).
    """
    value, low, high = interval.value, interval.low, interval.high
    if value not in (0.0, 1.0) or low is None or high is None:
        return interval
    limit = 1 - ((1 - LEVEL) / 2) ** (1 / subjects)
    low, high = (0.0, max(high, limit)) if value == 0.0 else (min(low, 1 - limit), 1.0)
    return Interval(value, low, high, "", interval.samples)


def subject_weights(subjects: int, seed: int, resamples: int = RESAMPLES) -> FloatArray:
    """How often each subject is drawn in each resample: float32 [R, S], every row sums to S."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples).astype(np.float32)


def _impostor_total(pairs: PairScores, weights: FloatArray) -> Floats:
    """Weighted number of impostor pairs in each resample, [R]."""
    w, size = weights.astype(np.float64), weights.shape[1]
    probes = w * np.bincount(pairs.probe_subjects, minlength=size)
    templates = w * np.bincount(pairs.template_subjects, minlength=size)
    total = probes.sum(axis=1) * templates.sum(axis=1) - (probes * templates).sum(axis=1)
    return np.asarray(total / 2 if pairs.one_set else total)


def _genuine_counts(pairs: PairScores, thresholds: Floats) -> Floats:
    """How many genuine pairs of each subject lie at or above each threshold: [S, K]."""
    subjects = pairs.subject_count
    out = np.empty((subjects, len(thresholds)))
    for k, threshold in enumerate(thresholds):
        accepted = pairs.genuine >= threshold
        out[:, k] = np.bincount(pairs.genuine_subject, weights=accepted, minlength=subjects)
    return out


def tar_interval(pairs: PairScores, far: float, weights: FloatArray) -> Interval:
    """TAR@FAR with its interval; the threshold is found anew in each resample.

    Args:
        pairs: All scores.
        far: Target, at most 1e-3 (the tail that is kept exactly covers twenty times that).
        weights: From `subject_weights`.
    """
    nan = np.full(len(weights), np.nan)
    expected = pairs.n_impostor * far
    if not len(pairs.genuine):
        return Interval.of(Figure(None, reason="no genuine pair"), nan)
    if expected < MIN_FALSE_ACCEPTS:
        reason = f"{pairs.n_impostor:,} impostor pairs expect {expected:.1f} false accepts at {far:g}, fewer than 10"
        return Interval.of(Figure(None, reason=reason), nan)
    # Unit weights are one more "resample": the point estimate comes out of the same code.
    every = np.concatenate([np.ones((1, weights.shape[1]), np.float32), weights])
    totals = _impostor_total(pairs, every)
    reach = min(len(pairs.tail), int(20 * expected) + 1000)
    tail, a, b = pairs.tail[:reach], pairs.tail_subjects[:reach, 0], pairs.tail_subjects[:reach, 1]
    last_of_tie = np.append(tail[:-1] != tail[1:], True)
    order = np.argsort(pairs.genuine, kind="stable")
    genuine, owner = pairs.genuine[order], pairs.genuine_subject[order]
    values = np.empty(len(every))
    for r, w in enumerate(every):
        accepted = np.cumsum(w[a].astype(np.float64) * w[b])
        # Accepting down to a score takes all its ties: the last place at which the count is still allowed.
        allowed = np.flatnonzero(last_of_tie & (accepted <= totals[r] * far + 1e-9))
        position = int(allowed[-1]) + 1 if len(allowed) else 0
        if position == len(tail):
            values[r] = np.nan if position < pairs.n_impostor else 1.0
            continue
        threshold = np.nextafter(tail[position], np.float32(np.inf))
        own = w[owner].astype(np.float64)
        total = own.sum()
        values[r] = own[np.searchsorted(genuine, threshold) :].sum() / total if total else np.nan
    return _not_blind(Interval.of(Figure(float(values[0])), values[1:]), len(np.unique(pairs.genuine_subject)))


def _eer_grid(pairs: PairScores) -> Floats:
    """Thresholds around the EER: where FAR is between a third and three times it, even in FAR's logarithm."""
    edges, far = pairs.impostor_far()
    frr = np.searchsorted(np.sort(pairs.genuine), edges, side="left") / len(pairs.genuine)
    level = max(crossing(far, frr), 2 / max(1, pairs.n_impostor))
    wanted = np.geomspace(min(1.0, 3 * level), level / 3, GRID)
    at = np.minimum(np.searchsorted(-far, -wanted, side="left"), len(edges) - 1)
    return np.unique(np.concatenate([edges[at], [edges[0], edges[-1] + 1e-6]]))


def _impostor_counts(pairs: PairScores, thresholds: Floats) -> FloatArray:
    """How many impostor pairs of subjects (a, b) lie at or above each threshold: float32 [K, S, S], a the probe's."""
    subjects = pairs.subject_count
    order = np.argsort(pairs.template_subjects, kind="stable")
    columns, starts = np.unique(pairs.template_subjects[order], return_index=True)
    out = np.zeros((len(thresholds), subjects, subjects), dtype=np.float32)
    for rows, scores, valid in blocks(pairs.probes, pairs.templates, pairs.one_set):
        own = pairs.probe_subjects[rows]
        counted = np.where(valid & (own[:, None] != pairs.template_subjects[None, :]), scores, -np.inf)[:, order]
        for k, threshold in enumerate(thresholds):
            by_column = np.zeros((len(own), subjects), np.float32)
            by_column[:, columns] = np.add.reduceat(counted >= threshold, starts, axis=1, dtype=np.float32)
            np.add.at(out[k], own, by_column)
    return out


def eer_interval(pairs: PairScores, weights: FloatArray) -> Interval:
    """EER with its interval. FAR of a resample is wᵀC_k w over the number of pairs; C_k is counted once a threshold."""
    nan = np.full(len(weights), np.nan)
    if not len(pairs.genuine) or not pairs.n_impostor:
        return Interval.of(Figure(None, reason="no genuine pair" if pairs.n_impostor else "no impostor pair"), nan)
    weights = weights[:, : pairs.subject_count]  # the pairs of a group may leave the last subjects out
    edges, far = pairs.impostor_far()
    frr = np.searchsorted(np.sort(pairs.genuine), edges, side="left") / len(pairs.genuine)
    point = crossing(far, frr)
    thresholds = _eer_grid(pairs)
    totals = _impostor_total(pairs, weights)
    fars = np.empty((len(weights), len(thresholds)))
    a_pass = max(1, min(THRESHOLDS_A_PASS, COUNTS_BYTES // (4 * pairs.subject_count**2)))
    for start in range(0, len(thresholds), a_pass):
        part = slice(start, start + a_pass)
        for k, counts in enumerate(_impostor_counts(pairs, thresholds[part])):
            fars[:, start + k] = ((weights @ counts) * weights).sum(axis=1) / np.maximum(totals, 1)
    accepted = weights.astype(np.float64) @ _genuine_counts(pairs, thresholds)
    genuine_total = weights.astype(np.float64) @ _genuine_counts(pairs, np.array([-np.inf]))
    defined = (genuine_total[:, 0] > 0) & (totals > 0)
    values = nan.copy()
    for r in np.flatnonzero(defined):
        values[r] = crossing(fars[r], 1 - accepted[r] / genuine_total[r, 0])
    return _not_blind(Interval.of(Figure(point), values), len(np.unique(pairs.genuine_subject)))


def rate_interval(hits: Floats, owners: Ints, weights: FloatArray) -> Interval:
    """A share of probes (Rank-k, failure to enrol, FNIR at a fixed threshold) with its interval.

    Args:
        hits: [P], 1 or 0.
        owners: [P], subject number of each probe, 0 … S−1.
        weights: [R, S].
    """
    if not len(hits):
        return Interval.of(Figure(None, reason="no probe"), np.full(len(weights), np.nan))
    size = weights.shape[1]
    per_subject = np.bincount(owners, weights=hits, minlength=size)
    probes = np.bincount(owners, minlength=size).astype(np.float64)
    drawn = weights.astype(np.float64) @ probes
    samples = np.divide(
        weights.astype(np.float64) @ per_subject, drawn, out=np.full(len(weights), np.nan), where=drawn > 0
    )
    return _not_blind(Interval.of(Figure(float(np.mean(hits))), samples), int((probes > 0).sum()))


def fnir_interval(
    mated: FloatArray, mated_owner: Ints, nonmated: FloatArray, nonmated_owner: Ints, fpir: float, weights: FloatArray
) -> Interval:
    """FNIR@FPIR with its interval; the threshold is found anew in each resample.

    Args:
        mated: [P1] score of the own subject.
        mated_owner: [P1] subject of each mated probe.
        nonmated: [P0] best score of anybody.
        nonmated_owner: [P0] subject of each nonmated probe.
        fpir: Target.
        weights: [R, S].
    """
    figure = fnir_at_fpir(mated, nonmated, fpir)
    samples = np.full(len(weights), np.nan)
    if figure.value is None:
        return Interval.of(figure, samples)
    order, mates = np.argsort(-nonmated, kind="stable"), np.argsort(mated, kind="stable")
    others, sorted_mates = nonmated[order], mated[mates]
    last_of_tie = np.append(others[:-1] != others[1:], True)
    for r, w in enumerate(weights.astype(np.float64)):
        let_through = np.cumsum(w[nonmated_owner[order]])
        own = np.cumsum(w[mated_owner[mates]])
        if not let_through[-1] or not own[-1]:
            continue
        allowed = np.flatnonzero(last_of_tie & (let_through <= let_through[-1] * fpir + 1e-9))
        position = int(allowed[-1]) + 1 if len(allowed) else 0
        if position == len(others):
            samples[r] = 0.0
            continue
        missed = int(np.searchsorted(sorted_mates, others[position], side="right"))
        samples[r] = own[missed - 1] / own[-1] if missed else 0.0
    return _not_blind(Interval.of(figure, samples), len(np.unique(mated_owner)))
