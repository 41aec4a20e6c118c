"""Changing an index: rows, deletions and quarantine records gather here and appear with one commit, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from indexer import io, manifest, segments
from indexer.errors import BadVectorError, IndexerError, UnknownRowError
from indexer.generation import Generation
from indexer.manifest import DELETED, QUARANTINE, ROWS, Manifest
from indexer.rows import IdArray, QuarantineRecord, RowBatch


class Writer:
    """The one writer of an index; made by `Store.writer`, which holds the lock.

    What is gathered since the last commit is kept in memory: commit every few hundred rows.

    Args:
        directory: The index.
        committed: Its newest manifest.
    """

    def __init__(self, directory: Path, committed: Manifest) -> None:
        self._directory = directory
        self._start(committed)
        self._quarantine = dict(self._generation.quarantine)
        for path in sorted(directory.iterdir()):
            if manifest.is_leftover(path, committed):
                io.remove_file(path)

    @property
    def committed(self) -> Manifest:
        """The newest committed state."""
        return self._generation.manifest

    def add(self, batch: RowBatch) -> IdArray:
        """Gather rows; an image of the same name leaves quarantine.

        Returns:
            The ids the rows will have once committed: int64 [N].

        Raises:
            BadVectorError: The blocks or their dimensions are not those of the contract.
        """
        self._need_open()
        contract = self.committed.contract
        found = {name: block.shape[1] for name, block in batch.blocks.items()}
        expected = {block.name: block.dim for block in contract.blocks}
        if found != expected:
            wrong = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
            raise BadVectorError(
                f"{self._directory}: blocks of the batch differ in {', '.join(wrong)}",
                found=", ".join(f"{name}[{found[name]}]" if name in found else f"no {name}" for name in wrong),
                expected=", ".join(f"{name}[{expected[name]}]" if name in expected else f"no {name}" for name in wrong),
                do="give every block of the index's contract, zeros where a row has none",
            )
        ids = np.arange(self._next_row_id, self._next_row_id + len(batch), dtype=np.int64)
        if len(ids):
            self._tables.append(segments.rows_table(contract, batch, ids))
            self._added.update(zip(ids.tolist(), batch.subject_ids, strict=True))
            self._next_row_id += len(ids)
        for image in batch.images:
            if self._quarantine.pop(image, None) is not None:
                self._log[image] = None
        return ids

    def quarantine(self, records: Iterable[QuarantineRecord]) -> None:
        """Gather photos that could not be enrolled; an image's newest record counts, an equal one changes nothing."""
        self._need_open()
        for record in records:
            if self._quarantine.get(record.image) != record:
                self._quarantine[record.image] = self._log[record.image] = record

    def delete(self, *, row_ids: Iterable[int] | IdArray | None = None, subject_id: str | None = None) -> int:
        """Gather deletions, of rows committed before or gathered here.

        Args:
            row_ids: Which rows, or
            subject_id: all rows of this subject.

        Returns:
            How many rows.

        Raises:
            UnknownRowError: A row, or any row of the subject, is not there (any more); nothing is gathered then.
            IndexerError: Both or neither of the arguments are given.
        """
        self._need_open()
        if (row_ids is None) == (subject_id is None):
            raise IndexerError("delete", found="both or neither", expected="one of row_ids and subject_id")
        if row_ids is not None:
            wanted = {int(row_id) for row_id in row_ids}
            gone = wanted & self._deleted
            self._generation.positions(sorted(wanted - self._added.keys()))
        else:
            codes, names = self._generation.subjects
            mine = codes == names.index(subject_id) if subject_id in names else np.zeros(len(codes), bool)
            wanted = {
                *self._generation.ids[mine].tolist(),
                *(i for i, name in self._added.items() if name == subject_id),
            }
            wanted -= self._deleted
            gone = set()
        if gone or (subject_id is not None and not wanted):
            what = f"row ids {sorted(gone)[:5]}" if gone else f"subject {subject_id!r}"
            raise UnknownRowError(
                f"{what} of {self._directory}", found="no such rows, or deleted ones", expected="rows"
            )
        self._deleted |= wanted
        return len(wanted)

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
        tables: dict[str, pa.Table] = {}
        if self._tables:
            tables[ROWS] = pa.concat_tables(self._tables)
        if self._deleted:
            tables[DELETED] = segments.deleted_table(sorted(self._deleted))
        if self._log:
            tables[QUARANTINE] = segments.quarantine_table(list(self._log.items()))
        if tables:
            # Closed until it is known to be whole: after an error nobody can tell whether the manifest reached the
            # disk, and a second commit of the same number would write over files that it may list.
            self.close()
            files = [segments.write_table(self._directory, kind, number, table) for kind, table in tables.items()]
            fresh = self.committed.next(files, self._next_row_id)
            manifest.write_manifest(self._directory, fresh)
            self._start(fresh)
        return self.committed.generation

    def close(self) -> None:
        """Accept no further change; what was not committed is discarded."""
        self._is_open = False

    def _start(self, committed: Manifest) -> None:
        self._generation = Generation(self._directory, committed)
        self._next_row_id = committed.next_row_id
        self._tables: list[pa.Table] = []
        self._added: dict[int, str] = {}
        self._deleted: set[int] = set()
        self._log: dict[str, QuarantineRecord | None] = {}
        self._is_open = True

    def _need_open(self) -> None:
        if not self._is_open:
            raise IndexerError(
                f"the writer of {self._directory} is closed",
                found="its block was left, or a commit failed",
                do="open a new one with `store.writer()`",
            )
