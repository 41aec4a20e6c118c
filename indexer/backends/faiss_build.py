"""Finding FAISS: one build of it, and what it needs to be usable."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from indexer.errors import MissingFaissError
from indexer.guard import Guard

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
def matrix_products(faiss: Any, queries: int) -> Iterator[None]:
    """Let FAISS multiply matrices for any batch of queries, as long as the block runs.

    What it decides by is one number of the whole process. One query alone is faster without, and leaves it as it is;
    of several threads with batches the first sets it, and the last puts back what it was.

    Args:
        faiss: The module.
        queries: How many there are.
    """
    if queries > 1:
        _change(faiss, 1)
    try:
        yield
    finally:
        if queries > 1:
            _change(faiss, -1)


_guard, _users, _former = Guard(), 0, 0


def _change(faiss: Any, by: int) -> None:
    global _users, _former
    with _guard:
        if not _users:
            _former = faiss.cvar.distance_compute_blas_threshold
        _users += by
        faiss.cvar.distance_compute_blas_threshold = _BLAS_THRESHOLD if _users else _former


def _alone_in_child() -> None:
    # OpenMP's threads do not live on in a child: a search on several would wait for them for ever.
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(1)


os.register_at_fork(after_in_child=_alone_in_child)


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
