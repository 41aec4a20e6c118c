"""How often a stranger scores so high: counted where enough did, extrapolated and marked so beyond."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.forensic.pairs import Bools, Floats, finite

COUNTED = 10
"""Impostor pairs above a score from which its rate is counted."""

POINTS = 24
"""Of a stored tail."""


@dataclass(frozen=True)
class Tail:
    """Rate at which impostor pairs reach a score, by score.

    Attributes:
        scores: K, rising.
        counts: K, how many pairs lie at or above each, from all down to 10.
    """

    scores: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Expected:
    """Strangers expected at or above a score.

    Attributes:
        strangers: Their number among those searched.
        extrapolated: Fewer than 10 impostor pairs lie above the score: the number is a guess beyond what was seen.
    """

    strangers: float
    extrapolated: bool


def tail_of(impostor: Floats) -> Tail:
    """The stored tail of impostor scores.

    Raises:
        InputError: There are fewer than 10, or one is no number.
    """
    values = np.sort(finite(impostor, "impostor scores"))[::-1]
    if len(values) < COUNTED:
        found = f"{len(values)} impostor pairs"
        raise InputError("strangers' scores", found=found, expected=f"{COUNTED} or more")
    wanted = np.unique(np.geomspace(len(values), COUNTED, POINTS).round().astype(np.int64))[::-1]
    at = np.unique(values[wanted - 1])
    counts = len(values) - np.searchsorted(values[::-1], at, side="left")
    return Tail(tuple(at.tolist()), tuple(counts.tolist()))


def expected_strangers(score: float, tail: Tail, searched: float) -> Expected:
    """E = N·P(score ≥ s | stranger): how many of N strangers reach a score.

    Between two stored scores log P is linear, and beyond the last it goes on as over the last tenfold of pairs.

    Args:
        score: s.
        tail: Of strangers' scores at this quality.
        searched: N, people really searched, after filters.

    Raises:
        InputError: The score is NaN or infinite.
    """
    finite(score, "score")
    places, counts = np.array(tail.scores), np.array(tail.counts)
    if score <= places[-1] or len(places) == 1:
        share = np.exp(np.interp(score, places, np.log(counts / counts.max())))
        return Expected(float(searched * share), bool(score > places[-1]))
    first = int(np.argmax(counts <= COUNTED * counts[-1]))
    first = min(first, len(places) - 2)
    slope = math.log(counts[-1] / counts[first]) / (places[-1] - places[first])
    share = counts[-1] / counts.max() * math.exp(slope * (score - places[-1]))
    return Expected(float(searched * share), True)


def crowdedness_ratio(impostor_alarms: Sequence[float] | Floats) -> tuple[float, tuple[float, ...]]:
    """FMR of the most crowded tenth of records over the median tenth's.

    Args:
        impostor_alarms: False match rate of each tenth of the records, the least crowded first.

    Returns:
        The ratio (infinite where the median tenth has none), and the tenths.
    """
    rates = finite(impostor_alarms, "false match rates")
    middle = float(np.median(rates))
    ratio = float(rates[-1]) / middle if middle > 0 else (math.inf if rates[-1] > 0 else 1.0)
    return ratio, tuple(rates.tolist())


def crowdedness(scores: Floats, own: Bools, fmr: float, crowd: Floats) -> tuple[float, tuple[float, ...]]:
    """Records in ten equal groups by how crowded they are, and how often strangers reach the global threshold there.

    A differential that needs no labels of groups: strangers with high scores crowd around some records.

    Args:
        scores: [P, G], NaN where a pair is none.
        own: bool [P, G], genuine pairs.
        fmr: Global false match rate that the threshold is set for, with at least 10 pairs above it.
        crowd: [G], how crowded a record is (mean of its highest scores against a cohort).

    Raises:
        InputError: Fewer than 10 pairs would lie above, or there are fewer than 10 records.
    """
    valid = np.isfinite(scores) & ~own
    others = scores[valid]
    need = math.ceil(COUNTED / fmr)
    if len(others) < need or scores.shape[1] < 10:
        found = f"{len(others):,} impostor pairs of {scores.shape[1]} records"
        raise InputError("crowdedness", found=found, expected=f"{need:,} pairs of 10 records or more")
    threshold = np.quantile(others, 1 - fmr)
    groups = np.array_split(np.argsort(crowd, kind="stable"), 10)
    hit = (scores >= threshold) & valid
    return crowdedness_ratio([hit[:, g].sum() / max(valid[:, g].sum(), 1) for g in groups])
