"""Search backends: one contract (`base.Backend`), one file a kind, the same tests over all."""

from __future__ import annotations

from collections.abc import Callable

from indexer.backends.auto import AutoBackend
from indexer.backends.base import Backend, BackendFactory
from indexer.backends.exact import ExactBackend
from indexer.backends.faiss_ann import HnswBackend, IvfBackend
from indexer.backends.faiss_flat import FaissFlatBackend, RoundedFlatBackend
from indexer.backends.faiss_gpu import GpuBackend, GpuIvfPqBackend
from indexer.backends.faiss_scan import ScanBackend, ShardedScanBackend
from indexer.errors import IndexerError

EXACT_BACKENDS: dict[str, BackendFactory] = {
    "exact": ExactBackend,
    "flat": FaissFlatBackend,
    "flat-fp16": lambda: RoundedFlatBackend(16),
    "flat-sq8": lambda: RoundedFlatBackend(8),
}
"""Those whose ranks are proven to be those of a scan of every row, by name."""

RECALLED_BACKENDS: dict[str, Callable[[float], Backend] | Callable[[], Backend]] = {
    "auto": AutoBackend,
    "scan": ScanBackend,
    "scan-shards": ShardedScanBackend,
    "ivf": IvfBackend,
    "hnsw": HnswBackend,
    "gpu": GpuBackend,
    "gpu-ivfpq": GpuIvfPqBackend,
}
"""Those that may miss a row, by name; they take the recall@1 that is asked."""

BACKENDS = (*EXACT_BACKENDS, *RECALLED_BACKENDS)
DEFAULT_BACKEND = "auto"


def make_backend(name: str | BackendFactory) -> Backend:
    """A new backend.

    Args:
        name: Its name, `NAME@RECALL` for one that may miss a row (`hnsw@0.95`), or what makes one of another package.

    Raises:
        IndexerError: There is no such backend, or it takes no recall; the known ones are named.
        MissingFaissError: It needs FAISS and there is none, or there are two.
        MissingDeviceError: It needs a GPU, and there is none that it can use.
    """
    if not isinstance(name, str):
        return name()
    kind, at, asked = name.partition("@")
    if not at and kind in EXACT_BACKENDS:
        return EXACT_BACKENDS[kind]()
    if kind not in RECALLED_BACKENDS:
        found = "an exact one, which takes no recall" if kind in EXACT_BACKENDS else "unknown"
        raise IndexerError(f"search backend {name!r}", found=found, expected=" or ".join(BACKENDS))
    make = RECALLED_BACKENDS[kind]
    if not at:
        return make()  # type: ignore[call-arg]
    try:
        recall = float(asked)
    except ValueError:
        recall = -1.0
    if not 0.0 <= recall <= 1.0:
        raise IndexerError(f"search backend {name!r}", found=repr(asked), expected="a recall@1 of 0 to 1 after the @")
    return make(recall)  # type: ignore[call-arg]
