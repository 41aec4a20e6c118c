"""Identification (1:N): closed-set CMC and open-set FNIR at FPIR.

A gallery has one or more templates a subject; a subject's score is the best of its templates.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tgfr_search.evaluation.verification import MIN_FALSE_ACCEPTS, Figure, Floats, Scores, check_scores

Ints = npt.NDArray[np.int64]


def subject_scores(scores: Scores, gallery_subjects: Ints) -> tuple[Scores, Ints]:
    """Best score of each subject.

    Args:
        scores: [P, G], probes against gallery templates.
        gallery_subjects: [G].

    Returns:
        [P, S] and the S subjects, ascending.
    """
    subjects, column = np.unique(gallery_subjects, return_inverse=True)
    if len(subjects) == len(gallery_subjects):
        return scores[:, np.argsort(gallery_subjects, kind="stable")], subjects
    out = np.full((len(scores), len(subjects)), -np.inf, dtype=scores.dtype)
    for at in range(scores.shape[1]):
        np.maximum(out[:, column[at]], scores[:, at], out=out[:, column[at]])
    return out, subjects


def mate_ranks(scores: Scores, probe_subjects: Ints, gallery_subjects: Ints) -> Ints:
    """Rank of each probe's own subject, 1 is best; ties count against it, so that a constant score earns nothing.

    Args:
        scores: [P, G].
        probe_subjects: [P].
        gallery_subjects: [G].

    Returns:
        int64 [P]; 0 where the probe's subject is not in the gallery.

    Raises:
        ValueError: A score is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("identification scores: found NaN, expected numbers")
    by_subject, subjects = subject_scores(scores, gallery_subjects)
    at = np.searchsorted(subjects, probe_subjects)
    enrolled = (at < len(subjects)) & (subjects[np.minimum(at, len(subjects) - 1)] == probe_subjects)
    ranks = np.zeros(len(scores), dtype=np.int64)
    rows = np.flatnonzero(enrolled)
    own = by_subject[rows, at[rows]]
    ranks[rows] = (by_subject[rows] >= own[:, None]).sum(axis=1)
    return ranks


def rank_k(ranks: Ints, k: int) -> Figure:
    """Share of mated probes whose subject is among the first k.

    Args:
        ranks: From `mate_ranks`; probes without a mate (0) take no part.
        k: Candidates looked at.
    """
    mated = ranks[ranks > 0]
    if not len(mated):
        return Figure(None, reason="no probe has its subject in the gallery")
    return Figure(float((mated <= k).mean()))


def cmc(ranks: Ints, depth: int) -> Floats:
    """Cumulative match characteristic: `rank_k` for k = 1 … depth.

    Raises:
        ValueError: No probe has a mate.
    """
    mated = ranks[ranks > 0]
    if not len(mated):
        raise ValueError("no probe has its subject in the gallery, expected some")
    counts = np.bincount(np.minimum(mated, depth + 1), minlength=depth + 2)[1 : depth + 1]
    return np.asarray(np.cumsum(counts) / len(mated))


def fnir_at_fpir(mated: Scores, nonmated: Scores, fpir: float) -> Figure:
    """Open set: share of mated searches whose mate scores below the threshold that lets through `fpir` of the others.

    The candidate list is not limited in length: a search fails when the mate is below the threshold (NIST FRTE 1:N with
    R = N).

    Empty, with the reason, below 10 expected false alarms, as FAR is (docs/protocol.md 3).

    Args:
        mated: [P1] score of the own subject, for probes whose subject is enrolled.
        nonmated: [P0] best score of anybody, for probes whose subject is not.
        fpir: Target false positive identification rate.
    """
    mates, others = check_scores(mated, "mated scores"), check_scores(nonmated, "nonmated scores")
    if not len(mates) or not len(others):
        return Figure(None, reason="no mated search" if not len(mates) else "no nonmated search")
    expected = len(others) * fpir
    if expected < MIN_FALSE_ACCEPTS:
        reason = f"{len(others):,} nonmated searches expect {expected:.1f} false alarms at {fpir:g}, fewer than 10"
        return Figure(None, reason=reason)
    allowed = int(np.floor(expected + 1e-9))
    if allowed >= len(others):
        return Figure(0.0, -np.inf)
    barred = np.partition(others, len(others) - 1 - allowed)[len(others) - 1 - allowed]
    threshold = float(np.nextafter(barred, np.inf))
    return Figure(float((mates < threshold).mean()), threshold)
