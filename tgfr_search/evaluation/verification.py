"""Verification (1:1): FAR, TAR, EER and DET from genuine and impostor scores.

Higher scores mean more alike. A comparison is accepted when its score is at or above the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MIN_FALSE_ACCEPTS = 10
"""A FAR is reported only where it expects at least this many false accepts (docs/protocol.md 3)."""

Scores = npt.NDArray[np.floating]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, or the reason why there is none.

    Attributes:
        value: A fraction between 0 and 1, or None.
        threshold: The score it was measured at, where that has a meaning.
        reason: Why `value` is None; empty otherwise.
    """

    value: float | None
    threshold: float | None = None
    reason: str = ""


def check_scores(scores: Scores, name: str) -> Floats:
    """The scores as float64.

    Raises:
        ValueError: They are not one-dimensional or hold NaN; a NaN has no place in an order.
    """
    out = np.asarray(scores, dtype=np.float64)
    if out.ndim != 1:
        raise ValueError(f"{name}: found shape {out.shape}, expected one dimension")
    if np.isnan(out).any():
        raise ValueError(f"{name}: found {int(np.isnan(out).sum())} NaN, expected numbers")
    return out


def far_threshold(impostor: Scores, far: float) -> Figure:
    """The smallest threshold that keeps the false accept rate at or below `far`.

    Args:
        impostor: All impostor scores.
        far: Target, above 0 and at most 1.

    Returns:
        `threshold`, and as `value` the FAR it really has; or the reason why there is none.
    """
    scores = check_scores(impostor, "impostor scores")
    expected = len(scores) * far
    if expected < MIN_FALSE_ACCEPTS:
        reason = f"{len(scores):,} impostor pairs expect {expected:.1f} false accepts at {far:g}, fewer than 10"
        return Figure(None, reason=reason)
    allowed = int(np.floor(expected + 1e-9))
    if allowed >= len(scores):
        return Figure(1.0, float(scores.min()))
    # The first score that may no longer be accepted; the threshold lies just above it, whatever ties there are.
    barred = np.partition(scores, len(scores) - 1 - allowed)[len(scores) - 1 - allowed]
    threshold = float(np.nextafter(barred, np.inf))
    return Figure(float((scores >= threshold).mean()), threshold)


def tar_at_far(genuine: Scores, impostor: Scores, far: float) -> Figure:
    """True accept rate at the smallest threshold whose FAR does not exceed the target.

    Args:
        genuine: All genuine scores.
        impostor: All impostor scores.
        far: Target FAR.
    """
    scores = check_scores(genuine, "genuine scores")
    if not len(scores):
        return Figure(None, reason="no genuine pair")
    at = far_threshold(impostor, far)
    if at.threshold is None:
        return at
    return Figure(float((scores >= at.threshold).mean()), at.threshold)


def det_curve(genuine: Scores, impostor: Scores) -> tuple[Floats, Floats, Floats]:
    """FAR and FRR at every distinct threshold.

    Returns:
        far, frr, thresholds, by rising threshold; the last threshold is +inf (nothing accepted).

    Raises:
        ValueError: One class is empty.
    """
    g, i = np.sort(check_scores(genuine, "genuine scores")), np.sort(check_scores(impostor, "impostor scores"))
    if not len(g) or not len(i):
        raise ValueError(f"found {len(g)} genuine and {len(i)} impostor scores, expected some of both")
    thresholds = np.append(np.union1d(g, i), np.inf)
    far = 1.0 - np.searchsorted(i, thresholds, side="left") / len(i)
    frr = np.searchsorted(g, thresholds, side="left") / len(g)
    return far, frr, thresholds


def crossing(far: Floats, frr: Floats) -> float:
    """Where the two error rates meet, linear between the two neighbouring operating points.

    Args:
        far: Falling, [..., K] is not supported: one curve.
        frr: Rising, same length.
    """
    above = np.flatnonzero(frr >= far)
    if not len(above):
        return float((far[-1] + frr[-1]) / 2)
    at = int(above[0])
    if at == 0:
        return float((far[0] + frr[0]) / 2)
    gap_before, gap_after = far[at - 1] - frr[at - 1], frr[at] - far[at]
    share = gap_before / (gap_before + gap_after)
    return float(frr[at - 1] + share * (frr[at] - frr[at - 1]))


def eer(genuine: Scores, impostor: Scores) -> Figure:
    """Equal error rate: where FAR and FRR meet, linear between neighbouring thresholds."""
    if not len(genuine) or not len(impostor):
        return Figure(None, reason="no genuine pair" if not len(genuine) else "no impostor pair")
    far, frr, thresholds = det_curve(genuine, impostor)
    at = int(np.flatnonzero(frr >= far)[0])
    return Figure(crossing(far, frr), float(thresholds[at]))
