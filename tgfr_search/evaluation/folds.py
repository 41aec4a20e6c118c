"""Verification of listed pairs in folds, each judged at a threshold that the others chose (LFW's protocol)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tgfr_search.evaluation.verification import Floats, Scores, check_scores, far_threshold


@dataclass(frozen=True, slots=True)
class FoldFigure:
    """A rate measured in every fold.

    Attributes:
        value: Mean over the folds, a fraction; None where there is none.
        error: Standard error of that mean, s / √K over K folds.
        reason: Why there is no value.
    """

    value: float | None
    error: float | None
    reason: str = ""

    @staticmethod
    def of(rates: Sequence[float]) -> FoldFigure:
        """The mean of K ≥ 2 rates and its standard error."""
        values = np.asarray(rates, dtype=np.float64)
        return FoldFigure(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def best_threshold(scores: Scores, genuine: npt.NDArray[np.bool_]) -> float:
    """The threshold with the highest accuracy, midway between the two scores it parts; the middle one of several.

    A pair is accepted at or above it.
    """
    values = check_scores(scores, "scores")
    edges = np.unique(values)
    between = np.concatenate([[edges[0]], (edges[1:] + edges[:-1]) / 2, [np.nextafter(edges[-1], np.inf)]])
    rejected_genuine = np.searchsorted(np.sort(values[genuine]), between, side="left")
    accepted_impostors = (~genuine).sum() - np.searchsorted(np.sort(values[~genuine]), between, side="left")
    wrong = rejected_genuine + accepted_impostors
    best = np.flatnonzero(wrong == wrong.min())
    return float(between[best[len(best) // 2]])


def fold_accuracy(folds: Sequence[tuple[Scores, npt.NDArray[np.bool_]]]) -> FoldFigure:
    """Accuracy, the threshold of each fold chosen on all others.

    Args:
        folds: (scores, whether genuine) of each fold.
    """
    if len(folds) < 2:
        return FoldFigure(None, None, "one fold: there is nothing to choose a threshold on")
    rates = []
    for held, (scores, genuine) in enumerate(folds):
        threshold = best_threshold(*_others(folds, held))
        rates.append(float(((scores >= threshold) == genuine).mean()))
    return FoldFigure.of(rates)


def fold_tar(folds: Sequence[tuple[Scores, npt.NDArray[np.bool_]]], far: float) -> FoldFigure:
    """True accept rate at the threshold whose false accept rate on all other folds does not exceed the target.

    Args:
        folds: (scores, whether genuine) of each fold, some genuine pairs in each.
        far: Target; a figure is given only where the other folds expect ten false accepts.
    """
    if len(folds) < 2:
        return FoldFigure(None, None, "one fold: there is nothing to choose a threshold on")
    rates = []
    for held, (scores, genuine) in enumerate(folds):
        others, labels = _others(folds, held)
        at = far_threshold(others[~labels], far)
        if at.threshold is None:
            return FoldFigure(None, None, at.reason)
        rates.append(float((scores[genuine] >= at.threshold).mean()))
    return FoldFigure.of(rates)


def _others(folds: Sequence[tuple[Scores, npt.NDArray[np.bool_]]], held: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    rest = [fold for at, fold in enumerate(folds) if at != held]
    return np.concatenate([scores for scores, _ in rest]), np.concatenate([genuine for _, genuine in rest])
