"""How far a likelihood ratio may be claimed: the data's own limits, the tightest of three."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tgfr_search.forensic.pairs import Bools, Floats

STEP = 0.01
"""Of the grid of log10 LR on which ELUB looks."""

EXTREME = 9.0
"""No log10 LR counts for more when the bounds are looked for."""

DIGITS = 1e9
"""Bounds are rounded towards 0 to one part of this: none is wider than it may be."""


@dataclass(frozen=True)
class Bounds:
    """Limits of log10 LR; `low` ≤ 0 ≤ `high`."""

    low: float
    high: float


def bounds_of(log10: Floats, genuine: Bools, weight: Floats, people: int) -> Bounds:
    """The tightest of ELUB, [1/N, N] and the rule of three.

    N people say nothing about a coincidence rarer than one in N. The rule of three: what was seen in none of n pairs
    may have a rate of 3/n, so n impostor pairs carry no LR above n/3, and n genuine ones none below 3/n.

    Args:
        log10: [N], unbounded.
        genuine: [N].
        weight: [N], how many pairs each stands for.
        people: Calibrated on.
    """
    low, high = elub(log10[genuine], log10[~genuine], weight[genuine], weight[~genuine])
    own, other = float(weight[genuine].sum()), float(weight[~genuine].sum())
    low = max(low, -math.log10(people), -math.log10(max(own / 3, 1.0)))
    high = min(high, math.log10(people), math.log10(max(other / 3, 1.0)))
    return Bounds(min(math.ceil(low * DIGITS) / DIGITS, 0.0), max(math.floor(high * DIGITS) / DIGITS, 0.0))


def elub(
    genuine: Floats, impostor: Floats, genuine_weight: Floats | None = None, impostor_weight: Floats | None = None
) -> tuple[float, float]:
    """Empirical lower and upper bound of log10 LR (Vergeer et al. 2016): where a system still beats none.

    One misleading pair is added to either class. Between the bounds the expected utility at any threshold is no worse
    than that of LR = 1 for everybody.

    Args:
        genuine: log10 LR under H1.
        impostor: log10 LR under H2.
        genuine_weight: How many pairs each stands for; ones if None.
        impostor_weight: Likewise.

    Returns:
        Lower (≤ 0) and upper bound (≥ 0).
    """
    own, other = np.clip(genuine, -EXTREME, EXTREME), np.clip(impostor, -EXTREME, EXTREME)
    n1 = float(len(own) if genuine_weight is None else genuine_weight.sum())
    n0 = float(len(other) if impostor_weight is None else impostor_weight.sum())
    low = max(min(own.min(), other.min()), -math.log10(n1 + 1))
    high = min(max(own.max(), other.max()), math.log10(n0 + 1))
    steps_low = min(0, int(np.floor_divide(low, STEP)))
    steps_high = max(0, int(np.floor_divide(high, STEP)) + 1)
    grid = np.linspace(steps_low * STEP, steps_high * STEP, steps_high - steps_low + 1)
    odds = 10**grid
    missed = 1 - above(10**own, odds, genuine_weight) * n1 / (n1 + 1)
    alarms = (above(10**other, odds, impostor_weight) * n0 + 1) / (n0 + 1)
    system = missed + odds * alarms
    neutral = 1 - (odds < 1.0) + odds * (odds < 1.0)
    worse = neutral / system < 1
    left, right = grid[(grid <= 0) & worse], grid[(grid >= 0) & worse]
    lower = float(np.max(left + STEP, initial=grid.min()))
    upper = float(np.min(right - STEP, initial=grid.max()))
    return min(lower, 0.0), max(upper, 0.0)


def above(values: Floats, at: Floats, weight: Floats | None = None) -> Floats:
    """Share of the values above each of some points, [K]."""
    order = np.argsort(values, kind="stable")
    places = np.searchsorted(values[order], at, side="right")
    if weight is None:
        return np.asarray((len(values) - places) / len(values))
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    return np.asarray((total[-1] - total[places]) / total[-1])
