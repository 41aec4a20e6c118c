"""The one door through which the index writes: nothing else in this package changes a file.

A file appears whole or not at all: temporary file, fsync, `os.replace`, fsync of the directory. Every action announces
itself to `on_step` first, so that a test can fail it, or kill the process, at each single one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import DamagedIndexError, DiskFullError, StorageError

TMP_PREFIX = ".tmp-"
SPARE_BYTES = 16 << 20
"""Left free beside what a job needs: the manifest and the tombstones of whoever must still be able to delete."""
_CHUNK = 1 << 20
_NO_DIRECTORY_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""A network file system without this operation (CIFS, sshfs): the server decides when a new name is on its disk."""


def _pass(step: str, path: Path) -> None:
    """Let every action happen."""


on_step: Callable[[str, Path], None] = _pass
"""Called with (action, path) first: `mkdir`, `write`, `fsync`, `replace`, `sync-directory`, `remove`, `lock`."""


def write_file(path: Path, data: bytes | Iterable[bytes | memoryview], *, durable: bool = True) -> None:
    """Put `data` at `path`; an older file of that name is replaced in one step.

    Args:
        path: Where.
        data: The content, or its parts one after another.
        durable: Synced to the disk before it gets its name; False for what can be made again.

    Raises:
        DiskFullError: No space left; what was at `path` is still there.
        StorageError: The system refused for another reason.
    """
    tmp = path.with_name(TMP_PREFIX + path.name)
    with _clear_errors(path):
        try:
            with tmp.open("wb") as file:
                on_step("write", tmp)
                for part in (data,) if isinstance(data, bytes) else data:
                    file.write(part)
                file.flush()
                if durable:
                    on_step("fsync", tmp)
                    os.fsync(file.fileno())
            on_step("replace", path)
            tmp.replace(path)
        except BaseException:
            tmp.unlink(missing_ok=True)  # a full disk should not stay fuller than it must
            raise
        if durable:
            _sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Make `path` and its parents; no error where it is there already.

    Raises:
        DiskFullError, StorageError: As `write_file`.
    """
    if path.is_dir():
        return
    with _clear_errors(path):
        on_step("mkdir", path)
        path.mkdir(parents=True, exist_ok=True)
        _sync_directory(path.parent)


def replace_directory(path: Path, target: Path) -> None:
    """Give a finished directory its place in one step; there may be an empty directory.

    Raises:
        DiskFullError, StorageError: As `write_file`.
    """
    with _clear_errors(target):
        _sync_directory(path)
        on_step("replace", target)
        path.replace(target)
        _sync_directory(target.parent)


def remove_file(path: Path) -> None:
    """Remove a file that no committed state knows.

    Raises:
        StorageError: The system refused.
    """
    with _clear_errors(path):
        on_step("remove", path)
        path.unlink()


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files for good: they are gone also after a loss of power.

    Raises:
        StorageError: The system refused; some may be gone.
    """
    directories = []
    for path in paths:
        remove_file(path)
        directories.append(path.parent)
    for directory in dict.fromkeys(directories):
        with _clear_errors(directory):
            _sync_directory(directory)


def open_lock(path: Path) -> int:
    """Open the lock file for reading and writing, made where it is missing; returns the descriptor.

    Raises:
        DiskFullError, StorageError: As `write_file`.
    """
    with _clear_errors(path):
        on_step("lock", path)
        # The umask decides, as for every other file here: a second member of a group must be able to write as well.
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def overwrite_lock(descriptor: int, path: Path, data: bytes) -> None:
    """Replace the content of the open lock file in place (a new file would be another lock).

    Raises:
        DiskFullError, StorageError: As `write_file`.
    """
    with _clear_errors(path):
        on_step("lock", path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)


def read_file(path: Path) -> bytes:
    """All bytes of a file of the index.

    Raises:
        DamagedIndexError: The file is not there.
        StorageError: The system refused.
    """
    with _clear_read_errors(path):
        return path.read_bytes()


def digest_file(path: Path) -> tuple[int, str]:
    """Bytes and hex SHA-256 of a file of the index, without holding it in memory.

    Raises:
        DamagedIndexError, StorageError: As `read_file`.
    """
    digest, size = hashlib.sha256(), 0
    with _clear_read_errors(path), path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def need_space(path: Path, needed: int) -> None:
    """Refuse to start what the disk cannot hold; a file system that tells no size (many network mounts) is trusted.

    Args:
        path: Where it is to be written; it need not be there yet.
        needed: Bytes.

    Raises:
        DiskFullError: Says how much is free and how much is needed.
    """
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    with _clear_errors(path):
        disk = shutil.disk_usage(there)
    if disk.total and disk.free < needed + SPARE_BYTES:
        raise DiskFullError(
            f"{path}: there is not enough space on the disk to begin",
            found=f"{disk.free / 1e6:,.0f} MB free",
            expected=f"{(needed + SPARE_BYTES) / 1e6:,.0f} MB",
            do="free some space, or choose a path on another disk; nothing was written",
        )


def _sync_directory(path: Path) -> None:
    on_step("sync-directory", path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _clear_read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DamagedIndexError(str(path), found="no such file", expected="a file of the index") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read", found=str(error.strerror or error)) from error


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"{path} could not be written",
                found=reason,
                do="free some space and run the same command again; what was committed before is intact",
            ) from error
        raise StorageError(f"{path} could not be written", found=reason, do="check the disk and the rights") from error
