"""Where an index is searched: on this machine's disk, or in the Milvus collection it was published into."""

from __future__ import annotations

from pathlib import Path

from indexer import NotAnIndexError, Store
from indexer.errors import MilvusError
from indexer.manifest import read_manifest
from indexer.milvus import MilvusStore, Server
from indexer.milvus.layout import collection_of
from pipelines.search.torch_search import backend_named
from tgfr_search.errors import InputError

MILVUS = "milvus"


def open_searched(
    path: str | Path,
    backend: str,
    *,
    device: str = "auto",
    milvus_uri: str | None = None,
    collection: str | None = None,
) -> Store | MilvusStore:
    """An index for searching.

    Args:
        path: Index directory. With Milvus it need not be there; where it is, it names the collection, and must be at
            the generation that was published.
        backend: Of `indexer.backends`, or `torch`, or `milvus`, or `milvus:URI`.
        device: Where `torch` searches.
        milvus_uri: Address of a server or a file; see `indexer.milvus.Server`.
        collection: Of the server; None is the index's own, or the only one there is.

    Raises:
        InputError: An option of Milvus without it, or Milvus without its address.
        MilvusError: The server does not answer, or does not hold this state of this index.
        IndexerError: There is no index, or it is damaged.
    """
    name, _, uri = backend.partition(":")
    if name != MILVUS:
        if milvus_uri is not None or collection is not None:
            raise InputError("--milvus-uri and --milvus-collection", found=f"--backend {backend}", expected=MILVUS)
        return Store.open(path, backend=backend_named(backend, device))
    if not (uri or milvus_uri):
        raise InputError(
            "--backend milvus", found="no address", expected="--milvus-uri http://HOST:19530 (or $TGFR_MILVUS_URI)"
        )
    server = Server(uri or str(milvus_uri))
    try:
        local = read_manifest(Path(path))
    except NotAnIndexError:
        return MilvusStore.open(server, collection)
    store = MilvusStore.open(server, collection or collection_of(local.index_id))
    there = (store.index_id, store.generation)
    if there != (local.index_id, local.generation):
        store.close()
        raise MilvusError(
            f"collection {store.collection!r} of {server.uri}",
            found=f"index {there[0]} at generation {there[1]}",
            expected=f"index {local.index_id} at generation {local.generation}, as {path}",
            do=f"tgfr-search publish {path} --milvus-uri {server.uri}",
        )
    return store
