"""How well a description finds the faces it fits, among faces that nobody described (docs/protocol.md 12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.verification import Figure, Floats
from tgfr_search.types import FloatArray

FIRST = 50
"""Faces of the head of a list that are looked at."""

DENYING = {"beard": "no_beard", "old": "young"}
"""Names for what an attribute denies: a beard is what `no_beard` is not."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Described:
    """A description and what is meant by it.

    Attributes:
        text: The words.
        sex: `male`, `female`, or empty: whose share is the chance.
        has: Attributes that hold; `beard` and `old`, too.
        lacks: Attributes that do not.
    """

    text: str
    sex: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]

    def fits(self, labels: FloatArray) -> Bools:
        """Which faces are as described, the sex apart: bool [N], from labels [N, 40] of 0 and 1."""
        out = np.ones(len(labels), bool)
        for names, wanted in ((self.has, True), (self.lacks, False)):
            for name in names:
                holds = labels[:, ATTRIBUTES.index(DENYING.get(name, name))] == 1
                out &= holds == (wanted != (name in DENYING))
        return out

    def among(self, labels: FloatArray) -> Bools:
        """Faces of the sex that is described: bool [N]; all where none is."""
        male = labels[:, ATTRIBUTES.index("male")] == 1
        chosen: dict[str, Bools] = {"male": male, "female": ~male}
        return chosen.get(self.sex, np.ones(len(labels), bool))


def head_share(scores: Floats, holds: Bools, weights: FloatArray, first: int = FIRST) -> tuple[float, Floats]:
    """The share of the first faces for which something holds, and the same of every resample.

    Args:
        scores: [N], higher is better; ties keep the order of the faces.
        holds: [N].
        weights: How often each face counts: float [R, N].
        first: How many faces are looked at; a face that counts twice takes two places.

    Returns:
        The share, and [R].
    """
    order = np.argsort(-scores, kind="stable")
    ranked, drawn = holds[order].astype(np.float64), weights[:, order].astype(np.float64)
    taken = np.clip(first - (drawn.cumsum(axis=1) - drawn), 0, drawn)
    return float(ranked[:first].mean()), taken @ ranked / np.maximum(taken.sum(axis=1), 1)


def over_chance(
    described: Described, scores: Floats, labels: FloatArray, weights: FloatArray, *, whole: bool = False
) -> dict[str, Interval]:
    """Precision of the head, chance, and (precision − chance) / (1 − chance), each with its interval.

    Args:
        described: What was asked for.
        scores: [N] of the faces.
        labels: [N, 40], 0 and 1.
        weights: [R, N], as `head_share`.
        whole: A face of the other sex is no hit.
    """
    fits, among = described.fits(labels), described.among(labels)
    precision, samples = head_share(scores, fits & among if whole else fits, weights)
    drawn = weights[:, among].astype(np.float64)
    chance = float(fits[among].mean())
    chances = drawn @ fits[among] / np.maximum(drawn.sum(axis=1), 1)
    gain = Figure((precision - chance) / (1 - chance))
    return {
        "precision": Interval.of(Figure(precision), samples),
        "chance": Interval.of(Figure(chance), chances),
        "gain": Interval.of(gain, (samples - chances) / (1 - chances)),
    }


def summary(gains: Mapping[str, Mapping[str, Interval]]) -> dict[str, Interval | int]:
    """The mean gain of every kind of description, and how many are found worse than by chance.

    Args:
        gains: Kind → text → gain.
    """
    means: dict[str, Interval | int] = {kind: Interval.mean(list(own.values())) for kind, own in gains.items()}
    worse = {kind: sum((one.value or 0.0) < 0 for one in own.values()) for kind, own in gains.items()}
    return {**means, **{f"{kind}_worse": count for kind, count in worse.items()}}
