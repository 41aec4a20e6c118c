"""A figure with its 95 % interval and its resamples: means of several, paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tgfr_search.evaluation.verification import Figure, Floats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval and the resampled values behind it, for paired differences.

    Attributes:
        value: Point estimate, a fraction, or None.
        low: Lower limit, or None.
        high: Upper limit, or None.
        reason: Why there is no value.
        samples: float64 [R], or empty.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str
    samples: Floats

    @staticmethod
    def of(figure: Figure, samples: Floats) -> Interval:
        """The percentile interval of the resampled values; resamples without a value are left out."""
        defined = samples[~np.isnan(samples)]
        if figure.value is None or not len(defined):
            return Interval(figure.value, None, None, figure.reason, samples)
        low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(figure.value, float(low), float(high), "", samples)

    @staticmethod
    def mean(intervals: Sequence[Interval]) -> Interval:
        """The mean of several figures of the same resamples, for instance of one rate at several quality levels.

        Raises:
            ValueError: There is none, or they do not have as many resamples.
        """
        lacking = next((one for one in intervals if one.value is None), None)
        if lacking is not None:
            return Interval(None, None, None, lacking.reason, lacking.samples)
        samples = np.mean([one.samples for one in intervals], axis=0)
        return Interval.of(Figure(float(np.mean([one.value for one in intervals]))), samples)

    def minus(self, other: Interval) -> Interval:
        """The paired difference self − other; both must come from the same resamples.

        Raises:
            ValueError: They do not have as many.
        """
        if self.value is None or other.value is None:
            return Interval(None, None, None, self.reason or other.reason, np.empty(0))
        if len(self.samples) != len(other.samples):
            raise ValueError(f"found {len(self.samples)} and {len(other.samples)} resamples, expected the same")
        return Interval.of(Figure(self.value - other.value), self.samples - other.samples)
