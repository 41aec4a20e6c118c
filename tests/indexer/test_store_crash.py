"""kill -9, a full disk or a failing one at every single action: the last committed state is there and whole."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from crash_child import CHANGES, COPIES, change
from index_helpers import make_batch, random_blocks, small_index, state

from indexer import (
    DiskFullError,
    IndexerError,
    NotAnIndexError,
    QuarantineRecord,
    StorageError,
    Store,
    compact,
    io,
    verify,
)
from indexer.upkeep import read_proof

pytestmark = pytest.mark.slow

CHILD = Path(__file__).with_name("crash_child.py")


@pytest.fixture
def on_step() -> Iterator[Callable[[Callable[[str, Path], None]], None]]:
    """Puts a fault into the door, and takes it out again."""
    former = io.on_step
    yield lambda step: setattr(io, "on_step", step)
    io.on_step = former


def states_and_steps(path: Path, name: str = "change") -> tuple[list[dict[str, object]], list[str]]:
    """The committed states that `change` goes through, and its actions in order."""
    states, steps = [], []
    if path.exists():
        states.append(state(Store.open(path)))

    def watch(action: str, changed: Path) -> None:
        steps.append(action)
        if action == "sync-directory" and changed == path and (path / "manifest.json").exists():
            states.append(state(Store.open(path)))

    former, io.on_step = io.on_step, watch
    try:
        CHANGES[name](path)
    finally:
        io.on_step = former
    return states, steps


def run_children(name: str, killed: list[Path]) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, str(CHILD), name, *map(str, killed)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("start", ["from nothing", "from an index"])
def test_kill_at_every_step(tmp_path: Path, start: str) -> None:
    origin = tmp_path / "origin"
    if start == "from an index":
        small_index(origin)
        shutil.copytree(origin, tmp_path / "watched")
    states, steps = states_and_steps(tmp_path / "watched")
    killed = [tmp_path / f"killed-{number}" for number in range(len(steps) + 1)]
    for path in killed:
        if origin.exists():
            shutil.copytree(origin, path)
    ends = run_children("change", killed)
    assert ends == ["-9"] * len(steps) + ["0"]
    seen = []
    for path in killed:
        if (path / "manifest.json").exists():
            report = verify(path)
            assert report.ok, report.problems
            found = state(Store.open(path))
            assert found in states
            seen.append(states.index(found))
            done = found == states[-1]
        else:
            with pytest.raises(NotAnIndexError):
                Store.open(path)
            done = False
        if not done:  # the next run finds nothing in its way and leaves nothing behind
            change(path)
            assert (verify(path).ok, verify(path).notes) == (True, ())
    assert seen == sorted(seen)  # a later kill never shows an older state
    assert {0, len(states) - 1} <= set(seen)


UPKEEP = sorted(CHANGES.keys() - COPIES.keys() - {"change"})


def worn_index(path: Path) -> None:
    """Three segments, deletions, updates, and what an earlier compaction has replaced."""
    store = small_index(path)
    compact(store)
    with store.writer() as writer:
        writer.add(make_batch(["a", "b"], random_blocks(np.random.default_rng(5), 2), first=40))
        writer.delete(row_ids=[5])
        writer.update(3, metadata={"n": "new"})
        writer.quarantine([QuarantineRecord("q.jpg", "no_face", "", "")])
        writer.commit()


@pytest.mark.parametrize("name", UPKEEP)
def test_kill_at_every_step_of_upkeep(tmp_path: Path, name: str) -> None:
    origin = tmp_path / "origin"
    worn_index(origin)
    shutil.copytree(origin, tmp_path / "watched")
    states, steps = states_and_steps(tmp_path / "watched", name)
    killed = [Path(shutil.copytree(origin, tmp_path / f"killed-{number}")) for number in range(len(steps) + 1)]
    assert run_children(name, killed) == ["-9"] * len(steps) + ["0"]
    for path in killed:
        report = verify(path)
        assert report.ok, report.problems
        assert state(Store.open(path)) in states
        CHANGES[name](path)
        assert state(Store.open(path)) == states[-1]
        assert verify(path).ok
        if name == "purge_index":
            assert verify(path).notes == ()
            proofs = [read_proof(proof) for proof in path.glob("purge-*.json")]
            assert sorted(row["row_id"] for proof in proofs for row in proof["rows_removed"]) == [1, 5]
            assert len(list(path.glob("rows-*"))) == 1


@pytest.mark.parametrize("name", UPKEEP)
def test_the_disk_fails_at_every_step_of_upkeep(
    tmp_path: Path, name: str, on_step: Callable[[Callable[[str, Path], None]], None]
) -> None:
    worn_index(tmp_path / "origin")
    shutil.copytree(tmp_path / "origin", tmp_path / "watched")
    states, steps = states_and_steps(tmp_path / "watched", name)
    locks = 2 if name == "purge_index" else 1  # the last steps only empty the LOCK, and that of the holds
    for failing in range(len(steps) - locks):
        path = Path(shutil.copytree(tmp_path / "origin", tmp_path / f"failed-{failing}"))
        count = 0

        def fail(action: str, changed: Path, failing: int = failing) -> None:
            nonlocal count
            count += 1
            if count > failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(changed))

        on_step(fail)
        with pytest.raises(DiskFullError, match="what to do: "):
            CHANGES[name](path)
        on_step(lambda action, changed: None)
        assert verify(path).ok
        assert state(Store.open(path)) in states
        CHANGES[name](path)
        assert state(Store.open(path)) == states[-1]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_the_disk_fails_at_every_step(
    tmp_path: Path, code: int, on_step: Callable[[Callable[[str, Path], None]], None]
) -> None:
    small_index(tmp_path / "origin")
    shutil.copytree(tmp_path / "origin", tmp_path / "watched")
    states, steps = states_and_steps(tmp_path / "watched")
    for failing in range(len(steps)):
        path = tmp_path / f"failed-{failing}"
        shutil.copytree(tmp_path / "origin", path)
        count = 0

        def fail(action: str, changed: Path, failing: int = failing) -> None:
            nonlocal count
            count += 1
            if count > failing:  # and every later action: the disk stays full
                raise OSError(code, os.strerror(code), str(changed))

        on_step(fail)
        if failing == len(steps) - 1:  # only emptying the LOCK failed: everything is committed
            change(path)
        else:
            kind = DiskFullError if code == errno.ENOSPC else StorageError
            with pytest.raises(kind, match=rf"{path}.*could not be written; found: {os.strerror(code)}; what to do: "):
                change(path)
        on_step(lambda action, changed: None)
        assert not list(path.glob(".tmp-*"))
        assert verify(path).ok
        assert state(Store.open(path)) in states


def test_a_writer_whose_commit_failed_is_closed(
    tmp_path: Path, on_step: Callable[[Callable[[str, Path], None]], None]
) -> None:
    """The failed commit may be on the disk or not: another of the same number could write over it."""
    store = small_index(tmp_path / "index")

    def fail(action: str, changed: Path) -> None:
        if action == "sync-directory":
            raise OSError(errno.EIO, "failing disk")

    with store.writer() as writer:
        writer.quarantine([QuarantineRecord("late.jpg", "no_face", "", "")])
        on_step(fail)
        with pytest.raises(StorageError, match="failing disk"):
            writer.commit()
        on_step(lambda action, changed: None)
        with pytest.raises(IndexerError, match="closed"):
            writer.commit()
    with store.writer() as writer:
        writer.quarantine([QuarantineRecord("late.jpg", "no_face", "", "")])
        writer.commit()
    assert "late.jpg" in [record.image for record in store.quarantined()]
    assert verify(store.path).ok


def test_a_disk_that_is_really_full() -> None:
    """/dev/full refuses every write, as a full disk does."""
    descriptor = os.open("/dev/full", os.O_RDWR)
    try:
        with pytest.raises(DiskFullError, match="No space left"), io._clear_errors(Path("x")):
            os.write(descriptor, b"x")
    finally:
        os.close(descriptor)
