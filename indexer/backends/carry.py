"""A search structure over the rows of an earlier state, put to use for the present ones.

A committed row never changes its vector, and a new one gets an id of its own: what an earlier state had is there as it
was, or is deleted. So few deleted rows are passed over when they are proposed and few new ones are added, instead of
building for minutes after each photo that is enrolled. A folder may still have been put back by other means than ours,
and have given an id to another photo since; marks of the vectors would tell. Codes of deleted rows stay in the folder
of caches until the structure is built again or the index is purged, which empties that folder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.backends.base import Source
from indexer.rows import FloatArray, IdArray

MOST_GONE, GONE_SHARE = 1000, 0.01
"""Deleted rows, at most: a search asks for as many rows more."""
NEW_SHARE = 0.05
"""New rows, at most: the structure was made for the others. `finds_new_rows` tells whether it serves these as well."""
_MARKS, _NEAR = 2, 1e-4
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Carried:
    """How an earlier structure's rows lie among the present ones.

    Attributes:
        places: int64 [M + n], the position of each of its rows, -1 where it is deleted; then `new`.
        new: int64 [n], positions of the rows that it lacks, to be added behind its own.
        gone: How many are deleted.
    """

    places: IdArray
    new: IdArray
    gone: int


def covered(source: Source) -> bytes:
    """What is kept with a structure over these rows: their ids, and the marks of their vectors."""
    return source.ids.astype("<i8").tobytes() + _marks(source.vectors).astype("<f4").tobytes()


def carry(data: bytes, source: Source) -> Carried | None:
    """How to use an earlier structure for the rows of `source`.

    Args:
        data: From `covered`, when it was built.
        source: The present rows.

    Returns:
        None where too much has changed, or an id has another vector.
    """
    count = len(data) // (8 + 4 * _MARKS)
    ids = np.frombuffer(data, "<i8", count).astype(np.int64)
    marks = np.frombuffer(data, "<f4", offset=8 * count).reshape(count, _MARKS)
    places = np.minimum(np.searchsorted(source.ids, ids), len(source.ids) - 1)
    alive = source.ids[places] == ids
    new = np.setdiff1d(np.arange(len(source.ids)), places[alive], assume_unique=True)
    gone = int(count - alive.sum())
    if gone > min(MOST_GONE, GONE_SHARE * count) or len(new) > NEW_SHARE * count:
        return None
    if (np.abs(_marks(source.vectors)[places[alive]] - marks[alive]) > _NEAR).any():
        return None
    return Carried(np.append(np.where(alive, places, -1), new), new, gone)


def _marks(vectors: FloatArray) -> npt.NDArray[np.float32]:
    """Two random projections of each row [N, 2]: float32 rounding is far below `_NEAR`, another face far above."""
    axes = np.random.default_rng(0).standard_normal((vectors.shape[1], _MARKS), np.float32)
    marks = np.empty((len(vectors), _MARKS), np.float32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        marks[start : start + _ROWS_AT_ONCE] = vectors[start : start + _ROWS_AT_ONCE] @ axes
    return marks
