"""Milvus's embedded engine against exact search on this machine, in one run: `python -m benchmarks.speed.served_index`.

A cluster is another thing; this is the price of the way there and back, and of the embedded engine's Python.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.speed.random_index import contract, fill
from indexer import Store
from indexer.milvus import MilvusStore, Server, publish
from indexer.rows import FloatArray


def milliseconds(call: Callable[[int], Any], times: int) -> float:
    """Median of some calls, each with its number."""
    laps = []
    for number in range(times):
        started = time.perf_counter()
        call(number)
        laps.append(1000 * (time.perf_counter() - started))
    return median(laps)


def measure(store: Store | MilvusStore, queries: FloatArray, where: str) -> dict[str, float]:
    """Median milliseconds of a search by row, by row under a filter, and by subject."""

    def query(number: int) -> FloatArray:
        return queries[number : number + 1]

    return {
        "row_search_ms": milliseconds(lambda i: store.search(query(i), 10), len(queries)),
        "filtered_ms": milliseconds(lambda i: store.search(query(i), 10, where=where), len(queries)),
        "subjects_ms": milliseconds(lambda i: store.search_subjects(query(i), 10), len(queries)),
    }


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--queries", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        fill(path / "index", options.rows, 5000)
        store, server = Store.open(path / "index", backend="exact").load(), Server(str(path / "milvus.db"))
        started = time.perf_counter()
        publish(store, server)
        seconds = time.perf_counter() - started
        queries = np.random.default_rng(1).standard_normal((options.queries, contract().dim)).astype(np.float32)
        with MilvusStore.open(server) as served:
            same = all(
                np.array_equal(store.search(queries[i : i + 1], 10)[j], served.search(queries[i : i + 1], 10)[j])
                for i in range(options.queries)
                for j in (0, 1)
            )
            where = "site = 'A' and year >= 2010"
            laps = {
                name: measure(each, queries, where) for name, each in (("exact", store), ("milvus_embedded", served))
            }
    print(
        json.dumps(
            {
                "rows": options.rows,
                "components": contract().dim,
                "publish_s": round(seconds, 2),
                "published_rows_a_second": round(options.rows / seconds),
                "same_answers": same,
                **{name: {key: round(ms, 2) for key, ms in each.items()} for name, each in laps.items()},
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
