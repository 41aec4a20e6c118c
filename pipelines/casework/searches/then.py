"""The index as it was when a case searched it, where that is held: to search it again, or to show its pictures."""

from __future__ import annotations

from typing import TypeVar

from indexer import GoneGenerationError, Store
from indexer.milvus import MilvusStore

Searched = TypeVar("Searched", Store, Store | MilvusStore)


def as_searched(store: Searched, index_id: str) -> Searched:
    """The store at the generation of an answer, so that a row is the one that was found, replaced or deleted since.

    Args:
        store: The index, wherever it is now.
        index_id: Of the answer, with the generation: `QueryResult.index_id`.

    Returns:
        The store itself where it is another index, a Milvus collection, or that state is held no more.

    Raises:
        DamagedIndexError: A file of the held state is not there.
    """
    identity, _, generation = index_id.rpartition("@")
    if not isinstance(store, Store) or store.index_id != identity or store.generation == int(generation):
        return store
    try:
        return store.at(int(generation))
    except GoneGenerationError:
        return store
