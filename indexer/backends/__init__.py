"""Search backends: one contract (`base.Backend`), one file a backend, the same tests over all."""

from __future__ import annotations

from indexer.backends.base import Backend, BackendFactory
from indexer.backends.exact import ExactBackend
from indexer.backends.faiss_flat import FaissFlatBackend
from indexer.errors import IndexerError

BACKENDS: dict[str, type[Backend]] = {"exact": ExactBackend, "flat": FaissFlatBackend}
DEFAULT_BACKEND = "flat"


def make_backend(name: str | BackendFactory) -> Backend:
    """A new backend, by name or from a factory of the caller's.

    Raises:
        IndexerError: There is no such backend; the known ones are named.
        MissingFaissError: It needs FAISS and there is none, or there are two.
    """
    if not isinstance(name, str):
        return name()
    if name not in BACKENDS:
        raise IndexerError(f"search backend {name!r}", found="unknown", expected=" or ".join(BACKENDS))
    return BACKENDS[name]()
