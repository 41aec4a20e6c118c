"""The vector spaces of one gallery: the same rows, encoded by several models side by side.

A space is told by its contract, and named by a digest of it. A gallery begins with one; its vectors lie with its rows.
With a second each space has files of its own, `space-<id>-….parquet`: row ids and vectors, in any number and order.
Rows, tombstones and updates belong to all spaces. A space that has no vectors of some rows is not searched.
"""

from __future__ import annotations

from typing import Any

from indexer.contract import Contract
from indexer.errors import IndexerError
from indexer.generation import Generation
from indexer.store import Store


def list_spaces(store: Store) -> list[dict[str, Any]]:
    """What spaces there are, in the order in which they were added.

    Returns:
        Of each its `id`, the `model` that made its vectors, of how many `rows` it has them, and whether it is the
        `default`.
    """
    committed = store.manifest
    default = committed.default or committed.contract.space_id
    spaces = []
    for space_id, contract in committed.contracts.items():
        here = Generation(store.path, committed.through(contract))
        rows = len(here) - len(here.missing)
        spaces.append({"id": space_id, "model": contract.model, "rows": rows, "default": space_id == default})
    return spaces


def add_space(store: Store, contract: Contract) -> Store:
    """Add an empty space, where it is not there yet; the default stays. Returns the index through it, to be filled.

    Raises:
        IndexLockedError: Somebody else is writing.
        DiskFullError, StorageError: The system refused.
    """
    if contract.space_id not in store.manifest.contracts:
        with store.writer() as writer:
            if contract.space_id not in writer.committed.contracts:
                writer.rewrite(writer.committed.with_space(contract))
    return Store(store.path, store.manifest.through(store.manifest.contracts[contract.space_id]), "auto")


def make_default(store: Store, space: str) -> str:
    """Search this space where nobody says which; returns its id.

    Args:
        store: The index.
        space: Id, or the model's.

    Raises:
        IndexerError: There is no such space, or several have this model.
        IncompleteSpaceError: It has no vectors of some rows yet.
        IndexLockedError, DiskFullError, StorageError: As `add_space`.
    """
    with store.writer() as writer:
        committed = writer.committed
        found = find_space(store, space)
        Generation(store.path, committed.through(committed.contracts[found])).need_complete()
        if committed.spaces and committed.default != found:
            writer.rewrite(committed.with_default(found))
    return found


def drop_space(store: Store, space: str) -> str:
    """Forget a space that is not the default; returns its id. `purge` takes its vectors from the disk.

    Args:
        store: The index.
        space: As `make_default`.

    Raises:
        IndexerError: There is no such space, or it is the default.
        IndexLockedError, DiskFullError, StorageError: As `add_space`.
    """
    with store.writer() as writer:
        committed = writer.committed
        found = find_space(store, space)
        default = committed.default or committed.contract.space_id
        if found in (default, committed.contract.space_id):
            raise IndexerError(
                f"space {found} of {store.path}",
                found="the default space",
                expected="another one",
                do=f"tgfr-search space default {store.path} OTHER",
            )
        writer.rewrite(committed.without_space(found))
    return found


def find_space(store: Store, space: str) -> str:
    """The id of a space told by its id, or by its model's.

    Raises:
        IndexerError: There is none, or there are several.
    """
    contracts = store.manifest.contracts
    if space in contracts:
        return space
    found = [each for each, contract in contracts.items() if contract.model == space]
    if len(found) != 1:
        known = ", ".join(f"{each} ({one.model or 'no model'})" for each, one in contracts.items())
        raise IndexerError(
            f"space {space!r} of {store.path}", found=f"{len(found) or 'no'} such spaces", expected=known
        )
    return found[0]
