"""The arithmetic of directions of attributes: ridge, calibration, usual phrasing, and what probabilities are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.types import FloatArray
from tgfr_search.words.phrasing import word_pairs

Floats = npt.NDArray[np.float64]

RARE = 4e-4
"""Of all lines: pairs of words that are in fewer are no part of the phrasing that the text encoder was taught."""
PRIOR = 1.0
"""Weight of a calibration's prior, which is the uncalibrated log odds of the share of faces that have the attribute."""


def ridge(
    rows: dict[str, FloatArray], blocks: Sequence[str], labels: Floats, alpha: float
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Directions by ridge regression, in units of each label's spread.

    Args:
        rows: Block → [N, dimension].
        blocks: Which of them are read.
        labels: [N, A] of 0 and 1; NaN where the data do not say counts as the mean.
        alpha: Weight of the penalty.

    Returns:
        Block → [A, dimension], and what they give on average [A].
    """
    x = np.concatenate([rows[name] for name in blocks], axis=1).astype(np.float64)
    share = np.nanmean(labels, axis=0)
    y = np.where(np.isnan(labels), share, labels)
    centre = x.mean(axis=0)
    apart = x - centre
    fitted = np.linalg.solve(apart.T @ apart + alpha * np.eye(x.shape[1]), apart.T @ (y - share)).T
    # An attribute that no face has, or all have, is no direction.
    spread = np.sqrt(share * (1 - share))[:, None]
    fitted = (
        np.divide(fitted, spread, out=np.zeros_like(fitted), where=spread > 0).astype(np.float16).astype(np.float64)
    )
    ends = np.cumsum([rows[name].shape[1] for name in blocks])[:-1]
    weights = {name: part.astype(np.float32) for name, part in zip(blocks, np.split(fitted, ends, axis=1), strict=True)}
    return weights, (fitted @ centre).astype(np.float32)


def phrasing(lines: Iterable[str]) -> frozenset[str]:
    """Pairs of words that are usual in some lines."""
    counts, total = Counter[str](), 0
    for line in lines:
        counts.update(set(word_pairs(line)))
        total += 1
    return frozenset(pair for pair, count in counts.items() if count >= max(2, RARE * total))


def calibrate(z: Floats, quality: npt.NDArray[np.floating], truth: Floats) -> tuple[float, float, float, float]:
    """(a, b, c, d) of P(holds) = σ((a + b·q)·z + c + d·q), by maximum likelihood; unknown labels are left out.

    Args:
        z: [N] of one attribute.
        quality: [N], predicted.
        truth: [N] of 0, 1, NaN.
    """
    known = ~np.isnan(truth)
    q, x, y = quality[known].astype(np.float64), z[known], truth[known]
    design = np.stack([x, q * x, np.ones_like(x), q], axis=1)
    share = float(np.clip(y.mean(), 1e-3, 1 - 1e-3)) if len(y) else 0.5
    prior = np.array([0.0, 0.0, np.log(share / (1 - share)), 0.0])

    def loss(own: Floats) -> tuple[float, Floats]:
        logits, apart = design @ own, own - prior
        value = np.logaddexp(0, logits).sum() - y @ logits + PRIOR / 2 * (apart @ apart)
        return float(value), design.T @ (expit(logits) - y) + PRIOR * apart

    fit = minimize(loss, prior, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    a, b, c, d = fit.tolist()
    return a, b, c, d


def figures_of(probabilities: Floats, truth: Floats) -> dict[str, Any]:
    """What calibrated probabilities are worth: `share`, `auc` and `brier_gain` over the share, each by attribute."""
    out: dict[str, Any] = {"share": {}, "auc": {}, "brier_gain": {}}
    for at, name in enumerate(ATTRIBUTES):
        known = ~np.isnan(truth[:, at])
        p, y = probabilities[known, at], truth[known, at]
        share = float(y.mean()) if len(y) else 0.0
        rank = np.argsort(np.argsort(p)) + 1.0
        yes, no = float(y.sum()), float((1 - y).sum())
        auc = (float(rank[y == 1].sum()) - yes * (yes + 1) / 2) / (yes * no) if yes and no else None
        base = share * (1 - share)
        gain = 1 - float(((p - y) ** 2).mean()) / base if base else None
        shown = {"share": share, "auc": auc, "brier_gain": gain}
        for kind, value in shown.items():
            out[kind][name] = None if value is None else round(value, 4)
    return out
