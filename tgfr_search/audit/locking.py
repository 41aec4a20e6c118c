"""One writer of a log at a time, across processes and threads."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tgfr_search.audit.errors import AuditError

LOCK = "LOCK"
PATIENCE_S = 30.0
"""A writer holds the lock for milliseconds; who waits longer than this is told."""
_BUSY = (errno.EWOULDBLOCK, errno.EACCES)
_open: set[int] = set()
"""Descriptors of the locks that this process holds, or waits for."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of the log in `folder`; it is the system's, and free the moment its process ends.

    A child made by `os.fork` gives its copy of the descriptor back at once: the lock is its parent's alone.

    Raises:
        AuditError: Another one holds it for longer than `PATIENCE_S`, or the file system has no locks.
        OSError: The lock file cannot be opened.
    """
    path, process = folder / LOCK, os.getpid()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    _open.add(descriptor)
    try:
        _wait(descriptor, path)
        yield
    finally:
        if process == os.getpid():
            _open.discard(descriptor)
            _release(descriptor)


def _release(descriptor: int) -> None:
    # The lock belongs to all copies of the descriptor: one that a child has until its `exec` must not keep it.
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _wait(descriptor: int, path: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in _BUSY:
                raise AuditError(
                    f"{path} cannot be locked", found=error.strerror or str(error), expected="a file system with flock"
                ) from error
        if time.monotonic() > until:
            raise AuditError(
                f"{path} is held by another process",
                found=f"no end of it in {PATIENCE_S:.0f} s",
                expected="one writer at a time, for milliseconds",
                do="look for a process that hangs, then run the same command again",
            )
        time.sleep(0.002)


def _close_in_child() -> None:
    for descriptor in _open:
        with suppress(OSError):
            os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_close_in_child)
