"""The calibration of one mode: its calibrator, what strangers reach by quality, and searches of strangers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from tgfr_search.forensic.correction import Correction
from tgfr_search.forensic.lr import Calibrator, fit
from tgfr_search.forensic.pairs import Floats, Pairs, finite
from tgfr_search.forensic.tail import Tail, tail_of
from tgfr_search.forensic.thresholds import Threshold, threshold_for

BANDS = 5
"""Of quality, each with as many genuine pairs."""

TOPS = 1000
"""Highest scores of strangers' searches that a calibration keeps: enough for any rate that a threshold is set for."""


@dataclass(frozen=True)
class Band:
    """Probes of like quality.

    Attributes:
        low: Lower end of predicted quality.
        high: Upper end.
        people: With a genuine pair in it.
        genuine: Genuine pairs.
        tail: How often strangers reach a score.
    """

    low: float
    high: float
    people: int
    genuine: int
    tail: Tail


@dataclass(frozen=True)
class Strangers:
    """Searches of people who are not enrolled: what a threshold is set from.

    Attributes:
        people: N of their galleries.
        searches: How many there were.
        tops: The highest of their highest scores, falling.
        quality: Mean and spread of the probes' predicted quality.
    """

    people: int
    searches: int
    tops: tuple[float, ...]
    quality: tuple[float, ...]

    def threshold(self, fpir: float, at_people: int | None = None) -> Threshold:
        """See `thresholds.threshold_for`."""
        told = threshold_for(np.array(self.tops), fpir, self.people, at_people=at_people, searches=self.searches)
        return replace(told, quality=(self.quality[0], self.quality[1]))


@dataclass(frozen=True)
class ModeCalibration:
    """The calibrator of one mode with its bands of quality, the worst first, and searches of strangers.

    All of it speaks of corrected scores where there is a correction.
    """

    calibrator: Calibrator
    bands: tuple[Band, ...]
    strangers: Strangers
    people: int
    genuine: int
    impostor: int
    correction: Correction | None = None

    @property
    def quality_range(self) -> tuple[float, float]:
        """Quality that it was fitted on."""
        return self.bands[0].low, self.bands[-1].high

    def band(self, quality: float) -> Band:
        """The band of a quality, or the nearest."""
        return next((band for band in self.bands if quality <= band.high), self.bands[-1])


def strangers_of(tops: Floats, quality: Floats, people: int) -> Strangers:
    """Searches of strangers as a calibration keeps them.

    Args:
        tops: Highest score of each.
        quality: Of their probes.
        people: N of their galleries.
    """
    highest = np.sort(finite(tops, "highest scores"))[::-1][:TOPS]
    kept = tuple(float(f"{each:.6g}") for each in highest)
    return Strangers(people, len(tops), kept, (float(f"{quality.mean():.4g}"), float(f"{quality.std():.4g}")))


def fit_mode(
    pairs: Pairs,
    impostor: tuple[Floats, Floats],
    strangers: Strangers,
    *,
    refits: int,
    seed: int,
    correction: Correction | None = None,
) -> ModeCalibration:
    """Calibrator and bands of one mode.

    Args:
        pairs: To fit on, the impostor pairs thinned or not.
        impostor: Score and quality of ALL impostor pairs: what strangers reach is counted from them.
        strangers: Searches of people who are not enrolled.
        refits: Of the interval.
        seed: Of the resampled people.
        correction: That was made to all these scores.

    Raises:
        InputError: As `lr.fit`.
    """
    calibrator = fit(pairs, refits=refits, seed=seed)
    own = pairs.take(pairs.genuine)
    score, quality = impostor
    edges = np.quantile(own.quality, np.linspace(0, 1, BANDS + 1))
    edges[0], edges[-1] = min(edges[0], quality.min()), max(edges[-1], quality.max())
    bands = []
    for low, high in itertools.pairwise(edges.tolist()):
        inside = (own.quality >= low) & (own.quality <= high)
        tail = tail_of(score[(quality >= low) & (quality <= high)])
        bands.append(Band(low, high, len(np.unique(own.probe[inside])), int(inside.sum()), tail))
    return ModeCalibration(calibrator, tuple(bands), strangers, pairs.people(), len(own), len(score), correction)
