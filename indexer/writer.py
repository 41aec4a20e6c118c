"""Changing an index: rows, deletions and quarantine records gather here and appear with one commit, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer import io, manifest, segments, tables, typed
from indexer.checks import check_text, check_unit, to_json
from indexer.errors import BadVectorError, IndexerError, UnknownRowError
from indexer.generation import Generation
from indexer.logs import merge_update
from indexer.manifest import DELETED, QUARANTINE, REMOVED, ROWS, SPACE, UPDATED, Manifest
from indexer.rows import FloatArray, IdArray, QuarantineRecord, RowBatch, removed_key


class Writer:
    """The one writer of an index; made by `Store.writer`, which holds the lock.

    What is gathered since the last commit is kept in memory: commit every few hundred rows.

    Args:
        directory: The index.
        committed: Its newest manifest.
    """

    def __init__(self, directory: Path, committed: Manifest) -> None:
        self._directory, self._process = directory, os.getpid()
        self._start(committed)
        self._quarantine = dict(self._generation.quarantine)
        for path in sorted(directory.iterdir()):
            if manifest.is_leftover(path, committed):
                io.remove_file(path)

    @property
    def committed(self) -> Manifest:
        """The newest committed state."""
        return self._generation.manifest

    @property
    def generation(self) -> Generation:
        """The newest committed state, to read from."""
        return self._generation

    def add(self, batch: RowBatch) -> IdArray:
        """Gather rows; an image of the same name leaves quarantine, a photo that was deleted for good is back.

        Returns:
            The ids the rows will have once committed: int64 [N].

        Raises:
            BadVectorError: The blocks or their dimensions are not those of the contract.
        """
        self._need_open()
        contract = self.committed.contract
        self._need_blocks(batch.blocks)
        ids = np.arange(self._next_row_id, self._next_row_id + len(batch), dtype=np.int64)
        if len(ids):
            if self.committed.spaces:
                self._tables.append(tables.rows_table(None, batch, ids))
                self._vectors.append(tables.space_table(contract, batch.blocks, ids))
            else:
                self._tables.append(tables.rows_table(contract, batch, ids))
            self._gathered["subject_id"].update(zip(ids.tolist(), batch.subject_ids, strict=True))
            self._gathered["image_sha256"].update(zip(ids.tolist(), batch.image_sha256s, strict=True))
            self._next_row_id += len(ids)
        self.release(batch.images)
        for photo, subject in zip(batch.image_sha256s, batch.subject_ids, strict=True):
            self._note_removed(removed_key(photo, subject), False)
            # Earlier versions told a photo alone, also where another subject's row of it stayed: that row is no return.
            if photo in self._generation.removed and not self._committed_rows(photo):
                self._note_removed(photo, False)
        return ids

    def fill(self, row_ids: IdArray, blocks: Mapping[str, FloatArray]) -> None:
        """Gather vectors, in this writer's space, of rows that have none there.

        Args:
            row_ids: int64 [N], ascending.
            blocks: Name → float32 [N, D_block], as `RowBatch.blocks`.

        Raises:
            BadVectorError: The blocks are not those of the contract, or not of unit norm.
            UnknownRowError: A row is not there, or has vectors already.
        """
        self._need_open()
        self._need_blocks(blocks)
        for name, block in blocks.items():
            check_unit(name, block, row_ids.tolist())
        if strangers := np.setdiff1d(row_ids, self._generation.missing)[:5].tolist():
            raise UnknownRowError(
                f"row ids {strangers} of {self._directory}", found="no such rows", expected="rows without vectors"
            )
        if len(row_ids):
            self._vectors.append(tables.space_table(self.committed.contract, blocks, row_ids))
            self._filled.append(row_ids)

    def quarantine(self, records: Iterable[QuarantineRecord]) -> None:
        """Gather photos that could not be enrolled; an image's newest record counts, an equal one changes nothing."""
        self._need_open()
        for record in records:
            if self._quarantine.get(record.image) != record:
                self._quarantine[record.image] = self._log[record.image] = record

    def release(self, images: Iterable[str]) -> int:
        """Gather that images leave quarantine, because the cause is gone; returns how many were in it."""
        self._need_open()
        gone = [image for image in images if self._quarantine.pop(image, None) is not None]
        self._log.update(dict.fromkeys(gone))
        return len(gone)

    def delete(
        self,
        *,
        row_ids: Iterable[int] | IdArray | None = None,
        subject_id: str | None = None,
        image_sha256: str | None = None,
        for_good: bool = False,
    ) -> int:
        """Gather deletions, of rows committed before or gathered here.

        Args:
            row_ids: Which rows, or
            subject_id: all rows of this subject, or
            image_sha256: all rows of the photo with this hex digest.
            for_good: Remember the SHA-256 of the photos' bytes, and nothing else of them, so that whoever enrols the
                folder they came from does not bring them back unasked (`Store.is_removed`). A photo that another
                subject keeps a row of is remembered as this subject's alone. The list outlives compaction and purge,
                and goes into snapshots and exports; adding a row of a photo takes it off the list.

        Returns:
            How many rows.

        Raises:
            UnknownRowError: A row, or any row of the subject or photo, is not there (any more); nothing is gathered
                then.
            IndexerError: None or several of the arguments are given.
        """
        self._need_open()
        if sum(argument is not None for argument in (row_ids, subject_id, image_sha256)) != 1:
            raise IndexerError(
                "delete", found="none or several", expected="one of row_ids, subject_id and image_sha256"
            )
        if row_ids is not None:
            wanted = {int(row_id) for row_id in row_ids}
            self._need_rows(wanted)
        else:
            column, value = ("image_sha256", image_sha256) if subject_id is None else ("subject_id", subject_id)
            wanted = self._rows_where(column, str(value))
            if not wanted:
                raise _unknown(f"{column} {value!r}", self._directory)
        pairs = self._photos(wanted) if for_good else set()
        self._deleted |= wanted
        shared = self._still_there({photo for photo, _ in pairs})
        for photo, subject in pairs:
            self._note_removed(removed_key(photo, subject) if photo in shared else photo, True)
        for row_id in wanted & self._updates.keys():
            del self._updates[row_id]
        return len(wanted)

    def update(self, row_id: int, *, subject_id: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        """Gather a change of a row that keeps its id, vectors and captions.

        The row's content key stays: `index` does not enrol the photo again because of an update.

        Args:
            row_id: Which row, committed before or gathered here.
            subject_id: Whose face it is; None leaves that as it is.
            metadata: All further columns of the row, JSON values, in place of those it has; None leaves them.

        Raises:
            UnknownRowError: The row is not there (any more).
            BadRowError: A value cannot be stored.
            IndexerError: Nothing to change was given.
        """
        self._need_open()
        if subject_id is None and metadata is None:
            raise IndexerError(f"update of row {row_id}", found="no change", expected="subject_id, metadata or both")
        self._need_rows({row_id})
        if subject_id is not None:
            check_text(f"subject_id of row {row_id}", subject_id)
        text = None if metadata is None else to_json(f"metadata of row {row_id}", metadata)
        merge_update(self._updates, row_id, (subject_id, text))
        if subject_id is not None:
            self._gathered["subject_id"][row_id] = subject_id

    def commit(self) -> int:
        """Make all that was gathered part of the index, durably and at once.

        Returns:
            The generation that is now committed; the same as before where nothing was gathered.

        Raises:
            DiskFullError, StorageError: The index is at its last committed state (at the new one only where the very
                last fsync failed), and this writer is closed.
        """
        self._need_open()
        number = self.committed.generation + 1
        fresh: dict[str, pa.Table] = {}
        if self._tables:
            fresh[ROWS] = typed.together(self._tables)
        if self._vectors:
            fresh[SPACE + self.committed.contract.space_id] = pa.concat_tables(self._vectors)
        if self._deleted:
            fresh[DELETED] = tables.deleted_table(sorted(self._deleted))
        if self._updates:
            fresh[UPDATED] = tables.updated_table(self._updates)
        if self._log:
            fresh[QUARANTINE] = tables.quarantine_table(list(self._log.items()))
        if self._removed:
            fresh[REMOVED] = tables.removed_table(self._removed)
        if fresh:
            # Closed until it is known to be whole: after an error nobody can tell whether the manifest reached the
            # disk, and a second commit of the same number would write over files that it may list.
            self.close()
            # Else each commit of a long filling would look into the files of all before it.
            left = np.setdiff1d(self._generation.missing, np.concatenate(self._filled)) if self._filled else None
            files = [segments.write_table(self._directory, kind, number, table) for kind, table in fresh.items()]
            self._publish(self.committed.next(files, self._next_row_id))
            if left is not None and not fresh.keys() & {ROWS, DELETED}:
                self._generation.__dict__["missing"] = left
        return self.committed.generation

    def rewrite(self, fresh: Manifest) -> None:
        """Make `fresh`, whose files are on disk, the committed state: compaction and purge, which change no row.

        Raises:
            IndexerError: Changes were gathered and not committed.
            DiskFullError, StorageError: As `commit`.
        """
        self._need_open()
        if self._tables or self._vectors or self._deleted or self._updates or self._log or self._removed:
            raise IndexerError(str(self._directory), found="changes not committed yet", expected="none", do="commit")
        self.close()
        self._publish(fresh)

    def close(self) -> None:
        """Accept no further change; what was not committed is discarded."""
        self._is_open = False

    def _publish(self, fresh: Manifest) -> None:
        manifest.write_manifest(self._directory, fresh)
        self._start(fresh)

    def _start(self, committed: Manifest) -> None:
        self._generation = Generation(self._directory, committed)
        self._next_row_id = committed.next_row_id
        self._tables: list[pa.Table] = []
        self._vectors: list[pa.Table] = []
        self._filled: list[IdArray] = []
        # What rows are told by, where it is not (yet) as the committed state says: column → row id → value.
        self._gathered: dict[str, dict[int, str]] = {"subject_id": {}, "image_sha256": {}}
        self._updates: dict[int, tables.RowUpdate] = {}
        self._deleted: set[int] = set()
        self._log: dict[str, QuarantineRecord | None] = {}
        self._removed: dict[str, bool] = {}
        self._is_open = True

    def _need_blocks(self, blocks: Mapping[str, FloatArray]) -> None:
        contract = self.committed.contract
        found = {name: block.shape[1] for name, block in blocks.items()}
        expected = {block.name: block.dim for block in contract.blocks}
        if found != expected:
            wrong = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
            raise BadVectorError(
                f"{self._directory}: blocks of the batch differ in {', '.join(wrong)}",
                found=", ".join(f"{name}[{found[name]}]" if name in found else f"no {name}" for name in wrong),
                expected=", ".join(f"{name}[{expected[name]}]" if name in expected else f"no {name}" for name in wrong),
                do="give every block of the index's contract, zeros where a row has none",
            )

    def _need_open(self) -> None:
        if self._process != os.getpid():
            raise IndexerError(
                f"the writer of {self._directory}",
                found=f"process {os.getpid()}, forked from process {self._process} in the writer's block",
                expected="the process that opened it",
                do="open a new one with `store.writer()` when that process is done",
            )
        if not self._is_open:
            raise IndexerError(
                f"the writer of {self._directory} is closed",
                found="its block was left, or a commit failed",
                do="open a new one with `store.writer()`",
            )

    def _note_removed(self, key: str, is_removed: bool) -> None:
        if is_removed == (key in self._generation.removed):
            self._removed.pop(key, None)
        else:
            self._removed[key] = is_removed

    def _photos(self, ids: set[int]) -> set[tuple[str, str]]:
        """(SHA-256, subject) of rows, as they are told now."""
        photos, subjects = self._gathered["image_sha256"], self._gathered["subject_id"]
        rows = self._generation.rows(sorted(ids - photos.keys()), chips=False)
        committed = {(row.image_sha256, subjects.get(row.row_id, row.subject_id)) for row in rows}
        return committed | {(photos[row_id], subjects[row_id]) for row_id in ids & photos.keys()}

    def _still_there(self, photos: set[str]) -> set[str]:
        """Which of these photos have a row, committed or gathered, that is not deleted here: one look at the column."""
        column = self._generation.column("image_sha256").combine_chunks()
        at = pc.indices_nonzero(pc.is_in(column, pa.array(sorted(photos), column.type)))
        ids = self._generation.ids[np.from_dlpack(at)].tolist()
        committed = zip(ids, column.take(at).to_pylist(), strict=True)
        rows = (*committed, *self._gathered["image_sha256"].items())
        return {photo for row_id, photo in rows if row_id not in self._deleted} & photos

    def _committed_rows(self, photo: str) -> bool:
        """Whether the committed state has a row of a photo; those deleted here count."""
        return bool(pc.any(pc.equal(self._generation.column("image_sha256").combine_chunks(), photo)).as_py())

    def _need_rows(self, ids: set[int]) -> None:
        if gone := ids & self._deleted:
            raise _unknown(f"row ids {sorted(gone)[:5]}", self._directory)
        self._generation.positions(sorted(ids - self._gathered["image_sha256"].keys()))

    def _rows_where(self, column: str, value: str) -> set[int]:
        """Rows whose column has this value now, committed or gathered; those deleted here are left out."""
        gathered = self._gathered[column]
        same = pc.indices_nonzero(pc.equal(self._generation.column(column).combine_chunks(), value))
        committed = set(self._generation.ids[np.from_dlpack(same)].tolist()) - gathered.keys()
        return (committed | {row_id for row_id, own in gathered.items() if own == value}) - self._deleted


def _unknown(what: str, directory: Path) -> UnknownRowError:
    return UnknownRowError(f"{what} of {directory}", found="no such rows, or deleted ones", expected="rows")
