"""A second space for an index of random templates while it is queried, killed in the middle, and resumed.

    python -m benchmarks.speed.space_speed [--rows 100000]

The digest of the index that was killed and resumed is compared with that of one that was not. Vectors of the new space
are random too: what is measured is the index, not a model.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_result
from benchmarks.speed.random_index import fill
from indexer import Block, Contract, Store, verify
from indexer.rows import FloatArray
from indexer.spaces import add_space

NEW = Contract((Block("face", 256), Block("caption", 128)), {"model": "random-2"})
ROWS_A_COMMIT, COMMIT_ROWS = 512, 10_000
KILLED_AT = 0.5
"""Share of the rows that are committed when the process is killed."""


def blocks_of(first: int, count: int) -> dict[str, FloatArray]:
    """Random unit vectors of some rows, the same in every run."""
    rng, blocks = np.random.default_rng((3, first)), dict[str, FloatArray]()
    for block in NEW.blocks:
        values = rng.standard_normal((count, block.dim), dtype=np.float32)
        blocks[block.name] = values / np.linalg.norm(values, axis=1, keepdims=True)
    return blocks


def fill_space(path: Path, killed_after: int | None = None) -> None:
    """Adds the space, or goes on with it; kills this process once so many rows are committed."""
    store = add_space(Store.open(path), NEW)
    with store.writer() as writer:
        missing = store.without_vectors()
        for start in range(0, len(missing), ROWS_A_COMMIT):
            part = missing[start : start + ROWS_A_COMMIT]
            writer.fill(part, blocks_of(int(part[0]), len(part)))
            writer.commit()
            if killed_after is not None and start + len(part) >= killed_after:
                os.kill(os.getpid(), signal.SIGKILL)


def queried_while_filled(path: Path, killed_after: int | None) -> tuple[float, list[float], bool]:
    """Seconds of the filling, seconds of each query beside it, and whether every answer was the one from before."""
    reader = Store.open(path).load()
    query = np.random.default_rng(1).standard_normal((1, reader.contract.dim)).astype(np.float32)
    truth = [part.tolist() for part in reader.search(query, 10)]
    command = [sys.executable, "-m", "benchmarks.speed.space_speed", "--fill", str(path)]
    command += [] if killed_after is None else ["--killed-after", str(killed_after)]
    begun, laps, same = time.perf_counter(), list[float](), True
    child = subprocess.Popen(command)
    while child.poll() is None:
        start = time.perf_counter()
        reader.refresh()
        same &= [part.tolist() for part in reader.search(query, 10)] == truth
        laps.append(time.perf_counter() - start)
        time.sleep(0.02)
    expected = 0 if killed_after is None else -signal.SIGKILL
    if child.returncode != expected:
        raise SystemExit(f"the child ended with {child.returncode}, expected {expected}")
    return time.perf_counter() - begun, laps, same


def main() -> None:
    """Measures and writes benchmarks/results/space_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--killed-after", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill is not None:
        fill_space(arguments.fill, arguments.killed_after)
        return
    found: dict[str, Any] = {"rows": arguments.rows}
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        fill(whole, arguments.rows, COMMIT_ROWS)
        shutil.copytree(whole, killed)
        seconds, laps, same = queried_while_filled(whole, None)
        found["uninterrupted"] = {"seconds": round(seconds, 1), "queries": len(laps), "answers_equal": same}
        found["query_ms_p50"] = round(1000 * float(np.median(laps)), 1)
        _, _, before = queried_while_filled(killed, int(KILLED_AT * arguments.rows))
        filled = arguments.rows - len(Store.open(killed, NEW).without_vectors())
        _, _, after = queried_while_filled(killed, None)
        found["killed"] = {"rows_at_the_kill": filled, "answers_equal": before and after, "whole": verify(killed).ok}
        found["digests_equal"] = Store.open(whole).digest() == Store.open(killed).digest()
    print(found)
    print(write_result("space_speed", found))


if __name__ == "__main__":
    main()
