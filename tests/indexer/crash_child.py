"""Processes that write to an index and kill themselves: crash_child.py PATH… kills the n-th of them before its n-th
action on the disk, one after another, and prints how each ended. Forked, so that Python starts only once."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
from index_helpers import CONTRACT, make_batch, random_blocks

from indexer import QuarantineRecord, Store, io


def change(path: Path) -> None:
    """Make the index where there is none, and commit twice."""
    store = Store.open(path) if (path / "manifest.json").exists() else Store.create(path, CONTRACT)
    with store.writer() as writer:
        writer.add(make_batch(["x", "y"], random_blocks(np.random.default_rng(8), 2), first=20))
        if "key0" in store.source_keys():
            writer.delete(row_ids=[0])
        writer.quarantine([QuarantineRecord("new.jpg", "no_face", "", "n")])
        writer.commit()
        writer.add(make_batch(["z"], random_blocks(np.random.default_rng(9), 1), first=30))
        writer.commit()


def kill_at(number: int) -> None:
    """Kill this process by SIGKILL before its action of that number; a file about to be synced is torn first."""
    steps = 0

    def step(action: str, path: Path) -> None:
        nonlocal steps
        if steps == number:
            if action == "fsync":  # what is not synced may be half there after a loss of power
                os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    io.on_step = step


if __name__ == "__main__":
    import pandas  # noqa: F401  pyarrow imports it when rows are added: once here, not once in each child

    for number, path in enumerate(sys.argv[1:]):
        if (child := os.fork()) == 0:
            kill_at(number)
            change(Path(path))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
