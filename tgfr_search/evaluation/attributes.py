"""How good predicted attributes are, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.types import FloatArray

Floats = npt.NDArray[np.float64]

LEAST_STATED = 20
"""An attribute must be stated of so many faces for its precision to be believed."""


def smallest_threshold(p: Floats, truth: npt.NDArray[np.bool_], precision: float) -> float | None:
    """The smallest threshold from which on statements `p ≥ threshold` are right at least `precision` of the time.

    Returns:
        None where no threshold with `LEAST_STATED` statements is.
    """
    if len(p) < LEAST_STATED:
        return None
    order = np.argsort(-p, kind="stable")
    right = np.cumsum(truth[order]) / np.arange(1, len(p) + 1)
    last_of_tie = np.append(p[order][1:] != p[order][:-1], True)
    good = np.flatnonzero(last_of_tie & (right >= precision) & (np.arange(1, len(p) + 1) >= LEAST_STATED))
    return float(p[order][good[-1]]) if len(good) else None


def attribute_figures(
    probabilities: FloatArray,
    truth: FloatArray,
    thresholds: Mapping[str, Sequence[float | None]],
    base_rates: Mapping[str, float],
) -> dict[str, Any]:
    """How good predictions and statements are.

    Args:
        probabilities: float32 [N, 40], calibrated, in the order of `ATTRIBUTES`.
        truth: As `labels_of`.
        thresholds: Of statements.
        base_rates: Share of train faces of every attribute: at that probability balanced accuracy is taken.

    Returns:
        `balanced_accuracy` and `share` of faces, of every attribute; their `mean_balanced_accuracy`;
        `calibration_error` (expected, ten bins, over all attributes); of all statements the `precision`, of all true
        attributes that may be spoken of the `recall`, and `stated`, their number a face.
    """
    balanced, shares, p, t = {}, {}, [], []
    right = said = could = 0
    for at, name in enumerate(ATTRIBUTES):
        known = ~np.isnan(truth[:, at])
        own, holds = probabilities[known, at], truth[known, at] == 1
        p.append(own)
        t.append(holds)
        if holds.any() and not holds.all():
            high = own >= base_rates[name]
            balanced[name] = float((high[holds].mean() + (~high)[~holds].mean()) / 2)
            shares[name] = float(holds.mean())
        yes, no = thresholds[name]
        if yes is not None:
            right, said = right + int(holds[own >= yes].sum()), said + int((own >= yes).sum())
            could += int(holds.sum())
        if no is not None:
            right, said = right + int((~holds)[own <= no].sum()), said + int((own <= no).sum())
            could += int((~holds).sum())
    every, hold = np.concatenate(p), np.concatenate(t)
    bins = np.minimum((every * 10).astype(int), 9)
    error = sum(
        abs(float(every[bins == b].mean() - hold[bins == b].mean())) * float((bins == b).mean())
        for b in range(10)
        if (bins == b).any()
    )
    return {
        "mean_balanced_accuracy": float(np.mean(list(balanced.values()))) if balanced else None,
        "calibration_error": error,
        "precision": right / said if said else None,
        "recall": right / could if could else None,
        "stated": said / len(truth),
        "balanced_accuracy": balanced,
        "share": shares,
    }
