"""Inner products: rough ones of many rows, exact ones of a few, and the rows that a filter picked, without a copy.

Every score that is told comes from `exact_products`, wherever its row's vector lies: in this index or on a server.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.rows import FloatArray, IdArray

_BYTES_AT_ONCE = 16 << 20
_PAIRS_AT_ONCE = 32  # rows and queries side by side, in float64: they stay in the second-level cache


class Picked:
    """Rows of a matrix in the order of `places`; indexing copies only the rows that are asked for.

    Args:
        vectors: float32 [N, D].
        places: int64 [n], which of its rows.
    """

    def __init__(self, vectors: FloatArray, places: IdArray) -> None:
        self._vectors, self._places = vectors, places
        self.shape: tuple[int, int] = (len(places), vectors.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> FloatArray:
        picked: FloatArray = self._vectors[self._places[rows]]
        return picked


Rows = FloatArray | Picked
"""float32 [n, D]."""


def rows_at_once(rows: Rows, at_most: int) -> int:
    """How many rows a scan should look at together: `at_most`, fewer where each look is a copy."""
    if isinstance(rows, Picked):
        return max(1, min(at_most, _BYTES_AT_ONCE // (4 * max(1, rows.shape[1]))))
    return max(1, at_most)


def products(queries: FloatArray, rows: Rows) -> FloatArray:
    """Inner products within float32 arithmetic: float32 [Q, n].

    Args:
        queries: float32 [Q, D].
        rows: float32 [n, D].
    """
    if not isinstance(rows, Picked):
        return queries @ rows.T
    scores = np.empty((len(queries), len(rows)), np.float32)
    step = rows_at_once(rows, len(rows))
    for start in range(0, len(rows), step):
        scores[:, start : start + step] = queries @ rows[start : start + step].T
    return scores


def exact_products(
    rows: Rows, places: npt.NDArray[np.int64], queries: npt.NDArray[np.float64], asked: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Inner products of rows with queries, in float64: [n].

    Each product of two components is exact, and a row's (up to 8,192) are added up in the same order wherever it lies.

    Args:
        rows: float32 [N, D].
        places: int64 [n], which rows.
        queries: float64 [Q, D].
        asked: int64 [n], the query of each.
    """
    scores = np.empty(len(places))
    for start in range(0, len(places), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        np.einsum("nd,nd->n", rows[places[part]].astype(np.float64), queries[asked[part]], out=scores[part])
    return scores
