"""Latency of a query over 10,000 rows, split by load, detect, encode, search; warm process, one probe at a time.

    python -m benchmarks.speed.query_latency PROBES [--rows 10000] [--model NAME]

The rows are real templates of the probes' own photos with random vectors mixed in, so that they are distinct.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.results import write_result
from indexer import RowBatch, Store
from pipelines.enrol.index import contract_of
from pipelines.search.gallery import Gallery
from tgfr_search.data.records import read_records
from tgfr_search.errors import FaceError
from tgfr_search.model.checkpoint import load_model
from tgfr_search.types import FloatArray

CAPTION = "A young woman with long brown hair, arched eyebrows and heavy makeup. She is smiling."
PROBES = 40


def fill(store: Store, rows: int, seed: int) -> None:
    """Adds rows of random unit blocks."""
    rng = np.random.default_rng(seed)

    def unit(count: int, dim: int) -> FloatArray:
        block: FloatArray = rng.normal(size=(count, dim)).astype(np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        return block

    with store.writer() as writer:
        for start in range(0, rows, 2000):
            count = min(2000, rows - start)
            names = [f"synthetic/{start + i}.jpg" for i in range(count)]
            writer.add(
                RowBatch(
                    subject_ids=[f"subject-{(start + i) // 2}" for i in range(count)],
                    images=names,
                    source_keys=names,
                    image_sha256s=["0" * 64] * count,
                    captions=[("A person.",)] * count,
                    blocks={block.name: unit(count, block.dim) for block in store.contract.blocks},
                    metadata=[{}] * count,
                    quality=[{}] * count,
                    chips=[None] * count,
                )
            )
        writer.commit()


def main() -> None:
    """Measures and writes benchmarks/results/query_latency.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("probes", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--model", default=None)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    probes = list(islice(read_records(arguments.probes, need_subject=False, on_problem=lambda problem: None), PROBES))
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "index", contract_of(model))
        fill(store, arguments.rows, seed=0)
        gallery = Gallery.open(Path(folder) / "index", model=model)
        gallery.query(caption=CAPTION)
        laps: dict[str, dict[str, list[float]]] = {}
        for mode in ("image", "fused", "caption"):
            for probe in probes:
                try:
                    image = None if mode == "caption" else str(probe.path)
                    result = gallery.query(image, caption=() if mode == "image" else CAPTION)
                except FaceError:
                    continue
                for name, ms in {**result.timing_ms, "total": sum(result.timing_ms.values())}.items():
                    laps.setdefault(mode, {}).setdefault(name, []).append(ms)
    table = {mode: {name: round(statistics.median(ms), 2) for name, ms in own.items()} for mode, own in laps.items()}
    print(write_result("query_latency", {"rows": arguments.rows, "model_id": model.model_id, "median_ms": table}))
    for mode, own in table.items():
        print(mode, own)


if __name__ == "__main__":
    main()
