"""Scored pairs of a probe and a record, with the people behind them: what a calibrator is fitted and measured on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tgfr_search.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TAIL_SHARE = 0.5
"""Of the impostor pairs that `thinned` keeps, the share that are the highest scores themselves."""


def finite(values: npt.ArrayLike, name: str) -> Floats:
    """The values as float64.

    Raises:
        InputError: One is NaN or infinite: such a number has no place on a scale of evidence.
    """
    out = np.asarray(values, dtype=np.float64)
    bad = int((~np.isfinite(out)).sum())
    if bad:
        raise InputError(name, found=f"{bad} of {out.size} values NaN or infinite", expected="finite numbers")
    return out


@dataclass(frozen=True)
class Pairs:
    """N pairs.

    Attributes:
        score: [N], higher is more alike.
        quality: [N], predicted quality of the probe, 0 … 1.
        probe: [N], number of the person whom the probe shows.
        record: [N], number of the record's person; equal to `probe` for a genuine pair.
        typicality: [N, T], additive terms (`typicality.py`); T may be 0.
        weight: [N], how many pairs each stands for; ones where empty.
    """

    score: Floats
    quality: Floats
    probe: Ints
    record: Ints
    typicality: Floats = field(default_factory=lambda: np.empty((0, 0)))
    weight: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        count = len(self.score)
        if not self.typicality.size:
            object.__setattr__(self, "typicality", np.empty((count, 0)))
        if not self.weight.size:
            object.__setattr__(self, "weight", np.ones(count))
        for name in ("score", "quality", "typicality", "weight"):
            object.__setattr__(self, name, finite(getattr(self, name), f"pairs: {name}"))
        columns = (self.quality, self.probe, self.record, self.typicality, self.weight)
        if any(len(column) != count for column in columns):
            found = ", ".join(str(len(column)) for column in (self.score, *columns))
            raise InputError("pairs", found=f"columns of {found} pairs", expected="as many in each")

    def __len__(self) -> int:
        return len(self.score)

    @property
    def genuine(self) -> Bools:
        """Which pairs show one person."""
        return np.asarray(self.probe == self.record)

    def take(self, rows: Ints | Bools) -> Pairs:
        """Some of the pairs."""
        return Pairs(
            self.score[rows],
            self.quality[rows],
            self.probe[rows],
            self.record[rows],
            self.typicality[rows],
            self.weight[rows],
        )

    def people(self) -> int:
        """How many people have a part in any pair."""
        return len(np.union1d(self.probe, self.record))

    @staticmethod
    def concat(parts: list[Pairs]) -> Pairs:
        """The pairs of all parts; a person has one number in all of them."""
        names = ("score", "quality", "probe", "record", "typicality", "weight")
        return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def thinned(pairs: Pairs, impostors: int, seed: int) -> Pairs:
    """All genuine pairs and at most so many impostor pairs, weighted so that sums over them stay true.

    Half of those kept are the highest-scoring ones, each for itself: they decide what a high score is worth. The other
    half is drawn from the rest, each standing for several.

    Args:
        pairs: All pairs, each of weight 1 (or what it stands for already).
        impostors: At most this many impostor pairs are kept.
        seed: Of the draw.
    """
    other = np.flatnonzero(~pairs.genuine)
    if len(other) <= impostors:
        return pairs
    order = other[np.argsort(-pairs.score[other], kind="stable")]
    tail = int(impostors * TAIL_SHARE)
    rest = order[tail:]
    drawn = np.random.default_rng([seed, 11]).choice(rest, size=impostors - tail, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(pairs.genuine), order[:tail], drawn]))
    kept = pairs.take(rows)
    stands = pairs.weight[rows].copy()
    is_drawn = np.isin(rows, drawn)
    stands[is_drawn] *= pairs.weight[rest].sum() / stands[is_drawn].sum()
    return Pairs(kept.score, kept.quality, kept.probe, kept.record, kept.typicality, stands)
