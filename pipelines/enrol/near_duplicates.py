"""Near-duplicates of a gallery, with names: the same photo saved again, which only people can judge."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from indexer import Store

BLOCK = "face"
NEAR = 0.99
"""Least cosine. Photos saved again as JPEG of quality 50, or cropped, keep 0.99; of 130 pairs of different photos of
one person (LFW, dlib's net) the most alike reach 0.986."""
SHOWN = 20
COMPARED_AT_MOST = 10**11
"""Pairs that are compared without being asked: some minutes."""


@dataclass(frozen=True)
class Alike:
    """What was found.

    Attributes:
        count: Rows that are like an older one; None where nobody looked.
        same_bytes: Rows whose photo an older row has too, bit by bit: another subject's.
        rows: The most alike, the names and subjects of both, and their cosine.
    """

    count: int | None
    same_bytes: int | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def find_alike(store: Store, first: int = 0, *, at_most: int = COMPARED_AT_MOST) -> Alike:
    """Look for near-duplicates among the rows from id `first` on.

    Args:
        store: The index.
        first: Smallest row id that is asked about.
        at_most: Pairs to compare at most; where there are more, nothing is done.
    """
    if BLOCK not in store.contract.slices or store.count_from(first) * len(store) > at_most:
        return Alike(None)
    found, same_bytes = store.near_duplicates(BLOCK, NEAR, first)
    best = sorted(found, key=lambda pair: (-pair.score, pair.row_id))[:SHOWN]
    rows = store.rows([row for pair in best for row in (pair.row_id, pair.like)], chips=False)
    shown = [
        {
            "image": younger.image,
            "subject_id": younger.subject_id,
            "like": older.image,
            "like_subject_id": older.subject_id,
            "score": round(float(np.float32(pair.score)), 4),
        }
        for pair, younger, older in zip(best, rows[::2], rows[1::2], strict=True)
    ]
    return Alike(len(found), same_bytes, shown)
