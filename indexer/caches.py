"""The folder `cache/` of an index: what can be made again from its files, kept because making it takes time.

Nothing in it is ever the truth. A file counts only for the state whose key is in its name, and only while it agrees
with the checksum at its end; otherwise it is made anew. It can be removed at any time, and `purge` removes all of it.
"""

from __future__ import annotations

import hashlib
import mmap
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from indexer import io, lock
from indexer.checksums import TRAILER, is_whole, summed
from indexer.errors import IndexLockedError, StorageError
from indexer.manifest import DELETED, ROWS, Manifest, canonical, read_manifest
from indexer.rows import FloatArray

CACHE_NAME = "cache"
MAPPED_SUFFIX = ".f32"
WAIT_SECONDS = 60.0
"""How long a purge waits for a cache that is being written."""


def key_of(committed: Manifest) -> str:
    """What the caches of a state are named by: equal only where rows and tombstones are the same."""
    files = [entry.sha256 for kind in (ROWS, DELETED) for entry in committed.of_kind(kind)]
    files += [entry.sha256 for entry in committed.files if entry.kind != ROWS and committed.vectors_in(entry)]
    if committed.spaces and committed.at_home != committed.contract:
        files.append(committed.contract.space_id)
    blocks = [[block.name, block.dim] for block in committed.contract.blocks]
    return hashlib.sha256(canonical({"files": files, "blocks": blocks})).hexdigest()[:32]


def keep(directory: Path, committed: Manifest, name: str, parts: Iterable[Any]) -> Path | None:
    """Write a cache file of the state `committed`; what an earlier state had under that name goes.

    It is not synced to the disk: what a loss of power leaves of it does not agree with its checksum.

    Args:
        directory: The index.
        committed: The state it was made from.
        name: What it is, for instance `vectors.f32`.
        parts: Its content, bytes or C-ordered arrays, one after another.

    Returns:
        The file; None where it cannot be kept: no right to write, no space, the state is not the newest any more, or
        somebody is changing the index or its caches.

    Raises:
        DamagedIndexError: The content comes from files that cannot be read.
    """
    path = _path(directory, committed, name)
    try:
        with writing(directory, committed) as allowed:
            if not allowed:
                return None
            io.remove_files(sorted(path.parent.glob(f"*{name.split('.')[0]}-*")))
            io.write_file(path, summed(parts), durable=False)
    except StorageError:
        return None
    return path


@contextmanager
def writing(directory: Path, committed: Manifest) -> Iterator[bool]:
    """Hold the lock of the caches; yields whether a cache of the state `committed` may be written now.

    It may not where that state is not the newest any more, or somebody is changing the index or writing a cache: a
    purge waits for this lock, and must not find its work undone behind it by a reader of an earlier state.

    Raises:
        StorageError: The system refused, as on a disk that may only be read.
    """
    folder = directory / CACHE_NAME
    io.make_directory(folder)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock.hold(folder))
        except IndexLockedError:
            yield False
            return
        yield not lock.is_held(directory) and key_of(_seen_as(committed, read_manifest(directory))) == key_of(committed)


def _seen_as(before: Manifest, newest: Manifest) -> Manifest:
    """The newest state through the same space, where it is still there."""
    own = newest.contracts.get(before.contract.space_id)
    return newest if own is None else newest.through(own)


def find(directory: Path, committed: Manifest, name: str) -> Path | None:
    """The whole cache file of a state; None where there is none, or a damaged one. Reads all of it."""
    path = _path(directory, committed, name)
    return path if path.is_file() and is_whole(path) else None


def note(directory: Path, committed: Manifest, name: str, data: bytes) -> bool:
    """Keep a small file that says what happened to an index lately, over the one before; a purge takes it along.

    Args:
        directory: The index.
        committed: The state it tells of, the newest.
        name: File name.
        data: Its content.

    Returns:
        Whether it was kept; see `keep`.
    """
    try:
        with writing(directory, committed) as allowed:
            if allowed:
                io.write_file(directory / CACHE_NAME / name, data, durable=False)
            return allowed
    except StorageError:
        return False


def map_vectors(path: Path, dim: int) -> FloatArray:
    """A cache file of vectors as an array that the system reads where it is looked at: float32 [N, dim]."""
    rows = (path.stat().st_size - TRAILER) // (4 * dim)
    # Copy on write: nobody writes to it, but libraries warn of arrays that could not be written to.
    mapped: FloatArray = np.asarray(np.memmap(path, np.dtype("<f4"), "c", shape=(rows, dim)))
    return mapped


def let_go(vectors: FloatArray) -> None:
    """Tell the system that pages of mapped vectors need not stay in memory; of other arrays, nothing.

    Who has read every row to build something smaller would otherwise seem to need both.
    """
    base: Any = vectors
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def forget(directory: Path) -> int:
    """Remove everything in the folder of caches; waits for whoever is writing one. Returns how many files there were.

    Raises:
        IndexLockedError: A cache was being written all the while.
        StorageError: The system refused.
    """
    folder = directory / CACHE_NAME
    if not folder.is_dir():
        return 0
    with lock.hold_patiently(folder, WAIT_SECONDS):
        paths = files(directory)
        io.remove_files(paths)
        for inner in folder.iterdir():
            if inner.is_dir():
                io.on_step("remove", inner)
                shutil.rmtree(inner)
    return len(paths)


def mend(directory: Path) -> list[Path]:
    """Remove damaged caches, what killed writers of caches left, and the record of such a one; returns the files.

    Raises:
        IndexLockedError: A cache was being written all the while.
        StorageError: The system refused.
    """
    folder = directory / CACHE_NAME
    if not folder.is_dir():
        return []
    with lock.hold_patiently(folder, WAIT_SECONDS):
        left = [path for path in files(directory) if path.name.startswith(io.TMP_PREFIX)]
        wrong = [*left, *damaged(directory)]
        io.remove_files(wrong)
    return wrong


def files(directory: Path) -> list[Path]:
    """Every file in the folder of caches, at any depth, but for its lock."""
    folder = directory / CACHE_NAME
    found = folder.rglob("*") if folder.is_dir() else ()
    return sorted(path for path in found if not path.is_dir() and path != folder / lock.LOCK_NAME)


def size(directory: Path) -> int:
    """Bytes of all caches."""
    total = 0
    for path in files(directory):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def damaged(directory: Path) -> list[Path]:
    """Mapped files that do not agree with their checksum; nothing that is just being written."""
    return [path for path in files(directory) if _is_mapped(path) and not is_whole(path) and path.exists()]


def _is_mapped(path: Path) -> bool:
    # Files of other endings are the search backends' own: these check them when they read them.
    return path.suffix == MAPPED_SUFFIX and not path.name.startswith(io.TMP_PREFIX)


def _path(directory: Path, committed: Manifest, name: str) -> Path:
    stem, suffix = name.split(".")
    return directory / CACHE_NAME / f"{stem}-{key_of(committed)}.{suffix}"
