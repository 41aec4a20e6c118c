"""Every row scanned by FAISS: as it is, or rounded to 16 or 8 bits a component."""

from __future__ import annotations

from typing import Any

import numpy as np

from indexer.backends.base import Source
from indexer.backends.faiss_build import import_faiss, matrix_products
from indexer.caches import let_go
from indexer.rows import FloatArray, IdArray

_ROWS_AT_ONCE = 16_384


class FaissFlatBackend:
    """FAISS's brute-force kernel, the one inside IndexFlatIP, over the store's own vectors (see `Backend`).

    An IndexFlatIP would keep a second copy of them.

    Raises:
        MissingFaissError: See `import_faiss`.
    """

    name = "flat"
    slack: float | None = 0.0
    overfetch = 1

    def __init__(self) -> None:
        self._faiss = import_faiss()

    def build(self, source: Source) -> None:
        """See `Backend.build`."""
        self._vectors, self._ids = source.vectors, source.ids

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """See `Backend.search`."""
        with matrix_products(self._faiss, len(queries)):
            scores, rows = self._faiss.knn(queries, self._vectors, k, metric=self._faiss.METRIC_INNER_PRODUCT)
        return self._ids[rows], scores


class RoundedFlatBackend:
    """A scan of rows rounded to `bits` bits a component (see `Backend`).

    How far rounding moves a row is measured for every row at build, so that the ranks are as exact as those of `flat`:
    the scan reads a half or a quarter of the bytes, and the rows that it leaves in doubt are scored as they are stored.

    Args:
        bits: 16 (half precision) or 8 (each component's range cut into 256 steps).

    Raises:
        MissingFaissError: See `import_faiss`.
    """

    overfetch = 1

    def __init__(self, bits: int) -> None:
        self.name = {16: "flat-fp16", 8: "flat-sq8"}[bits]
        self._bits, self._faiss = bits, import_faiss()
        self.slack: float | None = None

    def build(self, source: Source) -> None:
        """See `Backend.build`."""
        self._ids = source.ids
        self._index, self.slack = rounded(self._faiss, source.vectors, self._bits)
        let_go(source.vectors)

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """See `Backend.search`."""
        scores, rows = self._index.search(queries, k)
        return self._ids[rows], scores


def rounded(faiss: Any, vectors: FloatArray, bits: int) -> tuple[Any, float]:
    """A FAISS index of the rounded rows, and the longest way that rounding moved one: max ‖v - v̂‖."""
    kinds = faiss.ScalarQuantizer
    kind = {16: kinds.QT_fp16, 8: kinds.QT_8bit}[bits]
    index = faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)  # on every row: a component out of the trained range would be cut off
    slack = 0.0
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        part = vectors[start : start + _ROWS_AT_ONCE]
        index.add(part)
        moved = part - index.sa_decode(index.sa_encode(part))
        slack = max(slack, float(np.linalg.norm(moved.astype(np.float64), axis=1).max()))
    return index, slack
