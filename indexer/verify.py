"""Is every byte of an index what was written? And does what was written agree with itself?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer import caches, holds, io, lock, segments, tables, watches
from indexer.checks import check_unit
from indexer.errors import DamagedIndexError, FormatVersionError, IndexerError, NotAnIndexError
from indexer.generation import Generation
from indexer.manifest import DELETED, MANIFEST_NAME, ROWS, UPDATED, FileEntry, Manifest, is_leftover, read_manifest
from indexer.watch_file import read_watch

ROWS_AT_ONCE = 2048


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found.

    Attributes:
        ok: True only where the index is whole.
        files: How many files were read.
        bytes: How many bytes were read.
        rows: Rows that are there, deleted ones not counted; 0 where the manifest cannot be read.
        problems: Each names a file and what is wrong with it.
        notes: What is unusual and harmless.
    """

    ok: bool
    files: int
    bytes: int
    rows: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify(path: str | Path) -> VerifyReport:
    """Read every byte of every file of the index at `path` and check it.

    Checked are the manifest against its own digest; each file's presence, size and SHA-256; unexpected files; then row
    counts, unique ids, unit norms, and that deletions refer to rows. An index that is being written is checked at its
    newest commit. Nothing is changed.

    Raises:
        NotAnIndexError: There is no index at `path`.
    """
    path = Path(path)
    while True:
        report, generation = _verify_once(path)
        if report.ok or generation is None or generation == _newest(path):
            return report
        # Files of the state that was being checked were purged meanwhile: the newer state is the one to check.


def _newest(path: Path) -> int | None:
    try:
        return read_manifest(path).generation
    except IndexerError:
        return None


def _verify_once(path: Path) -> tuple[VerifyReport, int | None]:
    """What was found, and the generation that was checked; None where the manifest cannot be read."""
    is_written = lock.is_held(path)  # asked first: what a writer leaves behind after this is explained by it
    check = _Check(path)
    try:
        committed = read_manifest(path)
    except NotAnIndexError:
        if not (path / MANIFEST_NAME).is_file():
            raise
        check.problems.append(f"{MANIFEST_NAME}: not the manifest of an index")
        return check.report(0), None
    except (DamagedIndexError, FormatVersionError) as error:
        check.problems.append(str(error))
        return check.report(0), None
    check.count(len(committed.to_bytes()))
    for entry in committed.files:
        check.file(entry)
    check.retired(committed)
    check.others(committed, is_written)
    if not check.problems:  # content is worth a look only where the bytes are the right ones
        check.content(Generation(path, committed))
    return check.report(len(Generation(path, committed))), committed.generation


