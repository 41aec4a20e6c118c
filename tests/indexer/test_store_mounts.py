"""An index on a file system that can do less than a local disk's: network shares, FUSE mounts, several users."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, make_batch, random_blocks

from indexer import Store, io, lock, verify
from indexer.errors import IndexLockedError, StorageError


def fill(store: Store) -> None:
    with store.writer() as writer:
        writer.add(make_batch(["ann", "bob", "cid"], random_blocks(np.random.default_rng(0), 3)))
        writer.commit()


@pytest.fixture
def broken_sync(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Directories cannot be synced: `fsync` of one fails with the errno in the list."""
    real, failing = os.fsync, [errno.EINVAL]

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(failing[0], os.strerror(failing[0]))
        real(descriptor)

    monkeypatch.setattr(io.os, "fsync", fsync)
    return failing


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_share_that_cannot_sync_directories_holds_an_index(
    tmp_path: Path, broken_sync: list[int], number: int
) -> None:
    broken_sync[0] = number
    store = Store.create(tmp_path / "index", CONTRACT)
    fill(store)
    assert len(Store.open(tmp_path / "index")) == 3
    assert verify(tmp_path / "index").ok


def test_a_disk_that_fails_to_sync_a_directory_is_an_error(tmp_path: Path, broken_sync: list[int]) -> None:
    broken_sync[0] = errno.EIO
    with pytest.raises(StorageError, match="Input/output error"):
        Store.create(tmp_path / "index", CONTRACT)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_share_without_locks_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    fill(store)

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with pytest.raises(StorageError, match=r"LOCK cannot be locked; found: .*no locks.*what to do: put the index on"):
        fill(store)
    assert not lock.is_held(store.path)
    assert verify(store.path).ok  # and reading goes on
    assert len(Store.open(store.path)) == 3


def test_a_server_that_calls_a_held_lock_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)

    def flock(descriptor: int, operation: int) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with pytest.raises(IndexLockedError), store.writer():
        pass
    assert lock.is_held(store.path)


def test_a_mount_that_tells_no_size_is_written_to() -> None:
    assert io.shutil.disk_usage("/proc").total == 0  # as rclone and many FUSE mounts say
    io.need_space(Path("/proc/index"), 10**12)


@pytest.mark.parametrize(("mask", "mode"), [(0o002, 0o664), (0o077, 0o600)])
def test_the_umask_says_who_may_write_every_file(tmp_path: Path, mask: int, mode: int) -> None:
    """A lock that only its maker can open would lock a group's other members out for ever."""
    before = os.umask(mask)
    try:
        fill(Store.create(tmp_path / "index", CONTRACT))
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "index").rglob("*") if path.is_file()]
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == {p.name: oct(mode) for p in files}
    assert "LOCK" in {path.name for path in files}
