"""The first filtered query over an index, and those after it; beside it what reading the same metadata takes at least.

    python -m benchmarks.speed.filter_speed [--rows 100000] [--columns 50]

The peer is `json.loads` of every row's metadata, which no first filtered query could do without before format 4.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_result
from benchmarks.speed.random_index import fill
from indexer import Store
from tgfr_search.types import FloatArray

WHERES = {"all rows": "year >= 2000", "a third": "site = 'B'", "few": "year = 2007 and site = 'A'"}
COMMIT_ROWS = 10_000


def seconds(store: Store, query: FloatArray, where: str | None) -> float:
    """Wall time of one query for ten rows."""
    start = time.perf_counter()
    store.search(query, 10, where=where)
    return time.perf_counter() - start


def main() -> None:
    """Measures and writes benchmarks/results/filter_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=50, help="Metadata columns of each row.")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    further = {f"column{number}": number for number in range(arguments.columns - 2)}
    found: dict[str, Any] = {"rows": arguments.rows, "columns": arguments.columns}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        fill(path, arguments.rows, COMMIT_ROWS, metadata=further)
        texts = [json.dumps(values) for _, values in Store.open(path).metadata()]
        start = time.perf_counter()
        for text in texts:
            json.loads(text)
        found["reading_metadata_s"] = round(time.perf_counter() - start, 3)
        for name, where in WHERES.items():
            store = Store.open(path).load()
            query = rng.standard_normal((1, store.contract.dim)).astype(np.float32)
            plain = min(seconds(store, query, None) for _ in range(5))
            cpu = time.process_time()
            first = seconds(store, query, where)
            cpu = time.process_time() - cpu
            later = min(seconds(store, query, where) for _ in range(5))
            found[name] = {
                "first_s": round(first, 3),
                "first_processor_s": round(cpu, 3),
                "first_over_reading_metadata": round(first / found["reading_metadata_s"], 2),
                "later_ms": round(1000 * later, 2),
                "later_over_unfiltered": round(later / plain, 2),
            }
            print(name, found[name], flush=True)
    print(write_result("filter_speed", found))


if __name__ == "__main__":
    main()
