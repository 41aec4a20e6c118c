"""From a cold process: `--help`, and open + first query by vector, without torch.

    python -m benchmarks.speed.cold_start [--rows 100000] [--repeats 5]

Wall time counts from before the interpreter starts; the files may be in the system's cache. "first" is the very first
search after a change, which also writes the mapped copy of the vectors; "later" finds it; "read" cannot keep one.
CPU time is told too: it is what wall time would be on an idle machine, as all of it is one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from benchmarks.speed.random_index import contract, fill
from indexer import caches

QUERY = """
import json, sys, time
start = time.perf_counter()
import numpy as np
import indexer, indexer.generation
imported = time.perf_counter()
if sys.argv[2] == "read":
    indexer.generation.MAPPED_FROM = 1 << 60
store = indexer.Store.open(sys.argv[1])
query = np.random.default_rng(1).standard_normal((1, store.contract.dim)).astype(np.float32)
opened = time.perf_counter()
store.load()
loaded = time.perf_counter()
hits = store.search_subjects(query, 10)
answered = time.perf_counter()
rows = store.rows([hit.row_id for hit in hits[0]], chips=False)
read = time.perf_counter()
assert not {"torch", "pandas", "tgfr_search"} & sys.modules.keys()
laps = {"import": imported - start, "open": opened - imported, "load": loaded - opened}
print(json.dumps({**laps, "search": answered - loaded, "rows": read - answered}))
"""


def run(command: list[str]) -> dict[str, Any]:
    """Seconds of a process: wall, CPU, and what it told of itself."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, **(json.loads(out) if out.startswith("{") else {})}


def median(laps: list[dict[str, Any]]) -> dict[str, float]:
    """Of every value by itself."""
    return {name: round(statistics.median(lap[name] for lap in laps), 3) for name in laps[0]}


def main() -> None:
    """Measures and writes benchmarks/results/cold_start.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rows-a-commit", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    help_command = [sys.executable, "-m", "tgfr_search", "--help"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        fill(path, arguments.rows, arguments.rows_a_commit)
        laps: dict[str, list[dict[str, Any]]] = {"first": [], "later": [], "read": [], "help": []}
        run([sys.executable, "-c", QUERY, str(path), "read"])
        for _ in range(arguments.repeats):  # in turn, so that what else the machine does falls on all of them
            shutil.rmtree(path / caches.CACHE_NAME, ignore_errors=True)
            for how in ("first", "later", "read"):
                laps[how].append(run([sys.executable, "-c", QUERY, str(path), how]))
            laps["help"].append(run(help_command))
    values = {
        "rows": arguments.rows,
        "dim": contract().dim,
        "load_average_before": round(load, 1),
        "seconds": {name: median(own) for name, own in laps.items()},
    }
    print(write_result("cold_start", values))
    print(json.dumps(values["seconds"], indent=1))


if __name__ == "__main__":
    main()
