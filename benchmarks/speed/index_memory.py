"""Memory that the index needs beyond the vectors: building, compacting, checking, searching, each in its own process.

    python -m benchmarks.speed.index_memory [--rows 1000000] [--folder /somewhere/with/10/GB]

Peak resident memory (VmHWM) of a process; pages of mapped files that it looked at count, though the system may take
them back at any time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.random_index import contract, fill
from indexer import Store, compact, purge, verify

STEPS = ("import", "build", "search", "bookkeeping", "compact", "verify", "digest", "purge")
MEBI = 1 << 20


def step(name: str, path: Path, rows: int, rows_a_commit: int) -> None:
    """One thing that is done with an index."""
    if name == "build":
        fill(path, rows, rows_a_commit)
    elif name == "search":
        store = Store.open(path)
        store.search_subjects(np.random.default_rng(1).standard_normal((1, contract().dim)).astype(np.float32), 10)
    elif name == "bookkeeping":  # what a resumed run of `index` holds
        store = Store.open(path)
        kept = store.rows_by_image(), store.photos_by_image(), store.source_keys()
        assert all(len(each) == rows for each in kept)
    elif name == "compact":
        compact(Store.open(path))
    elif name == "verify":
        assert verify(path).ok
    elif name == "digest":
        Store.open(path).digest()
    elif name == "purge":
        store = Store.open(path)
        with store.writer() as writer:
            writer.delete(row_ids=range(0, rows, 10))
            writer.commit()
        purge(store)


def main() -> None:
    """Measures and writes benchmarks/results/index_memory.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rows-a-commit", type=int, default=2048)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        start = time.perf_counter()
        step(arguments.step, arguments.folder / "index", arguments.rows, arguments.rows_a_commit)
        status = Path("/proc/self/status").read_text(encoding="ascii")  # ru_maxrss would count who started us, too
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024
        print(json.dumps({"peak": peak, "seconds": round(time.perf_counter() - start, 1)}))
        return
    from benchmarks.results import write_result  # imports torch, which the steps must not count

    vectors = arguments.rows * contract().dim * 4
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name in STEPS:
            command = [sys.executable, "-m", "benchmarks.speed.index_memory", "--step", name, "--folder", folder]
            command += ["--rows", str(arguments.rows), "--rows-a-commit", str(arguments.rows_a_commit)]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            found[name] = {
                "peak_mib": round(told["peak"] / MEBI),
                "beyond_vectors_mib": round((told["peak"] - vectors) / MEBI),
                "peak_over_vectors": round(told["peak"] / vectors, 3),
                "seconds": told["seconds"],
            }
            print(name, found[name], flush=True)
    values = {"rows": arguments.rows, "dim": contract().dim, "vectors_mib": round(vectors / MEBI), "steps": found}
    print(write_result("index_memory", values))


if __name__ == "__main__":
    main()
