"""One writer at a time: an exclusive `flock` on the file LOCK inside the index, with its owner's name in it.

The lock is the operating system's and is free the moment its process ends, even by kill -9; the text only tells who it
is.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from indexer import io
from indexer.errors import IndexLockedError, StorageError

LOCK_NAME = "LOCK"
PAUSE_SECONDS = 0.02
_open: set[int] = set()
"""Descriptors of the locks that this process holds, or is about to."""
_BUSY = (errno.EWOULDBLOCK, errno.EACCES)  # a server that keeps locks by byte ranges may say the second


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Hold the writer's lock of the index at `directory`.

    A child made by `os.fork` gives its copy of the descriptor back at once: the lock is its parent's alone.

    Raises:
        IndexLockedError: Another process, or another writer of this one, holds it; names the owner.
        StorageError: The lock file cannot be written (read-only, full disk), or its file system has no locks.
    """
    path = directory / LOCK_NAME
    descriptor, process = io.open_lock(path), os.getpid()
    _open.add(descriptor)
    try:
        if not _lock(descriptor, path):
            raise IndexLockedError(
                f"{directory} is being written by another process",
                found=_describe(path),
                expected="one writer at a time",
                do="wait until it has ended, or stop it, then run the same command again",
            )
        io.overwrite_lock(descriptor, path, _owner_record())
        try:
            yield
        finally:
            if process == os.getpid():
                _release(descriptor, path)
    finally:
        if process == os.getpid():
            _open.discard(descriptor)
            _unlock(descriptor)


@contextmanager
def hold_patiently(directory: Path, seconds: float) -> Iterator[None]:
    """As `hold`, for work that takes a moment: whoever comes second waits for the first.

    Args:
        directory: Whose lock.
        seconds: How long to wait at most.

    Raises:
        IndexLockedError: Somebody held it all the while.
        StorageError: The lock file cannot be written, or its file system has no locks.
    """
    until = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold(directory))
                break
            except IndexLockedError:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE_SECONDS)
        yield


def _release(descriptor: int, path: Path) -> None:
    with suppress(StorageError):  # a stale text is harmless; the work's own error must not be hidden by it
        io.overwrite_lock(descriptor, path, b"")


def is_held(directory: Path) -> bool:
    """Whether some writer holds the lock at this moment."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:  # without locks nobody can hold one
        return error.errno in _BUSY
    finally:
        _unlock(descriptor)
    return False


def _unlock(descriptor: int) -> None:
    # The lock belongs to all copies of the descriptor: one that a child has until its `exec` must not keep it.
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def read_owner(data: bytes) -> dict[str, str | int] | None:
    """The owner record that `data` holds: pid, host, since, command; None where a byte of it is not as written."""
    try:
        owner = json.loads(data)
        if isinstance(owner, dict) and _encode({k: v for k, v in owner.items() if k != "digest"}) == data:
            return owner
    except ValueError:
        pass
    return None


def _lock(descriptor: int, path: Path) -> bool:
    # `is_held` takes a shared lock for microseconds; a writer must not be turned away by that.
    for pause in (0.02, 0.05, 0.1, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in _BUSY:
                raise StorageError(
                    f"{path} cannot be locked",
                    found=f"{error.strerror}: the file system has no locks, as some network mounts",
                    expected="a file system with flock",
                    do="put the index on a local disk, or mount the share with its locks on",
                ) from error
            time.sleep(pause)
    return False


def _owner_record() -> bytes:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    # Arguments may carry bytes that are not UTF-8 (file names); json escapes them, and the record stays ASCII.
    return _encode({"pid": os.getpid(), "host": socket.gethostname(), "since": since, "command": " ".join(sys.argv)})


def _encode(owner: dict[str, str | int]) -> bytes:
    digest = hashlib.sha256(json.dumps(owner, sort_keys=True).encode()).hexdigest()
    return json.dumps({**owner, "digest": digest}, sort_keys=True).encode()


def _describe(path: Path) -> str:
    owner = read_owner(io.read_file(path))
    if owner is None:
        return "a writer that did not tell its name"
    return "process {pid} on {host} since {since}, command: {command}".format(**owner)


def _close_in_child() -> None:
    # A lock belongs to all copies of its descriptor: kept open, a child would hold it after its parent's end.
    for descriptor in _open:
        with suppress(OSError):
            os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_close_in_child)
