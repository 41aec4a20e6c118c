"""Repair: what can be put right without losing or inventing anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from indexer import caches, io, lock
from indexer.errors import IndexerError
from indexer.manifest import FileEntry, Manifest, is_leftover, read_manifest, write_manifest
from indexer.verify import VerifyReport, verify


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `repair` did.

    Attributes:
        repaired: What was put right, a sentence each.
        report: What `verify` found afterwards.
    """

    repaired: tuple[str, ...]
    report: VerifyReport


def repair(path: str | Path) -> RepairReport:
    """Put right what can be without data loss, then verify.

    Removed are temporary files and segments that no commit refers to, as a killed writer leaves them, damaged files
    that a compaction has replaced, and damaged caches; a record of a writer that was killed is cleared from LOCK. Never
    touched are the files of the committed state, whole or damaged, and files that this program cannot account for.

    Raises:
        NotAnIndexError: There is no index at `path`.
        IndexLockedError: Somebody is writing: what lies about may be theirs.
        DiskFullError, StorageError: The system refused.
    """
    path = Path(path)
    first = verify(path)  # also refuses what is no index, before a lock file is put there
    repaired: list[str] = []
    record = path / lock.LOCK_NAME
    stale = record.is_file() and record.stat().st_size > 0 and not lock.is_held(path)
    with lock.hold(path):
        try:
            committed = read_manifest(path)
        except IndexerError:
            return RepairReport((), first)  # without a manifest nobody can tell what is needed
        for leftover in sorted(path.iterdir()):
            if is_leftover(leftover, committed):
                io.remove_file(leftover)
                repaired.append(f"{leftover.name}: removed, no commit refers to it")
        if damaged := {entry for entry in committed.retired if not _is_whole(path, entry)}:
            repaired += _forget(path, committed, damaged)
        for cache in caches.mend(path):
            repaired.append(f"{cache.relative_to(path)}: damaged cache, removed; it is made again when it is needed")
    if stale:
        repaired.append(f"{lock.LOCK_NAME}: cleared, it named a writer that was killed")
    return RepairReport(tuple(repaired), verify(path))


def _is_whole(directory: Path, entry: FileEntry) -> bool:
    try:
        return entry.holds(io.read_file(directory / entry.name))
    except IndexerError:
        return False


def _forget(path: Path, committed: Manifest, damaged: set[FileEntry]) -> list[str]:
    """Drop damaged retired files: their rows are in the segments that replaced them, or were deleted."""
    io.remove_files(path / entry.name for entry in damaged if (path / entry.name).is_file())
    write_manifest(path, committed.without_retired(damaged))
    return [f"{entry.name}: damaged, removed; a compaction had replaced it" for entry in sorted(damaged, key=str)]
