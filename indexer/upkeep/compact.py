"""Compaction: segments are written anew without deleted rows, with updates in place, many small ones as one.

It goes run by run of neighbouring segments, one commit each, so that memory holds one run and a kill loses one at most.
The files it replaces retire: readers of earlier generations go on with them, `purge` removes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from indexer import io, segments, tables
from indexer.generation import Generation
from indexer.holds import Holder
from indexer.manifest import DELETED, QUARANTINE, REMOVED, ROWS, SPACE, UPDATED, FileEntry
from indexer.rows import IdArray
from indexer.store import Store
from indexer.upkeep.held import part
from indexer.writer import Writer

RUN_BYTES = 128 << 20
"""Neighbouring segments are joined up to this size: the memory a step needs is a few times as much."""


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What `compact` did.

    Attributes:
        generation: The state that is committed now.
        rows: Rows in it.
        rows_dropped: Deleted rows that no segment holds any more.
        rows_updated: Updated rows that their segment now holds as they are.
        segments_before: Segments there were.
        segments_after: Segments there are.
        bytes_retired: Bytes of replaced files that are still on disk; `purge` removes them.
        held_by: Open cases that need some of them, and for which `purge` will leave these where they are.
    """

    generation: int
    rows: int
    rows_dropped: int
    rows_updated: int
    segments_before: int
    segments_after: int
    bytes_retired: int
    held_by: tuple[Holder, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def compact(store: Store) -> CompactReport:
    """Write the segments of an index anew, without deleted rows; no answer of the index changes.

    Row ids stay. A reader that opened an earlier generation goes on undisturbed. The store moves to the new generation.

    Raises:
        IndexLockedError: Somebody else is writing.
        DamagedIndexError: A segment cannot be read; everything committed before stays as it was.
        DiskFullError, StorageError: The system refused; the index is whole, at this or the last committed step.
    """
    with store.writer() as writer:
        return compact_with(writer)


def compact_with(writer: Writer) -> CompactReport:
    """As `compact`, by a writer that holds the lock already."""
    before = writer.generation
    deleted, updates = before.deleted, dict(before.updates)
    segments_before = sum(1 for _ in writer.committed.of_kind(ROWS))
    for run in runs(list(writer.committed.of_kind(ROWS))):
        deleted, updates = _rewrite_run(writer, run, deleted, updates)
    _compact_spaces(writer)
    generation = writer.generation
    if _log_is_long(generation, QUARANTINE, len(generation.quarantine)):
        _rewrite_log(writer, QUARANTINE, tables.quarantine_table(list(generation.quarantine.items())))
    if _log_is_long(generation, REMOVED, len(generation.removed)):
        _rewrite_log(writer, REMOVED, tables.removed_table(dict.fromkeys(sorted(generation.removed), True)))
    now = writer.committed
    return CompactReport(
        generation=now.generation,
        rows=len(writer.generation),
        rows_dropped=len(before.deleted) - len(deleted),
        rows_updated=int(np.isin(list(before.updates), before.ids).sum()),
        segments_before=segments_before,
        segments_after=sum(1 for _ in now.of_kind(ROWS)),
        bytes_retired=sum(entry.size for entry in now.retired),
        held_by=part(writer).held_by,
    )


def runs(entries: Sequence[FileEntry]) -> Iterator[tuple[FileEntry, ...]]:
    """Neighbouring segments of `RUN_BYTES` at most together, or one that is larger by itself."""
    run: list[FileEntry] = []
    for entry in entries:
        if run and sum(each.size for each in run) + entry.size > RUN_BYTES:
            yield tuple(run)
            run = []
        run.append(entry)
    if run:
        yield tuple(run)


def _rewrite_run(
    writer: Writer, run: tuple[FileEntry, ...], deleted: IdArray, updates: dict[int, tables.RowUpdate]
) -> tuple[IdArray, dict[int, tables.RowUpdate]]:
    """Commit the run as one segment where that changes anything; returns what stays deleted and updated elsewhere."""
    generation, committed = writer.generation, writer.committed
    directory, number = generation.directory, committed.generation + 1
    schema = tables.rows_schema(None if committed.spaces else committed.contract)
    ids = np.concatenate([segments.read_ids(directory, entry, schema) for entry in run])
    other_deleted = deleted[~np.isin(deleted, ids)]
    inside = set(ids.tolist())
    other_updates = {row_id: update for row_id, update in updates.items() if row_id not in inside}
    is_old = any(tables.CAPTION_SOURCE not in generation.columns[entry.name] for entry in run)
    is_old = is_old or (bool(committed.spaces) and any(map(generation.has_vectors, run)))
    if len(run) == 1 and not is_old and len(other_deleted) == len(deleted) and len(other_updates) == len(updates):
        return deleted, updates
    io.need_space(directory, sum(entry.size for entry in run))
    table = generation.living_rows(run)
    written = [segments.write_table(directory, ROWS, number, table)] if len(table) else []
    files = [*_in_place(committed.files, run, written), *_moved_out(generation, run, number)]
    if len(other_deleted) < len(deleted):
        files = [entry for entry in files if entry.kind != DELETED]
        if len(other_deleted):
            files.append(segments.write_table(directory, DELETED, number, tables.deleted_table(other_deleted.tolist())))
    if len(other_updates) < len(updates):
        files = [entry for entry in files if entry.kind != UPDATED]
        if other_updates:
            files.append(segments.write_table(directory, UPDATED, number, tables.updated_table(other_updates)))
    writer.rewrite(committed.superseded_by(tuple(files)))
    return other_deleted, other_updates


def _moved_out(generation: Generation, run: tuple[FileEntry, ...], number: int) -> list[FileEntry]:
    """The vectors that lie with the rows of a run as a file of their space; none where there is one space alone."""
    committed = generation.manifest
    home = committed.at_home if committed.spaces else None
    files = [entry for entry in run if home is not None and generation.has_vectors(entry)]
    if home is None or not files:
        return []
    ids, vectors = Generation(generation.directory, committed.through(home)).vectors_of(files)
    table = tables.space_table(home, home.split(vectors), ids)
    return [segments.write_table(generation.directory, SPACE + home.space_id, number, table)] if len(ids) else []


def _compact_spaces(writer: Writer) -> None:
    """Commit the files of each space anew, run by run, where they hold vectors of deleted rows or are several."""
    directory = writer.generation.directory
    for contract in writer.committed.spaces:
        here = Generation(directory, writer.committed.through(contract))
        own = [(entry, ids) for entry, ids in here.vector_files if entry.kind != ROWS]
        ascends = all(former[-1] < ids[0] for (_, former), (_, ids) in pairwise(own))
        files = [entry for entry, _ in own]
        for run in runs(files) if ascends else [tuple(files)]:
            ids, vectors = here.vectors_of(run)
            if len(run) == 1 and len(ids) == run[0].rows:
                continue
            io.need_space(directory, sum(entry.size for entry in run))
            committed, kept = writer.committed, [entry for entry in writer.committed.files if entry not in run]
            if len(ids):
                table = tables.space_table(contract, contract.split(vectors), ids)
                kept.append(segments.write_table(directory, run[0].kind, committed.generation + 1, table))
            writer.rewrite(committed.superseded_by(tuple(kept)))


def _in_place(files: Sequence[FileEntry], run: tuple[FileEntry, ...], written: list[FileEntry]) -> list[FileEntry]:
    """The files with the run replaced where it was, so that segments go on ascending by row id."""
    start = files.index(run[0])
    return [*files[:start], *written, *(entry for entry in files[start:] if entry not in run)]


def _log_is_long(generation: Generation, kind: str, entries: int) -> bool:
    files = list(generation.manifest.of_kind(kind))
    return len(files) > 1 or sum(entry.rows for entry in files) > entries


def _rewrite_log(writer: Writer, kind: str, table: pa.Table) -> None:
    """Commit a log as one file of what counts of it."""
    generation, committed = writer.generation, writer.committed
    files = [entry for entry in committed.files if entry.kind != kind]
    if len(table):
        files.append(segments.write_table(generation.directory, kind, committed.generation + 1, table))
    writer.rewrite(committed.superseded_by(tuple(files)))
