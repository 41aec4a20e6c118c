"""The backend that fits the gallery, the memory and the device; says which one, and why."""

from __future__ import annotations

import logging
from pathlib import Path

from indexer.backends.base import Backend, Source
from indexer.backends.calibrate import DEFAULT_RECALL
from indexer.backends.codes import MOST_CODES
from indexer.backends.faiss_build import import_faiss
from indexer.backends.faiss_flat import FaissFlatBackend
from indexer.backends.faiss_gpu import GpuBackend
from indexer.backends.faiss_scan import ScanBackend
from indexer.rows import FloatArray, IdArray

FLAT_BYTES = 400_000_000
"""Vectors that one thread scans in about 40 ms: below, nothing is gained that anybody would notice."""

_LOG = logging.getLogger(__name__)


class AutoBackend:
    """Chooses by the size of the vectors, a GPU that faiss-gpu can use, and the memory that is free (see `Backend`).

    Args:
        recall: Recall@1 asked of an approximate backend, 0 to 1; one that does not reach it fails the build.

    Attributes:
        chosen: The backend in use, once built.
        reason: Why that one.

    Raises:
        MissingFaissError: See `import_faiss`.
    """

    name = "auto"

    def __init__(self, recall: float = DEFAULT_RECALL) -> None:
        self._asked, self._faiss = recall, import_faiss()
        self.slack: float | None = 0.0
        self.overfetch = 1
        self.chosen: Backend | None = None
        self.reason = ""

    def build(self, source: Source) -> None:
        """See `Backend.build`.

        Raises:
            LowRecallError: The chosen backend does not reach the recall asked.
        """
        gpus = self._faiss.get_num_gpus() if hasattr(self._faiss, "StandardGpuResources") else 0
        name, self.reason = choose(len(source.ids), source.vectors.shape[1], free_memory(), gpus)
        _LOG.info("search backend %s: %s", name, self.reason)
        if name == "flat":
            self.chosen = FaissFlatBackend()
        else:
            self.chosen = GpuBackend(self._asked) if name == "gpu" else ScanBackend(self._asked)
        self.chosen.build(source)
        self.slack, self.overfetch = self.chosen.slack, self.chosen.overfetch

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """See `Backend.search`."""
        assert self.chosen is not None
        return self.chosen.search(queries, k)


def choose(rows: int, dim: int, memory: int | None, gpus: int) -> tuple[str, str]:
    """The name of a backend, and the reason in words.

    Args:
        rows: N.
        dim: D.
        memory: Bytes that are free beside the vectors; None where nobody knows.
        gpus: CUDA devices that FAISS can use.
    """
    size = 4 * rows * dim
    told = f"{rows:,} rows of {dim} components are {size / 1e6:,.0f} MB"
    if size <= FLAT_BYTES:
        return "flat", f"{told}, which an exact scan reads in tens of milliseconds"
    if gpus:
        return "gpu", f"{told}, and FAISS sees {gpus} CUDA device{'s' if gpus > 1 else ''}"
    codes = rows * MOST_CODES // 2
    if memory is not None and codes > memory // 2:
        return "flat", f"{told}, and codes of {codes / 1e6:,.0f} MB would fill half of the memory that is free"
    return "scan", f"{told}; codes of {MOST_CODES // 2} bytes a row at most are scanned, the best rows ranked exactly"


def free_memory() -> int | None:
    """Bytes that can be had without swapping, as Linux tells; None elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
