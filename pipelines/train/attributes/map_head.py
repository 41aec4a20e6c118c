"""A linear head that reads attributes off averaged maps: ridge on standardised columns, chosen by folds of people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

from tgfr_search.types import FloatArray

Floats = npt.NDArray[np.float64]

SEED, FOLDS = 0, 4
ALPHAS = (1.0, 3.0, 10.0)
"""Of the ridge over standardised columns that are divided by the root of their number."""
LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class Head:
    """A ridge on standardised columns, to labels in units of their spread.

    Attributes:
        alpha: Chosen by folds of people.
        held_out: float64 [N, A], of each train face by the fold that has not seen the person.
        mean: [P] of the columns.
        spread: [P], times the root of P.
        weights: [P, A].
    """

    alpha: float
    held_out: Floats
    mean: FloatArray
    spread: FloatArray
    weights: FloatArray

    def __call__(self, columns: Sequence[npt.NDArray[Any]]) -> Floats:
        """Outputs [M, A] of other faces, from the same columns in the same order."""
        x = np.concatenate(columns, axis=1).astype(np.float32)
        return np.asarray(((x - self.mean) / self.spread) @ self.weights, np.float64)


def fit_head(
    columns: Sequence[npt.NDArray[Any]],
    labels: Floats,
    subjects: Sequence[str],
    judge: Callable[[Floats], float],
    alphas: Sequence[float] = ALPHAS,
) -> Head:
    """Fits a head on train faces; of `alphas` the one that is best on faces of people whom the fold has not seen.

    Args:
        columns: Arrays of N rows, side by side.
        labels: [N, A] of 0 and 1; NaN where the data do not say counts as the mean.
        subjects: N people.
        judge: How good outputs [N, A] are; higher is better.
        alphas: Of the ridge.
    """
    x = np.concatenate(columns, axis=1).astype(np.float32)
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), LEAST_SPREAD) * np.float32(np.sqrt(x.shape[1]))
    x -= mean
    x /= spread
    gram = x @ x.T
    share = np.nanmean(labels, axis=0)
    spread_of = np.sqrt(np.maximum(share * (1 - share), LEAST_SPREAD))
    wanted = ((np.where(np.isnan(labels), share, labels) - share) / spread_of).astype(np.float32)
    people = np.unique(np.asarray(subjects), return_inverse=True)[1]
    fold = np.random.default_rng([SEED, 41]).integers(FOLDS, size=people.max() + 1)[people]
    held: dict[float, Floats] = {}
    for alpha in alphas:
        held[alpha] = np.empty(labels.shape)
        for own in range(FOLDS):
            there, out = fold != own, fold == own
            held[alpha][out] = gram[np.ix_(out, there)] @ _solved(gram[np.ix_(there, there)], alpha, wanted[there])
    best = max(alphas, key=lambda alpha: judge(held[alpha]))
    return Head(best, held[best], mean, spread, x.T @ _solved(gram, best, wanted))


def _solved(gram: FloatArray, alpha: float, wanted: FloatArray) -> FloatArray:
    raised = gram + np.float32(alpha) * np.eye(len(gram), dtype=np.float32)
    return np.asarray(solve(raised, wanted, assume_a="pos", overwrite_a=True, check_finite=False), np.float32)
