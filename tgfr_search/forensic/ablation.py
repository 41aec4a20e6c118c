"""What a correction of scores does to searches: persons missed at one rate of false alarms, with and without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tgfr_search.forensic.pairs import Floats, Ints, finite

INTERVAL = 0.95


@dataclass(frozen=True)
class Searched:
    """Searches with one kind of score.

    Attributes:
        tops: [P], highest score of each search of a person who is not enrolled.
        strangers: [P], number of each such person.
        mates: [M], score of the own person in each other search.
        people: [M], number of that person.
    """

    tops: Floats
    strangers: Ints
    mates: Floats
    people: Ints

    def missed(self, fpir: float, weights: Floats) -> Floats:
        """FNIR where the threshold keeps false alarms at or below a rate, for R resamples of people: [R].

        Args:
            fpir: The rate.
            weights: [R, S], how often each person was drawn.
        """
        order = np.argsort(-finite(self.tops, "highest scores"), kind="stable")
        tops, drawn = self.tops[order], weights[:, self.strangers[order]]
        alarms = np.cumsum(drawn, axis=1)
        # the first search that must not be reported; ties with it are not either
        at = (alarms <= fpir * alarms[:, -1:] + 1e-9).sum(axis=1)
        limit = tops[np.minimum(at, len(tops) - 1)]
        own = weights[:, self.people]
        return np.asarray(
            (own * (self.mates[None, :] <= limit[:, None])).sum(axis=1) / np.maximum(own.sum(axis=1), 1e-12)
        )


def typicality_record(
    level: str, mode: str, off: Searched, on: Searched, weights: Floats, fpir: float
) -> dict[str, Any]:
    """FNIR without and with the cohort's terms, and the paired difference with its interval over people.

    Args:
        level: Of the quality ladder.
        mode: Name of a calibration's mode.
        off: Searches with plain scores.
        on: The same searches with corrected ones.
        weights: [R, S], resamples of people.
        fpir: At which both thresholds are set, each on its own scores.
    """
    whole = np.ones((1, weights.shape[1]))
    before, after = (float(each.missed(fpir, whole)[0]) for each in (off, on))
    saved = off.missed(fpir, weights) - on.missed(fpir, weights)
    low, high = np.quantile(saved, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return {
        "level": level,
        "mode": mode,
        "fpir": fpir,
        "fnir_off": before,
        "fnir_on": after,
        "saved": before - after,
        "saved_low": float(low),
        "saved_high": float(high),
        "searches": len(off.mates),
    }
