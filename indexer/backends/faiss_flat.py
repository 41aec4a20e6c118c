"""Exact search by FAISS: every row, float32, SIMD and threads."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from indexer.backends.base import Source
from indexer.errors import MissingFaissError
from indexer.rows import FloatArray, IdArray

_BUILDS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs")
# FAISS scans query by query below this many query components, and multiplies matrices above. Its own value, 128,000,
# makes a batch of 128 queries of 512 components 17 times slower; one query is faster scanned.
_BLAS_THRESHOLD = 1500


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
        faiss = self._faiss
        former = faiss.cvar.distance_compute_blas_threshold
        faiss.cvar.distance_compute_blas_threshold = _BLAS_THRESHOLD
        try:
            scores, rows = faiss.knn(queries, self._vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
        finally:
            faiss.cvar.distance_compute_blas_threshold = former
        return self._ids[rows], scores


def import_faiss() -> Any:
    """The `faiss` module, whichever one build of it is installed.

    Raises:
        MissingFaissError: None is installed, or two that own the same folder and have overwritten each other.
    """
    installed = [name for name in _BUILDS if _is_installed(name)]
    if len(installed) > 1:
        raise MissingFaissError(
            "FAISS is installed more than once",
            found=" and ".join(installed),
            expected="one build: they own the same folder and overwrite each other",
            do=f"pip uninstall -y {' '.join(installed)}, then pip install 'tgfr-search[cpu]' or 'tgfr-search[gpu]'",
        )
    try:
        import faiss
    except ImportError as error:
        raise MissingFaissError(
            "the search backend 'flat' needs FAISS",
            found=f"no usable faiss ({error})",
            expected="faiss-cpu or faiss-gpu",
            do="pip install 'tgfr-search[cpu]' (or 'tgfr-search[gpu]' on a CUDA machine), or choose backend 'exact'",
        ) from error
    return faiss


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
