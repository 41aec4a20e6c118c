"""Exact search in NumPy: needs nothing else installed, and is the reference for every other backend."""

from __future__ import annotations

import numpy as np

from indexer.backends.base import Source
from indexer.products import Rows, rows_at_once
from indexer.rows import FloatArray, IdArray

_SCORES_AT_ONCE = 1 << 22  # 16 MiB of float32 scores


class ExactBackend:
    """Multiplies the queries with every row, a slab of rows at a time, and keeps the best (see `Backend`)."""

    name = "exact"
    slack: float | None = 0.0
    overfetch = 1

    def build(self, source: Source) -> None:
        """See `Backend.build`."""
        self._rows: Rows = source.rows
        self._ids = source.ids

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """See `Backend.search`."""
        slab = rows_at_once(self._rows, _SCORES_AT_ONCE // len(queries))
        scores = np.empty((len(queries), 0), np.float32)
        rows = np.empty((len(queries), 0), np.int64)
        for start in range(0, len(self._ids), slab):
            fresh = queries @ self._rows[start : start + slab].T
            numbers = np.broadcast_to(np.arange(start, start + fresh.shape[1]), fresh.shape)
            scores, rows = np.hstack([scores, fresh]), np.hstack([rows, numbers])
            if scores.shape[1] > k:
                best = np.argpartition(scores, -k, axis=1)[:, -k:]
                scores, rows = np.take_along_axis(scores, best, axis=1), np.take_along_axis(rows, best, axis=1)
        order = np.argsort(-scores, axis=1)
        return self._ids[np.take_along_axis(rows, order, axis=1)], np.take_along_axis(scores, order, axis=1)
