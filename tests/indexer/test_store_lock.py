"""One writer at a time, named; readers are never disturbed."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, DIMS, make_batch, plain_search, random_blocks

from indexer import IndexLockedError, Store, lock, verify

HOLD = """
import sys, time, indexer
with indexer.Store.open(sys.argv[1]).writer():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "index", CONTRACT)


def test_a_second_writer_is_told_who_the_first_is(store: Store) -> None:
    command = [sys.executable, "-c", HOLD, str(store.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert lock.is_held(store.path)
        with pytest.raises(IndexLockedError) as caught, store.writer():
            pass
        message = str(caught.value)
        assert f"process {child.pid} on {socket.gethostname()} since 20" in message
        assert f"command: -c {store.path}" in message
        assert caught.value.do
        assert len(Store.open(store.path)) == 0  # reading goes on
        child.send_signal(signal.SIGKILL)
    # The system freed the lock; the text that the dead process left is harmless.
    assert not lock.is_held(store.path)
    assert lock.read_owner((store.path / "LOCK").read_bytes()) is not None
    assert verify(store.path).ok
    with store.writer():
        owner = lock.read_owner((store.path / "LOCK").read_bytes())
        assert owner is not None
        assert owner["pid"] == os.getpid()
    assert (store.path / "LOCK").read_bytes() == b""


def test_two_writers_in_one_process(store: Store) -> None:
    with store.writer(), pytest.raises(IndexLockedError, match=str(os.getpid())), Store.open(store.path).writer():
        pass
    with store.writer():
        pass


def test_create_is_locked_too(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    with lock.hold(tmp_path / "index"), pytest.raises(IndexLockedError):
        Store.create(tmp_path / "index", CONTRACT)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b'{"pid": 1}'])
def test_an_owner_that_cannot_be_read(store: Store, text: bytes) -> None:
    assert lock.read_owner(text) is None
    with lock.hold(store.path):
        (store.path / "LOCK").write_bytes(text)
        with pytest.raises(IndexLockedError, match="did not tell its name"), store.writer():
            pass


def test_readers_while_a_writer_commits(store: Store) -> None:
    """Each reader sees one whole committed state: all rows up to its generation, and the right answer."""
    commits, rows = 15, 4
    blocks = random_blocks(np.random.default_rng(0), commits * rows, DIMS)
    vectors = np.hstack(list(blocks.values()))
    query = np.random.default_rng(1).standard_normal((1, 12)).astype(np.float32)
    seen: list[int] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set() or not seen:
                reader = Store.open(store.path)
                count = len(reader)
                assert count == reader.generation * rows
                ids, scores = reader.search(query, 5)
                expected = plain_search(vectors[:count], np.arange(count), query[0], 5)
                assert list(zip(ids[0].tolist(), scores[0].tolist(), strict=True))[: len(expected)] == expected
                assert verify(store.path).ok
                seen.append(reader.generation)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    with store.writer() as writer:
        for start in range(0, commits * rows, rows):
            part = {name: block[start : start + rows] for name, block in blocks.items()}
            writer.add(make_batch([f"s{start}"] * rows, part, first=start))
            writer.commit()
    done.set()
    thread.join()
    assert not errors, errors
    assert seen == sorted(seen)


def test_a_child_forked_while_somebody_looks_at_the_lock_keeps_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look's shared lock belongs to all copies of its descriptor: it is given back, not only closed."""
    children: list[int] = []
    with store.writer():
        pass  # the file LOCK is there

    def flock(descriptor: int, how: int, real: Callable[[int, int], None] = fcntl.flock) -> None:
        real(descriptor, how)
        if not children:
            child = os.fork()
            if child == 0:
                time.sleep(600)
                os._exit(1)
            children.append(child)

    with monkeypatch.context() as forking:
        forking.setattr(fcntl, "flock", flock)
        assert not lock.is_held(store.path)
    try:
        with store.writer():
            pass
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    assert children
