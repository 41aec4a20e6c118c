"""Search on GPUs by faiss-gpu. Without that build, or without a CUDA device, it refuses; the CPU never steps in."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from indexer.backends.base import Source
from indexer.backends.calibrate import DEFAULT_RECALL, calibrate
from indexer.backends.faiss_build import import_faiss
from indexer.backends.faiss_kept import add_all, ids_and_scores, training_rows
from indexer.errors import MissingDeviceError
from indexer.guard import Guard
from indexer.rows import FloatArray, IdArray

_MOST_PROPOSED = 2048  # what FAISS's GPU kernels select at most
_LOG = logging.getLogger(__name__)


class GpuBackend:
    """All rows in half precision on the GPUs, cut into one shard each by FAISS's IndexShards (see `Backend`).

    Half precision on the GPU also rounds the queries, so its scores have no bound here: ten times as many rows are
    proposed and ranked as they are stored, and the recall is measured at build.

    Args:
        recall: Recall@1 asked, 0 to 1.

    Raises:
        MissingFaissError: See `import_faiss`.
        MissingDeviceError: FAISS is a build without GPU code, or sees no CUDA device.
    """

    name = "gpu"
    slack: float | None = None

    def __init__(self, recall: float = DEFAULT_RECALL) -> None:
        self._asked, self._faiss = recall, import_faiss()
        _need_gpu(self._faiss, self.name)
        self.overfetch = 10
        self._one_at_a_time = Guard()  # FAISS's structures on a GPU share scratch memory: not even reading is safe

    def build(self, source: Source) -> None:
        """See `Backend.build`.

        Raises:
            LowRecallError: The recall asked is not reached.
        """
        self._ids, self._vectors = source.ids, source.vectors
        self._index = self._make(source)
        recall = calibrate(self.name, source, (10, 50, 200), self._use, self.search, self._asked)
        _LOG.info("search structure %r on %d GPUs: %s", self.name, self._faiss.get_num_gpus(), recall)

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """See `Backend.search`; proposes 2,048 rows at most."""
        norms = np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        with self._one_at_a_time:
            _, rows = self._index.search(queries / norms, min(k, _MOST_PROPOSED))  # half precision ends at 65,504
        return ids_and_scores(self._faiss, queries, rows, self._ids, self._vectors)

    def _make(self, source: Source) -> Any:
        index = self._on_gpus(self._faiss.IndexFlatIP(source.vectors.shape[1]))
        add_all(index, source.vectors)
        return index

    def _use(self, overfetch: int) -> int:
        self.overfetch = overfetch
        return overfetch

    def _on_gpus(self, index: Any) -> Any:
        options = self._faiss.GpuMultipleClonerOptions()
        options.shard = True
        options.useFloat16 = True
        return self._faiss.index_cpu_to_all_gpus(index, co=options)


class GpuIvfPqBackend(GpuBackend):
    """IVF-PQ on the GPUs, for galleries whose half-precision rows do not fit: one byte for each 4 components.

    Args and errors as `GpuBackend`.
    """

    name = "gpu-ivfpq"

    def _make(self, source: Source) -> Any:
        faiss, dim = self._faiss, source.vectors.shape[1]
        partitions = max(1, int(4 * np.sqrt(len(source.ids))))
        codes = next(count for count in (96, 64, 56, 48, 32, 28, 24, 20, 16, 12, 8, 4, 3, 2, 1) if dim % count == 0)
        index = faiss.IndexIVFPQ(faiss.IndexFlatIP(dim), dim, partitions, codes, 8, faiss.METRIC_INNER_PRODUCT)
        index.train(training_rows(source, max(40_000, 40 * partitions)))
        index.nprobe = max(1, partitions // 4)
        whole = self._on_gpus(index)
        add_all(whole, source.vectors)
        return whole


def _need_gpu(faiss: Any, name: str) -> None:
    if not hasattr(faiss, "StandardGpuResources"):
        raise MissingDeviceError(
            f"search backend {name!r}",
            found="a FAISS build without GPU code",
            expected="faiss-gpu",
            do="pip uninstall -y faiss-cpu, then pip install 'tgfr-search[gpu]'; or choose another backend",
        )
    if faiss.get_num_gpus() < 1:
        raise MissingDeviceError(
            f"search backend {name!r}",
            found="no CUDA device",
            expected="one at least",
            do="check nvidia-smi and CUDA_VISIBLE_DEVICES, or choose another backend",
        )
