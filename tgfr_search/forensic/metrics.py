"""How good likelihood ratios are: Cllr and its parts, devPAV, ECE and Tippett curves. All of log10 LR.

Definitions are those of Brümmer & du Preez 2006 (Cllr), Ramos & Gonzalez-Rodriguez 2013 (ECE) and Vergeer et al. 2021
(devPAV); the tests hold the numbers against those of `lir` 1.3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.forensic.bounds import above
from tgfr_search.forensic.pairs import Floats, Ints

MISLEADING = (1.0, 10.0, 100.0, 1000.0)
"""LRs whose rate under the wrong proposition is told."""

ECE_PRIORS = np.linspace(-3.0, 3.0, 61)
"""log10 prior odds of the ECE curve."""

LN10 = math.log(10.0)


def cllr(genuine: Floats, impostor: Floats) -> float:
    """Log likelihood ratio cost: 0 is perfect, 1 is what LR = 1 for everybody costs.

    Args:
        genuine: log10 LR of pairs under H1, infinities allowed.
        impostor: Of pairs under H2.

    Raises:
        InputError: A class is empty or holds NaN.
    """
    _check(genuine, impostor)
    return float((_cost(-genuine).mean() + _cost(impostor).mean()) / 2)


def pav(genuine: Floats, impostor: Floats) -> tuple[Floats, Floats]:
    """log10 LRs of both classes after pool-adjacent-violators: the best that any monotone recalibration could give.

    Both classes count the same. The ends may be infinite.
    """
    from scipy.optimize import isotonic_regression

    _check(genuine, impostor)
    values = np.concatenate([genuine, impostor])
    n1, n0 = len(genuine), len(impostor)
    weight = np.concatenate([np.full(n1, n0 / (n1 + n0)), np.full(n0, n1 / (n1 + n0))])
    places, at = np.unique(values, return_inverse=True)
    total = np.bincount(at, weight)
    own = np.bincount(at[:n1], weight[:n1], minlength=len(places))
    p = np.clip(isotonic_regression(own / total, weights=total).x, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        log10 = (np.log10(p) - np.log10(1 - p))[at]
    return log10[:n1], log10[n1:]


def cllr_min(genuine: Floats, impostor: Floats) -> float:
    """Cllr after PAV: what is lost to poor discrimination. `cllr − cllr_min` (Cllr_cal) is lost to poor calibration."""
    return cllr(*pav(genuine, impostor))


def devpav(genuine: Floats, impostor: Floats) -> float:
    """Mean distance, in log10 LR, of the PAV curve from the identity, over the range where PAV is finite.

    Returns:
        NaN where the classes do not overlap at all, infinity where an infinite LR misleads.
    """
    x = np.concatenate([genuine, impostor])
    y = np.concatenate(pav(genuine, impostor))
    x, first = np.unique(x, return_index=True)
    y = y[first]
    flat_low, flat_high = y[0] > -np.inf, y[-1] < np.inf
    if (flat_low and x[0] == -np.inf) or (flat_high and x[-1] == np.inf):
        return math.inf
    inside = np.isfinite(y)
    x, y = x[inside], y[inside]
    if len(x) < 2:
        return float(abs(x[0] - y[0])) if len(x) else math.nan
    # y − x is linear between neighbours: its absolute integral, with a triangle on either side of a crossing.
    left, right, width = y[:-1] - x[:-1], y[1:] - x[1:], np.diff(x)
    crosses = left * right < 0
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (left**2 + right**2) / (2 * (np.abs(left) + np.abs(right)))
    area = np.where(crosses, crossing, (np.abs(left) + np.abs(right)) / 2) * width
    return float(area.sum() / (x[-1] - x[0]))


@dataclass(frozen=True)
class EceCurve:
    """Empirical cross-entropy by prior; a lower curve is better.

    Attributes:
        prior: log10 prior odds [K].
        system: Of the LRs as they are [K].
        calibrated: After PAV [K].
        neutral: Of LR = 1 [K]; a system above it does harm at that prior.
    """

    prior: Floats
    system: Floats
    calibrated: Floats
    neutral: Floats


def ece_curve(genuine: Floats, impostor: Floats, prior: Floats = ECE_PRIORS) -> EceCurve:
    """Empirical cross-entropy of log10 LRs at some log10 prior odds."""
    _check(genuine, impostor)
    none = np.zeros(1)
    best = pav(genuine, impostor)
    rows = [[_ece(*pair, float(at)) for at in prior] for pair in ((genuine, impostor), best, (none, none))]
    return EceCurve(np.asarray(prior), *(np.array(row) for row in rows))


@dataclass(frozen=True)
class Tippett:
    """Shares of LRs above each point, and how often they mislead.

    Attributes:
        log10: Points [K].
        genuine: Share of H1 pairs with an LR above [K].
        impostor: Share of H2 pairs [K].
        misleading: k → (P(LR > k | stranger), P(LR < 1/k | same person)).
    """

    log10: Floats
    genuine: Floats
    impostor: Floats
    misleading: dict[float, tuple[float, float]]


def tippett(genuine: Floats, impostor: Floats, points: int = 121) -> Tippett:
    """Tippett curves between the lowest and the highest finite LR."""
    _check(genuine, impostor)
    both = np.concatenate([genuine, impostor])
    both = both[np.isfinite(both)]
    at = np.linspace(both.min(), both.max(), points) if len(both) else np.zeros(points)
    rates = {k: misleading_rates(genuine, impostor, k) for k in MISLEADING}
    return Tippett(at, above(genuine, at), above(impostor, at), rates)


def misleading_rates(genuine: Floats, impostor: Floats, k: float) -> tuple[float, float]:
    """P(LR > k | stranger), which no calibrated system lets exceed 1/k, and P(LR < 1/k | same person)."""
    limit = math.log10(k)
    return float((impostor > limit).mean()), float((genuine < -limit).mean())


def resampled_cllr(genuine: Floats, impostor: Floats, who: tuple[Ints, Ints, Ints], weights: Floats) -> Floats:
    """Cllr of every resample of people, [R]; a pair of people a ≠ b counts w_a·w_b times, a genuine one w_a times.

    Args:
        genuine: log10 LR.
        impostor: log10 LR.
        who: Person of each genuine pair, of each impostor pair's probe and record; numbers 0 … S − 1.
        weights: [R, S].
    """
    own, probe, record = (np.asarray(column, np.int64) for column in who)
    people = weights.shape[1]
    w = weights.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = (w @ np.bincount(own, _cost(-genuine), people)) / (w @ np.bincount(own, minlength=people))
        cell = probe * people + record
        cost = np.bincount(cell, _cost(impostor), people * people).reshape(people, people)
        count = np.bincount(cell, minlength=people * people).reshape(people, people)
        second = ((w @ cost) * w).sum(1) / ((w @ count) * w).sum(1)
    return np.asarray((first + second) / 2)


def _cost(against: Floats) -> Floats:
    """log2(1 + 10**against), exact at both infinities."""
    return np.asarray(np.logaddexp(0.0, np.asarray(against, np.float64) * LN10) / math.log(2))


def _ece(genuine: Floats, impostor: Floats, prior: float) -> float:
    p = 1 / (1 + 10**-prior)
    return float(p * _cost(-(genuine + prior)).mean() + (1 - p) * _cost(impostor + prior).mean())


def _check(genuine: Floats, impostor: Floats) -> None:
    for name, values in (("genuine", genuine), ("impostor", impostor)):
        if not len(values) or np.isnan(values).any():
            found = f"{int(np.isnan(values).sum())} NaN" if len(values) else "no pair"
            raise InputError(f"log10 LR of {name} pairs", found=found, expected="numbers, at least one")
