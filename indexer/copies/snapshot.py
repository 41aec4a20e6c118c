"""Snapshots: a copy of one committed state that is an index itself, and the way back from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from indexer import io
from indexer.copies.build import need_nothing, new_directory
from indexer.errors import DamagedIndexError
from indexer.manifest import RESTORE, Manifest, read_manifest, write_manifest
from indexer.store import Store
from indexer.verify import verify


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What `snapshot` and `restore` did.

    Attributes:
        path: The new directory.
        index_id: Of the index; a copy keeps it.
        generation: The state that was copied.
        rows: Rows in it.
        files: Files written, the manifest among them.
        bytes: Their bytes.
    """

    path: str
    index_id: str
    generation: int
    rows: int
    files: int
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def snapshot(store: Store, target: str | Path) -> CopyReport:
    """Copy the state that `store` is at; writers go on meanwhile. The copy is an index: open, search or verify it.

    Every file is checked against the manifest as it is copied. Deleted rows that no compaction has dropped are in the
    copy as they are in the index: a purge of the index does not reach snapshots made before.

    Raises:
        IndexExistsError: There is something at `target`.
        DamagedIndexError: A file of the index is not as it was committed.
        DiskFullError, StorageError: The system refused; there is nothing at `target`.
    """
    return _copy(store.path, store.manifest, Path(target))


def restore(source: str | Path, path: str | Path) -> CopyReport:
    """Make an index at `path` from a snapshot, checked byte by byte before and while it is copied.

    Row ids, index id and generation are the snapshot's: rows added to the original after it are not known to the copy,
    whose next rows take the same ids. Go on with one of the two.

    Raises:
        IndexExistsError: There is an index, or something else, at `path`: a live index is never written over.
        NotAnIndexError: `source` is no snapshot.
        DamagedIndexError: The snapshot is not whole.
        DiskFullError, StorageError: The system refused; there is nothing at `path`.
    """
    need_nothing(Path(path))  # before a large snapshot is read
    report = verify(source)
    if not report.ok:
        raise DamagedIndexError(
            str(source), found="; ".join(report.problems[:3]), expected="a whole snapshot", do=RESTORE
        )
    return _copy(Path(source), read_manifest(Path(source)), Path(path))


def _copy(source: Path, committed: Manifest, target: Path) -> CopyReport:
    copied = replace(committed, retired=())
    with new_directory(target, sum(entry.size for entry in copied.files)) as building:
        for entry in copied.files:
            data = io.read_file(source / entry.name)
            if not entry.holds(data):
                raise DamagedIndexError(
                    str(source / entry.name), found="other bytes", expected="the file as committed", do=RESTORE
                )
            io.write_file(building / entry.name, data)
        write_manifest(building, copied)
    sizes = [entry.size for entry in copied.files] + [len(copied.to_bytes())]
    rows = len(Store(target, copied, "exact"))
    return CopyReport(str(target), copied.index_id, copied.generation, rows, len(sizes), sum(sizes))