class _Check:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.files = self.bytes = 0

    def report(self, rows: int) -> VerifyReport:
        return VerifyReport(not self.problems, self.files, self.bytes, rows, tuple(self.problems), tuple(self.notes))

    def count(self, size: int) -> None:
        self.files += 1
        self.bytes += size

    def file(self, entry: FileEntry) -> None:
        try:
            size, sha256 = io.digest_file(self.directory / entry.name)
        except IndexerError as error:
            self.problems.append(str(error))
            return
        self.count(size)
        if size != entry.size:
            self.problems.append(f"{entry.name}: {size} bytes, {entry.size} were written")
        elif sha256 != entry.sha256:
            self.problems.append(f"{entry.name}: SHA-256 differs from the one committed")

    def retired(self, committed: Manifest) -> None:
        """What a compaction replaced: its bytes must be right as long as a reader may still read them."""
        before = len(self.problems)
        there = [entry for entry in committed.retired if (self.directory / entry.name).exists()]
        for entry in there:
            self.file(entry)
        self.problems[before:] = [f"{problem} (replaced by a compaction)" for problem in self.problems[before:]]
        if committed.retired:
            size = sum(entry.size for entry in there)
            self.notes.append(
                f"{len(there)} files ({size} bytes) are kept for readers of earlier generations; purge removes them"
            )

    def others(self, committed: Manifest, is_written: bool) -> None:
        known = {MANIFEST_NAME, *(entry.name for entry in (*committed.files, *committed.retired))}
        for path in sorted(self.directory.iterdir()):
            if path.name in known:
                continue
            if path.name == lock.LOCK_NAME and path.is_file():
                self._lock(path, is_written, "the index is being written; checked at its newest commit")
            elif path.name == caches.CACHE_NAME and path.is_dir():
                self._caches()
            elif path.name == holds.HOLDS and path.is_dir():
                self._holds()
            elif path.name == watches.FOLDER and path.is_dir():
                self._watches(path)
            elif is_leftover(path, committed):
                owner = (
                    "of the writer at work" if is_written else "of a writer that was killed; the next one removes it"
                )
                self.notes.append(f"{path.name}: {owner}")
            else:
                self.problems.append(f"{path.name}: does not belong to the index")

    def _lock(self, path: Path, is_held: bool, work: str) -> None:
        data, name = io.read_file(path), path.relative_to(self.directory)
        self.count(len(data))
        if is_held:
            self.notes.append(f"{name}: {work}")
        elif data and lock.read_owner(data) is None:
            self.problems.append(f"{name}: neither empty nor the record of an owner")
        elif data:
            self.notes.append(f"{name}: names a writer that was killed; the next one overwrites it")

    def content(self, generation: Generation) -> None:
        committed = generation.manifest
        schema = tables.rows_schema(None if committed.spaces else committed.contract)
        try:
            written = [
                segments.read_columns(self.directory, entry, schema, ["row_id"]) for entry in committed.of_kind(ROWS)
            ]
            ids = np.concatenate([np.empty(0, np.int64), *(segments.to_numpy(table["row_id"]) for table in written)])
            if (np.diff(ids) <= 0).any() or (ids < 0).any() or (ids >= committed.next_row_id).any():
                self.problems.append("row ids: not ascending, or not below the next id of the manifest")
            deleted = generation.deleted
            if len(np.unique(deleted)) != len(deleted) or not np.isin(deleted, ids).all():
                self.problems.append(f"{DELETED}: refers to rows that are not there, or twice to one")
            if not np.isin(list(generation.updates), ids).all():
                self.problems.append(f"{UPDATED}: refers to rows that are not there")
            self._living(generation)
            _ = generation.quarantine, generation.removed
        except IndexerError as error:
            self.problems.append(str(error))

    def _living(self, generation: Generation) -> None:
        """Every row that is there can be read, and its blocks are unit vectors; a few thousand in memory at once."""
        committed = generation.manifest
        for space_id, contract in committed.contracts.items():
            here = Generation(self.directory, committed.through(contract))
            there = np.concatenate([np.empty(0, np.int64), *(ids for _, ids in here.vector_files)])
            if len(np.unique(there)) != len(there) or (there >= committed.next_row_id).any():
                self.problems.append(f"space {space_id}: vectors twice of one row, or of rows that were never there")
                continue
            if len(here.missing):
                self.notes.append(f"space {space_id}: no vectors yet of {len(here.missing)} rows")
            for ids, part in here.vector_parts():
                names = [f"id {row_id}" for row_id in ids.tolist()]
                for name, block in contract.split(part).items():
                    check_unit(name, block, names)
        for start in range(0, len(generation), ROWS_AT_ONCE):
            generation.rows(generation.ids[start : start + ROWS_AT_ONCE], chips=True, crops=True)

    def _holds(self) -> None:
        """What open cases need: a damaged hold would let a purge take it from them."""
        folder, found = self.directory / holds.HOLDS, []
        for path in holds.files(self.directory):
            self.count(path.stat().st_size)
            try:
                found.append(holds.read_hold(path))
            except IndexerError as error:
                self.problems.append(str(error))
        known = {path.name for path in holds.files(self.directory)}
        for path in sorted(folder.iterdir()):
            if path.name == lock.LOCK_NAME:
                self._lock(path, lock.is_held(folder), "a hold is being written")
            elif path.name.startswith(io.TMP_PREFIX):
                self.notes.append(f"{path.relative_to(self.directory)}: of a process that was killed")
            elif path.name not in known:
                self.problems.append(f"{path.relative_to(self.directory)}: does not belong to the index")
        if cases := sorted({hold.case for hold in found if not hold.purged}):
            self.notes.append(f"{holds.HOLDS}: {len(found)} searches of {len(cases)} open cases: {', '.join(cases)}")

    def _watches(self, folder: Path) -> None:
        """Stored queries with what they found: no part of the rows, and nothing that could be made again."""
        found = 0
        for path in sorted(folder.iterdir()):
            if path.name == lock.LOCK_NAME:
                self._lock(path, lock.is_held(folder), "the watches are being changed")
            elif path.name.startswith(io.TMP_PREFIX):
                self.notes.append(
                    f"{folder.name}/{path.name}: of a writer that was killed; the next one writes over it"
                )
            else:
                try:
                    self.count(len(read_watch(path).to_bytes()))
                    found += 1
                except IndexerError as error:
                    self.problems.append(str(error))
        if found:
            self.notes.append(f"{folder.name}: {found} stored probes with their hits; snapshots and exports have none")

    def _caches(self) -> None:
        """No part of the state; but a damaged one should be known, though nothing uses it."""
        paths = caches.files(self.directory)
        self.files += len(paths)
        self.bytes += caches.size(self.directory)
        for path in caches.damaged(self.directory):
            self.problems.append(f"{path.relative_to(self.directory)}: a damaged cache; it is not used")
        if paths:
            self.notes.append(f"{caches.CACHE_NAME}: {len(paths)} files that can be made again; purge removes them")
        record = self.directory / caches.CACHE_NAME / lock.LOCK_NAME
        if record.is_file():
            self._lock(record, lock.is_held(record.parent), "a cache is being written")
