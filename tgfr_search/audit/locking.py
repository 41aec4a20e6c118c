"""One writer of a log at a time, across processes and threads."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tgfr_search.audit.errors import AuditError, BusyError

LOCK = "LOCK"
PATIENCE_S = 30.0
"""A writer holds the lock for milliseconds; who waits longer than this is told."""
_BUSY = (errno.EWOULDBLOCK, errno.EACCES)
_open: set[int] = set()
"""Descriptors of the locks that this process holds, or waits for."""


@contextmanager
def locked(folder: Path, *, act: str = "", patience: float | None = None) -> Iterator[None]:
    """Holds the lock of the log, or of the case, in `folder`; it is the system's, free the moment its process ends.

    A child made by `os.fork` gives its copy of the descriptor back at once: the lock is its parent's alone.

    Args:
        folder: Of the log or the case.
        act: What will take longer than a moment; it is written into the lock, and nobody waits for it.
        patience: Seconds to wait for an act of a moment; `PATIENCE_S` by default.

    Raises:
        BusyError: Another one holds it for longer than that, or for an act that takes its time; says who.
        AuditError: The file system has no locks.
        OSError: The lock file cannot be opened.
    """
    path, process = folder / LOCK, os.getpid()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    _open.add(descriptor)
    try:
        _wait(descriptor, path, PATIENCE_S if patience is None else patience)
        if act or os.fstat(descriptor).st_size:  # else it would go on naming one that was killed
            _tell(descriptor, act)
        try:
            yield
        finally:
            if act and process == os.getpid():
                _tell(descriptor, "")
    finally:
        if process == os.getpid():
            _open.discard(descriptor)
            _release(descriptor)


def _tell(descriptor: int, act: str) -> None:
    os.ftruncate(descriptor, 0)
    if act:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "act": act}
        os.pwrite(descriptor, json.dumps(told).encode(), 0)


def _holder(path: Path) -> str:
    """Who holds the lock for an act that takes its time; empty where nobody has told so."""
    try:
        told = json.loads(path.read_bytes())
        return f"process {int(told['pid'])} on {told['host']} since {told['since']}: {told['act']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _release(descriptor: int) -> None:
    # The lock belongs to all copies of the descriptor: one that a child has until its `exec` must not keep it.
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _wait(descriptor: int, path: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in _BUSY:
                raise AuditError(
                    f"{path} cannot be locked", found=error.strerror or str(error), expected="a file system with flock"
                ) from error
        holder = _holder(path)
        if holder or time.monotonic() > until:
            raise BusyError(
                f"{path} is held by another process",
                found=holder or f"no end of it in {patience:.0f} s",
                expected="one writer at a time, for milliseconds",
                do=f"{'wait until it has ended' if holder else 'look for a process that hangs'}, then run the same "
                "command again",
            )
        time.sleep(0.002)


def _close_in_child() -> None:
    for descriptor in _open:
        with suppress(OSError):
            os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_close_in_child)
