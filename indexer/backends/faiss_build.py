"""Finding FAISS: one build of it, and what it needs to be usable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from indexer.errors import MissingFaissError

_BUILDS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs")
# FAISS scans query by query below this many query components, and multiplies matrices above. Its own value, 128,000,
# makes a batch of 128 queries of 512 components 17 times slower; one query is faster scanned.
_BLAS_THRESHOLD = 1500


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
            "every search backend but 'exact' needs FAISS",
            found=f"no usable faiss ({error})",
            expected="faiss-cpu or faiss-gpu",
            do="pip install 'tgfr-search[cpu]' (or 'tgfr-search[gpu]' on a CUDA machine), or choose backend 'exact'",
        ) from error
    return faiss


@contextmanager
def matrix_products(faiss: Any) -> Iterator[None]:
    """Let FAISS multiply matrices for any batch of queries, as long as the block runs."""
    former = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = _BLAS_THRESHOLD
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = former


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
