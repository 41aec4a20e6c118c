"""Processes that write to an index and kill themselves: crash_child.py CHANGE PATH… kills the n-th of them before its
n-th action on the disk, one after another, and prints how each ended. Forked, so that Python starts only once."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
from index_helpers import (
    CONTRACT,
    OTHER,
    add_rows,
    fill_space,
    make_batch,
    match_plainly,
    random_blocks,
)

from indexer import (
    QuarantineRecord,
    Store,
    compact,
    export_index,
    generation,
    import_index,
    io,
    purge,
    restore,
    snapshot,
)
from indexer.spaces import drop_space, make_default


def change(path: Path) -> None:
    """Make the index where there is none, and commit twice."""
    store = Store.open(path) if (path / "manifest.json").exists() else Store.create(path, CONTRACT)
    with store.writer() as writer:
        writer.add(make_batch(["x", "y"], random_blocks(np.random.default_rng(8), 2), first=20))
        if "key0" in store.source_keys():
            writer.delete(row_ids=[0])
        writer.quarantine([QuarantineRecord("new.jpg", "no_face", "", "n")])
        writer.commit()
        writer.add(make_batch(["z"], random_blocks(np.random.default_rng(9), 1), first=30))
        writer.commit()


def delete_and_update(path: Path) -> None:
    store = Store.open(path)
    with store.writer() as writer:
        if "key0" in store.source_keys():
            writer.delete(row_ids=[0])
        writer.update(2, subject_id="changed", metadata={"new": 1})
        writer.commit()


def compact_index(path: Path) -> None:
    compact(Store.open(path))


def purge_index(path: Path) -> None:
    purge(Store.open(path))


def restore_index(path: Path) -> None:
    """Of the snapshot beside it."""
    restore(path.parent / "snapshot", path)


def import_export(path: Path) -> None:
    """Of the export beside it."""
    import_index(path.parent / "export", path)


def snapshot_index(path: Path) -> None:
    """Of the index beside it."""
    snapshot(Store.open(path.parent / "origin"), path)


def export_origin(path: Path) -> None:
    """Of the index beside it."""
    export_index(Store.open(path.parent / "origin"), path)


def load_mapped(path: Path) -> None:
    """Search, keeping a cache of the vectors however few they are."""
    generation.MAPPED_FROM = 1
    Store.open(path, backend="exact").load()


def add_other_space(path: Path) -> None:
    fill_space(path)


def drop_first_space(path: Path) -> None:
    """Once the other one is the default."""
    store = fill_space(path)
    make_default(store, OTHER.space_id)
    store = Store.open(path)
    if CONTRACT.space_id in store.manifest.contracts:
        drop_space(store, CONTRACT.space_id)
    purge(store)


COPIES = {each.__name__: each for each in (restore_index, import_export, snapshot_index, export_origin)}
CHANGES = {each.__name__: each for each in (change, delete_and_update, compact_index, purge_index)} | COPIES


def grow_watched(path: Path) -> None:
    """Commit some rows and match them; goes on where a kill ended it."""
    store = Store.open(path)
    match_plainly(store)
    if "key20" not in store.source_keys():
        add_rows(store, [*"tuvwxyz"], seed=20, first=20)
        match_plainly(store)


READS = {each.__name__: each for each in (load_mapped, add_other_space, drop_first_space, grow_watched)}


def kill_at(number: int) -> None:
    """Kill this process by SIGKILL before its action of that number; a file about to be synced is torn first."""
    steps = 0

    def step(action: str, path: Path) -> None:
        nonlocal steps
        if steps == number:
            if action == "fsync":  # what is not synced may be half there after a loss of power
                os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    io.on_step = step


if __name__ == "__main__":
    import pandas  # noqa: F401  pyarrow imports it when rows are added: once here, not once in each child

    for number, path in enumerate(sys.argv[2:]):
        if (child := os.fork()) == 0:
            kill_at(number)
            (CHANGES | READS)[sys.argv[1]](Path(path))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
