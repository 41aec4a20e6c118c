"""Memory of a process that has opened an index and answered queries, by search backend.

    python -m benchmarks.speed.search_memory [--rows 200000] [--backends flat scan ...]

Resident memory (VmRSS) less that of a process that has imported the package and FAISS and nothing else, over the bytes
of the vectors. Pages of mapped files that were looked at count, though the system may take them back at any time. The
rows are random, so the approximate backends are asked for no recall; they propose the rows that the cheapest setting
proposes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.random_index import contract, fill
from indexer import Store
from indexer.backends.faiss_build import import_faiss

QUERIES, TOP = 200, 10
BACKENDS = ("flat", "flat-fp16", "flat-sq8", "scan@0", "ivf@0", "hnsw@0")
MEBI = 1 << 20


def resident() -> dict[str, int]:
    """Bytes of this process in memory: all of them, and those that are no pages of files."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    return {"all": sizes["VmRSS"], "anonymous": sizes["RssAnon"]}


def search(path: Path, backend: str) -> dict[str, int]:
    """Opens the index, answers queries one by one, and tells what is resident then."""
    store = Store.open(path, backend=backend)
    queries = np.random.default_rng(1).standard_normal((QUERIES, contract().dim)).astype(np.float32)
    for number in range(QUERIES):
        store.search(queries[number : number + 1], TOP)
    return resident()


def main() -> None:
    """Measures and writes benchmarks/results/search_memory.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS))
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.open:
        (backend,) = arguments.backends
        import_faiss()
        print(json.dumps(resident() if backend == "none" else search(arguments.open, backend)))
        return
    from benchmarks.results import write_result  # imports torch, which the processes must not count

    vectors = arguments.rows * contract().dim * 4
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        fill(index, arguments.rows, 8192)

        def opened(backend: str) -> dict[str, int]:
            command = [
                sys.executable,
                "-m",
                "benchmarks.speed.search_memory",
                "--open",
                str(index),
                "--backends",
                backend,
            ]
            told: dict[str, int] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            return told

        idle = opened("none")
        for backend in arguments.backends:
            opened(backend)  # builds what the next process finds
            told = opened(backend)
            found[backend] = {
                "resident_mib": round((told["all"] - idle["all"]) / MEBI),
                "resident_over_vectors": round((told["all"] - idle["all"]) / vectors, 3),
                "anonymous_over_vectors": round((told["anonymous"] - idle["anonymous"]) / vectors, 3),
            }
            print(backend, found[backend], flush=True)
    values = {"rows": arguments.rows, "dim": contract().dim, "vectors_mib": round(vectors / MEBI), "backends": found}
    print(write_result("search_memory", {**values, "queries": QUERIES}))


if __name__ == "__main__":
    main()
