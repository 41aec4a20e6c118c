"""Watches: queries that are kept beside an index and matched with every row that is committed after them.

A watch is one file of the folder `watches`, replaced in one step, that holds the query, how far rows were matched and
what was found. Row ids rise and are never given again, so a number says which rows are left: whatever is killed, no row
is matched twice and none is passed over. A copy of an index (snapshot, export) has no watches.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indexer import io, lock
from indexer.errors import IndexerError
from indexer.manifest import utc_now
from indexer.rows import FloatArray, IdArray
from indexer.watch_file import Hit, Watch, read_watch

if TYPE_CHECKING:
    from indexer.store import Store

FOLDER, SUFFIX = "watches", ".json"
PATIENCE = 10.0
"""Seconds that are waited for somebody else who changes the watches: that takes a moment."""
ROWS_AT_ONCE = 4096

Scorer = Callable[[FloatArray], npt.NDArray[np.float64]]
"""Vectors float32 [n, D_total] → score of each row, float64 [n]."""


def add(store: Store, query: FloatArray, threshold: float, told: Mapping[str, Any]) -> Watch:
    """Keep a query and match it with every row that is committed from now on.

    Args:
        store: The index, opened in the space that the query fits.
        query: float32 [D_total].
        threshold: See `Watch`.
        told: See `Watch`.

    Raises:
        IndexerError: The query has another dimension, or a number is not finite.
        DiskFullError, StorageError: The system refused.
    """
    query = np.asarray(query, np.float32)
    if query.shape != (store.contract.dim,) or not np.isfinite(query).all() or not np.isfinite(threshold):
        found = f"a query {list(query.shape)} and the threshold {threshold:g}"
        raise IndexerError("watch", found=found, expected=f"finite numbers, a query [{store.contract.dim}]")
    folder = store.path / FOLDER
    io.make_directory(folder)
    with lock.hold_patiently(folder, PATIENCE):
        store.refresh()
        start = store.manifest.next_row_id
        watch = Watch(
            name=f"w{secrets.token_hex(4)}", space=store.contract.space_id, query=query, threshold=float(threshold),
            told=told, first=start, matched=start,
        )  # fmt: skip
        io.write_file(_path(folder, watch.name), watch.to_bytes())
    return watch


def read_watches(index: Path) -> list[Watch]:
    """All watches of an index, the oldest first.

    Raises:
        DamagedIndexError: A file is not as it was written.
    """
    found = [read_watch(path) for path in _files(index)]
    return sorted(found, key=lambda watch: (watch.added, watch.name))


def remove(index: Path, name: str) -> Watch:
    """Forget a watch: query, hits and all.

    Raises:
        IndexerError: There is none of that name.
    """
    path = _path(index / FOLDER, name)
    if path not in _files(index):
        known = ", ".join(each.stem for each in _files(index)) or "none"
        raise IndexerError(f"watch {name!r} of {index}", found="no such watch", expected=f"of: {known}")
    with lock.hold_patiently(index / FOLDER, PATIENCE):
        watch = read_watch(path)
        io.remove_files([path])
    return watch


def match(
    store: Store,
    scorers: Mapping[str, Scorer],
    told: Callable[[Watch, list[Hit]], None] = lambda watch, hits: None,
) -> list[Watch]:
    """Match the rows that a store's state has and that were not matched yet.

    A watch is written once for all its rows of this state, with what was found: a kill before that leaves the rows to
    the next call, a kill after it leaves nothing to do.

    Args:
        store: The index at a committed state.
        scorers: Name of a watch → scores rows as its maker does; a watch that is not in it is left alone.
        told: Called with the new hits of a watch before they are written; where it raises, they are not.

    Returns:
        The watches that had rows to match, as they are now.

    Raises:
        DamagedIndexError, DiskFullError, StorageError: A watch cannot be read, or not be written.
    """
    if not scorers:
        return []
    out = []
    with lock.hold_patiently(store.path / FOLDER, PATIENCE):
        ids, now = store.row_ids(), utc_now()
        for watch in read_watches(store.path):
            if watch.name not in scorers or watch.matched >= store.manifest.next_row_id:
                continue
            new = ids[ids >= watch.matched]
            hits = [
                Hit(row, score, store.generation, now)
                for row, score in _scored(store, new, scorers[watch.name])
                if score >= watch.threshold
            ]
            if hits:
                told(watch, hits)
            done = replace(
                watch, matched=store.manifest.next_row_id, rows=watch.rows + len(new), hits=(*watch.hits, *hits)
            )
            io.write_file(_path(store.path / FOLDER, watch.name), done.to_bytes())
            out.append(done)
    return out


def forget_rows(index: Path, there: Collection[int]) -> int:
    """Take the hits of rows that are gone out of every watch; returns how many that were.

    Args:
        index: The index.
        there: Ids of the rows that it has.
    """
    if not _files(index):
        return 0
    gone, alive = 0, set(there)
    with lock.hold_patiently(index / FOLDER, PATIENCE):
        for watch in read_watches(index):
            kept = tuple(hit for hit in watch.hits if hit.row_id in alive)
            if len(kept) < len(watch.hits):
                gone += len(watch.hits) - len(kept)
                io.write_file(_path(index / FOLDER, watch.name), replace(watch, hits=kept).to_bytes())
    return gone


def _scored(store: Store, ids: IdArray, scorer: Scorer) -> Iterator[tuple[int, float]]:
    for start in range(0, len(ids), ROWS_AT_ONCE):
        part = ids[start : start + ROWS_AT_ONCE]
        yield from zip(part.tolist(), scorer(store.vectors(part)).tolist(), strict=True)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}{SUFFIX}"


def _files(index: Path) -> list[Path]:
    folder = index / FOLDER
    return [path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith(io.TMP_PREFIX)]
