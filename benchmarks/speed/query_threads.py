"""Queries a second of one `Gallery` by the number of threads that ask it, as a ratio to one thread.

    python -m benchmarks.speed.query_threads PROBES [--rows 10000] [--seconds 8] [--model NAME]

Torch has one thread in this process, so that the threads that ask are the only ones; two cores give twice at most.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.results import write_result
from benchmarks.speed.query_latency import CAPTION, fill
from indexer import Store
from pipelines.enrol.index import contract_of
from pipelines.search.gallery import Gallery
from tgfr_search.data.records import read_records
from tgfr_search.errors import FaceError
from tgfr_search.model.checkpoint import load_model

THREADS = (1, 2, 4, 8)
PROBES = 12


def rate(gallery: Gallery, probes: list[str], threads: int, seconds: float) -> float:
    """Fused queries a second, all threads together."""
    end, counts = time.perf_counter() + seconds, [0] * threads

    def work(number: int) -> None:
        for probe in itertools.cycle(probes[number % len(probes) :] + probes[: number % len(probes)]):
            if time.perf_counter() > end:
                return
            gallery.query(probe, caption=CAPTION)
            counts[number] += 1

    start = time.perf_counter()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - start)


def main() -> None:
    """Measures and writes benchmarks/results/query_threads.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("probes", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--model", default=None)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    torch.set_num_threads(1)
    model = load_model(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "index", contract_of(model))
        fill(store, arguments.rows, seed=0)
        gallery = Gallery.open(Path(folder) / "index", model=model)
        probes: list[str] = []
        for record in read_records(arguments.probes, need_subject=False, on_problem=lambda problem: None):
            try:
                gallery.query(str(record.path), caption=CAPTION)
                probes.append(str(record.path))
            except FaceError:
                continue
            if len(probes) == PROBES:
                break
        rates = {threads: rate(gallery, probes, threads, arguments.seconds) for threads in THREADS}
    found: dict[str, Any] = {
        "rows": arguments.rows,
        "model_id": model.model_id,
        "cores": os.cpu_count(),
        "load_average_before": round(load, 1),
        "queries_a_second": {str(threads): round(value, 2) for threads, value in rates.items()},
        "over_one_thread": {str(threads): round(value / rates[1], 2) for threads, value in rates.items()},
    }
    print(write_result("query_threads", found), found)


if __name__ == "__main__":
    main()
