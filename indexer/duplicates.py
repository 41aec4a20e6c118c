"""Near-duplicates: rows whose vectors are so alike that they are likely the same photo, saved again or cropped.

They are told, never removed: only the bytes can say that two photos are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.generation import Generation
from indexer.rows import FloatArray, IdArray

_NEW_AT_ONCE = 1024
_OLD_AT_ONCE = 1 << 14


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A row and the most similar of the rows before it.

    Attributes:
        row_id: The younger row.
        like: Id of the older one; of equally similar ones the smallest.
        score: Cosine of the two in the block that was compared.
    """

    row_id: int
    like: int
    score: float


def near_duplicates(
    generation: Generation, block: str, threshold: float, first: int = 0
) -> tuple[list[NearDuplicate], int]:
    """For every row from id `first` on, the most similar older row, where it is similar enough.

    Rows of the very same photo (several subjects claim it) are no near-duplicates. Exact; work grows with new × all
    rows, memory does not.

    Args:
        generation: Whose rows.
        block: Block of the contract to compare; a row without it is like no other.
        threshold: Least cosine.
        first: Smallest id of the rows that are asked about.

    Returns:
        By row id; and how many rows share the photo's bytes with an older row.

    Raises:
        DamagedIndexError: A file of the index cannot be read.
    """
    ids, part = generation.ids, generation.manifest.contract.slices[block]
    photos = np.unique(np.array(generation.column("image_sha256").to_pylist(), dtype="U64"), return_inverse=True)[1]
    begin = int(np.searchsorted(ids, first))
    seen = np.zeros(photos.max() + 1 if len(photos) else 0, bool)
    seen[photos[:begin]] = True
    same_bytes = 0
    for photo in photos[begin:].tolist():
        same_bytes += int(seen[photo])
        seen[photo] = True
    found = []
    for start in range(begin, len(ids), _NEW_AT_ONCE):
        new = np.arange(start, min(start + _NEW_AT_ONCE, len(ids)))
        best, like = _best_older(generation.vectors, part, photos, new)
        found += [
            NearDuplicate(int(ids[row]), int(ids[other]), float(np.float32(score)))
            for row, other, score in zip(new, like, best, strict=True)
            if score >= threshold
        ]
    return found, same_bytes


def _best_older(vectors: FloatArray, part: slice, photos: IdArray, new: IdArray) -> tuple[FloatArray, IdArray]:
    """Largest cosine of each row of `new` with a row before it, of another photo, and which that is."""
    best, like = np.full(len(new), -1.0, np.float32), np.zeros(len(new), np.int64)
    mine = np.ascontiguousarray(vectors[new[0] : new[-1] + 1, part])
    for begin in range(0, int(new[-1]), _OLD_AT_ONCE):
        old = np.arange(begin, min(begin + _OLD_AT_ONCE, int(new[-1])))
        scores = mine @ np.ascontiguousarray(vectors[old[0] : old[-1] + 1, part]).T
        scores[(old >= new[:, None]) | (photos[old] == photos[new][:, None])] = -1.0
        place = scores.argmax(axis=1)
        top = scores[np.arange(len(new)), place]
        better = top > best
        best[better], like[better] = top[better], old[place[better]]
    return best, like
