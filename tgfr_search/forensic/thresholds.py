"""A threshold for a stated rate of false alarms in a search, set only where enough searches show it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.forensic.pairs import Floats, finite

NEEDED = 10
"""False alarms that the searches must expect."""

TESTED = (0.9, 1.1)
"""Sizes of a gallery, in those that a threshold was set with, up to which its scaling needs no warning."""


@dataclass(frozen=True)
class Threshold:
    """A score at or above which a first candidate is reported.

    Attributes:
        score: The threshold.
        fpir: False positive identification rate that it is for.
        people: N of the galleries that are to be searched with it.
        searches: Non-mated searches behind it.
        tested_people: N of those searches.
        quality: Mean and spread of the probes' predicted quality.
        warning: What a reader must know; empty where nothing.
    """

    score: float
    fpir: float
    people: int
    searches: int
    tested_people: int
    quality: tuple[float, float] = field(default=(math.nan, math.nan))
    warning: str = ""

    @property
    def fmr(self) -> float:
        """Rate of one comparison with a stranger: 1 − (1 − FPIR)^(1/N)."""
        return -math.expm1(math.log1p(-self.fpir) / self.people)


def threshold_for(
    tops: Floats,
    fpir: float,
    people: int,
    *,
    at_people: int | None = None,
    searches: int | None = None,
    quality: Floats | None = None,
    tested: tuple[float, float] = TESTED,
) -> Threshold:
    """The smallest threshold that keeps the false alarms of searches at or below a rate.

    For a gallery of another size the rate is scaled by 1 − (1 − FMR)^N, as if comparisons were independent.

    Args:
        tops: Highest score of each non-mated search; or the highest of these alone.
        fpir: Asked for, between 0 and 1.
        people: N of those searches.
        at_people: N of the searches to come; None is the same.
        searches: How many there were, where `tops` holds but the highest of them.
        quality: Predicted quality of each probe.
        tested: Range of sizes, in N, for which the scaling was tested.

    Raises:
        InputError: The searches are too few for this rate: it says how many are needed.
    """
    if not 0 < fpir < 1:
        raise InputError("--fpir", found=f"{fpir:g}", expected="a rate above 0 and below 1")
    if people < 1 or (at_people is not None and at_people < 1):
        raise InputError("size of the gallery", found=f"{min(people, at_people or people)}", expected="1 or more")
    values = finite(tops, "highest scores")
    target = people if at_people is None else at_people
    # P(top of N ≤ t) = P(top of n ≤ t)^(N/n): the rate that the searches at hand must be held to.
    rate = -math.expm1(math.log1p(-fpir) * people / target)
    needed, count = math.ceil(NEEDED / rate), len(values) if searches is None else searches
    if count < needed:
        raise InputError(
            f"--fpir {fpir:g}",
            found=f"{count:,} searches of people who are not enrolled",
            expected=f"{needed:,}, so that 10 false alarms are seen",
            do="ask for a higher rate, or give more probes of people who are not enrolled",
        )
    allowed = math.floor(count * rate + 1e-9)
    if allowed >= len(values):
        found = f"the {len(values):,} highest of {count:,} searches, and {allowed:,} false alarms allowed"
        raise InputError(f"--fpir {fpir:g}", found=found, expected="a lower rate, or a smaller gallery")
    barred = np.sort(values)[::-1][allowed]
    score = float(np.nextafter(barred, np.inf))
    ratio, warning = target / people, ""
    if not tested[0] <= ratio <= tested[1]:
        warning = f"set with galleries of {people} people and scaled to {target}, which was not tested"
    spread = (math.nan, math.nan) if quality is None else (float(quality.mean()), float(quality.std()))
    return Threshold(score, fpir, target, count, people, spread, warning)


def seen_at(tops: Floats, mates: Floats, threshold: float) -> tuple[float, float]:
    """FPIR and FNIR that a threshold set elsewhere has here.

    Args:
        tops: Highest score of each non-mated search.
        mates: Score of the own person in each mated search.
        threshold: The score.
    """
    alarms, missed = finite(tops, "highest scores") >= threshold, finite(mates, "mated scores") < threshold
    return (
        float(alarms.mean()) if len(alarms) else math.nan,
        float(missed.mean()) if len(missed) else math.nan,
    )
