"""One writer of a log at a time, across processes and threads."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tgfr_search.audit.errors import AuditError

LOCK = "LOCK"
PATIENCE_S = 30.0
"""A writer holds the lock for milliseconds; who waits longer than this is told."""
_BUSY = (errno.EWOULDBLOCK, errno.EACCES)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of the log in `folder`; it is the system's, and free the moment its process ends.

    Raises:
        AuditError: Another one holds it for longer than `PATIENCE_S`, or the file system has no locks.
        OSError: The lock file cannot be opened.
    """
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _wait(descriptor, path)
        yield
    finally:
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
