"""Search in a part of the rows: partitions of codes, and a graph. Kept for galleries too large to be scanned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from indexer.backends.base import Source
from indexer.backends.codes import AXES_A_CODE, plan_codes
from indexer.backends.faiss_kept import KeptBackend, Setting, add_all, training_rows
from indexer.backends.faiss_scan import turned

_LINKS = 32
_EFFORTS = (128, 512, 2048)


class IvfBackend(KeptBackend):
    """The codes of `scan` in about 4·√N partitions, of which the nearest are scanned (see `Backend`).

    How many is measured: the fewest sixteenth, eighth, quarter or half of them that reaches the recall asked, or all.
    """

    name = "ivf"

    def _make(self, source: Source) -> list[Any]:
        faiss = self._faiss
        partitions = _partitions(len(source.ids))
        sample = training_rows(source, max(40_000, 40 * partitions))
        plan = plan_codes(sample, source.contract.slices)
        width = AXES_A_CODE * plan.codes
        coarse = faiss.IndexFlatIP(width)
        index = faiss.IndexIVFPQFastScan(coarse, width, partitions, plan.codes, 4, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
        whole = turned(faiss, plan, index)
        index.train(sample @ plan.transform)
        whole.is_trained = True
        add_all(whole, source.vectors)
        return [whole]

    def _settings(self, count: int) -> Sequence[Setting]:
        partitions = _partitions(count)
        return [(50, max(1, partitions // part)) for part in (16, 8, 4, 2)] + [(50, partitions), (200, partitions)]

    def _try_harder(self, effort: int) -> None:
        self._faiss.extract_index_ivf(self._index).nprobe = effort


class HnswBackend(KeptBackend):
    """A graph over rows of 8 bits a component (see `Backend`): fast to ask, slow to build, large.

    On faces it finds less than `scan`, the more so for poor probes; where it does not reach the recall asked it says
    so and is not used.
    """

    name = "hnsw"

    def _make(self, source: Source) -> list[Any]:
        faiss = self._faiss
        index = faiss.IndexHNSWSQ(
            source.vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, _LINKS, faiss.METRIC_INNER_PRODUCT
        )
        index.train(source.vectors)
        add_all(index, source.vectors)
        return [index]

    def _settings(self, count: int) -> Sequence[Setting]:
        return [(20, effort) for effort in _EFFORTS]

    def _try_harder(self, effort: int) -> None:
        self._index.hnsw.efSearch = effort


def _partitions(count: int) -> int:
    return int(4 * np.sqrt(count))
