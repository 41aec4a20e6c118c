"""A scan of every row in 4-bit codes, then the best of them as they are stored: hundreds, or thousands of a million."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.backends.base import Source
from indexer.backends.calibrate import DEFAULT_RECALL
from indexer.backends.codes import AXES_A_CODE, CodePlan, plan_codes
from indexer.backends.faiss_kept import KeptBackend, Setting, add_all, training_rows
from indexer.rows import FloatArray

_OVERFETCH = (20, 50, 100, 200, 500, 1000)
_NODES = Path("/sys/devices/system/node")


class ScanBackend(KeptBackend):
    """FAISS's FastScan over all rows (see `Backend`): 128 bytes a row at most, no partition that could miss a subject.

    A subject is a tiny cluster among nearly orthogonal points: partitions and graphs know little about it, so that
    scanning everything in few bits finds more than probing a part. Codes are shared out by `plan_codes`.
    """

    name = "scan"

    def _make(self, source: Source) -> list[Any]:
        sample = training_rows(source)
        plan = plan_codes(sample, source.contract.slices)
        faiss, width = self._faiss, AXES_A_CODE * plan.codes
        codes = faiss.IndexPQFastScan(width, plan.codes, 4, faiss.METRIC_INNER_PRODUCT)
        trained = turned(faiss, plan, codes)
        train_codes(codes, sample @ plan.transform)
        trained.is_trained = True
        empty = faiss.serialize_index(trained)
        parts = []
        for number in range(self.parts):
            part = faiss.deserialize_index(empty)
            count = len(source.vectors)
            add_all(part, source.vectors[count * number // self.parts : count * (number + 1) // self.parts])
            parts.append(part)
        return parts

    def _settings(self, count: int) -> Sequence[Setting]:
        return [(overfetch, 0) for overfetch in _OVERFETCH]


class ShardedScanBackend(ScanBackend):
    """`scan` in one part a NUMA node, searched at once by FAISS's own IndexShards.

    A query is then answered by as many threads as there are parts. Threads are not bound to nodes: run it under
    `numactl --interleave=all`, or with OMP_PROC_BIND=spread, where that matters.

    Args:
        recall: As `KeptBackend`.
        parts: How many; None is one a NUMA node, two at least.
    """

    name = "scan-shards"

    def __init__(self, recall: float = DEFAULT_RECALL, parts: int | None = None) -> None:
        super().__init__(recall)
        self.parts = parts or max(2, len(list(_NODES.glob("node[0-9]*"))))

    def _joined(self, parts: list[Any]) -> Any:
        shards = self._faiss.IndexShards(parts[0].d, True, True)  # threads, successive ids
        for part in parts:
            shards.add_shard(part)
        self._shards = parts  # FAISS does not own them
        return shards


def turned(faiss: Any, plan: CodePlan, index: Any) -> Any:
    """A FAISS index that maps rows and queries by the plan before `index` sees them."""
    transform = faiss.LinearTransform(plan.transform.shape[0], plan.transform.shape[1], False)
    faiss.copy_array_to_vector(plan.transform.T.ravel(), transform.A)
    transform.is_trained = True
    return faiss.IndexPreTransform(transform, index)


def train_codes(index: Any, mapped: FloatArray) -> None:
    """Train a product quantizer on mapped rows; few rows are no reason for a warning, the recall is measured."""
    index.pq.cp.min_points_per_centroid = 1
    index.train(mapped)
