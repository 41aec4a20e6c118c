"""Search through our API against raw FAISS on the same index, and the recall of every backend in every mode.

    python -m benchmarks.speed.search_speed MMCELEBA.parquet --cache FOLDER [--rows 10000 100000] [--backends flat scan]

The gallery is the test split of MM-CelebA-HQ as the model encodes it, filled up with distractors sampled around its
templates. Recall is of the rows that exact search finds; `subject_found` is the share of mated probes whose subject is
first, beside the same for exact search. Speed is the median over single queries, and over batches of 64.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.results import RESULTS, write_result
from benchmarks.speed.search_data import Faces, distractors, encode
from indexer.backends import make_backend
from indexer.backends.base import Backend, Source
from indexer.backends.faiss_build import import_faiss, matrix_products
from indexer.errors import LowRecallError
from indexer.ranking import Ranker
from tgfr_search.model.checkpoint import load_model
from tgfr_search.types import FloatArray

Search = Callable[[FloatArray], object]
TOP, BATCH = 10, 64
SINGLE, BATCHES = 60, 5


def median_ms(work: Search, clock: Callable[[], float], queries: list[FloatArray]) -> float:
    """Median milliseconds of one call, after one that does not count."""
    work(queries[0])
    times = []
    for query in queries:
        start = clock()
        work(query)
        times.append(clock() - start)
    return 1000 * statistics.median(times)


def in_turn(ours: Search, raw: Search, queries: list[FloatArray], threads: int) -> dict[str, float]:
    """Median milliseconds of both, measured by turns so that a busy machine slows both alike."""
    # The time of the one thread itself does not count what others did on the machine meanwhile.
    clock = time.thread_time if threads == 1 else time.perf_counter
    laps = [(median_ms(ours, clock, [query]), median_ms(raw, clock, [query])) for query in queries]
    mine, theirs = (statistics.median(side) for side in zip(*laps, strict=True))
    ratio = statistics.median(other / own for own, other in laps)
    return {"ours_ms": round(mine, 3), "raw_ms": round(theirs, 3), "speed_over_raw": round(ratio, 3)}


def raw_search(backend: Backend, source: Source, k: int) -> Search:
    """What somebody would write who calls FAISS alone: the same index, the same number of rows ranked again."""
    faiss = import_faiss()
    if backend.name == "flat":

        def flat(queries: FloatArray) -> object:
            with matrix_products(faiss, 2):
                return faiss.knn(queries, source.vectors, k, metric=faiss.METRIC_INNER_PRODUCT)

        return flat
    index = backend._index  # type: ignore[attr-defined]
    fetch = k * backend.overfetch if backend.slack is None else k

    def refined(queries: FloatArray) -> object:
        _, rows = index.search(queries, fetch)
        if backend.slack is not None:
            return rows
        scores = np.einsum("qd,qfd->qf", queries, source.vectors[rows])
        return np.argsort(-scores, axis=1)[:, :k]

    return refined


def measure(
    name: str, source: Source, faces: Faces, owners: npt.NDArray[np.int64], exact: Any, threads: int
) -> dict[str, Any]:
    """One backend over one gallery."""
    backend = make_backend(name)
    start = time.perf_counter()
    try:
        ranker = Ranker(backend, source, float(np.sqrt(len(source.contract.blocks)) * 1.0001))
    except LowRecallError as error:
        return {"refused": f"{error.found}; {error.expected}", "seconds": round(time.perf_counter() - start, 1)}
    out: dict[str, Any] = {"build_seconds": round(time.perf_counter() - start, 2), "overfetch": backend.overfetch}
    out["structure_bytes_a_row"] = round(structure_bytes(backend) / len(source.ids), 1)
    out["memory_over_vectors"] = round(1 + out["structure_bytes_a_row"] / (4 * source.vectors.shape[1]), 3)
    for (view, mode), (queries, subjects) in faces.probes.items():
        rows = [found for found, _ in ranker.rows(queries, TOP)]
        best = exact[view, mode]
        first, should = np.array([row[0] for row in rows]), np.array([row[0] for row in best])
        same = [len(set(one.tolist()) & set(other.tolist())) / TOP for one, other in zip(rows, best, strict=True)]
        out[f"{view}_{mode}"] = {
            "recall_at_1": round(float(np.mean(first == should)), 4),
            "recall_at_10": round(float(np.mean(same)), 4),
            "subject_found": round(float(np.mean(owners[first] == subjects)), 4),
            "subject_found_exact": round(float(np.mean(owners[should] == subjects)), 4),
        }
    queries = np.vstack([built for built, _ in faces.probes.values()])
    queries = queries[np.random.default_rng(0).permutation(len(queries))]
    raw = raw_search(backend, source, TOP)
    single = [queries[i : i + 1] for i in range(min(SINGLE, len(queries)))]
    batches = [queries[i * BATCH : (i + 1) * BATCH] for i in range(BATCHES) if (i + 1) * BATCH <= len(queries)]
    out["single"] = in_turn(lambda q: ranker.rows(q, TOP), raw, single, threads)
    out["batch_of_64"] = in_turn(lambda q: ranker.rows(q, TOP), raw, batches, threads)
    return out


def structure_bytes(backend: Backend) -> int:
    """Bytes of the backend's own structure."""
    faiss = import_faiss()
    index = getattr(backend, "_index", None)
    if index is None:
        return 0
    parts = getattr(backend, "_shards", [index])
    return sum(len(faiss.serialize_index(part)) for part in parts)


def main() -> None:
    """Runs the comparison and writes benchmarks/results/search_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--backends", nargs="+", default=["flat", "flat-fp16", "flat-sq8", "scan", "ivf", "hnsw"])
    parser.add_argument("--probes", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "search_speed.json")
    arguments = parser.parse_args()
    import_faiss().omp_set_num_threads(arguments.threads)
    model = load_model(None)
    faces = encode(arguments.photos, model, arguments.cache, arguments.probes)
    model_id, contract = model.model_id, faces.contract
    del model
    results: dict[str, Any] = {}
    for count in arguments.rows:
        extra = distractors(faces, count - len(faces.gallery), seed=1)
        vectors = np.concatenate([faces.gallery, extra])
        del extra
        gc.collect()
        owners = np.concatenate([faces.owners, -1 - np.arange(count - len(faces.gallery))])
        source = Source(vectors, np.arange(count), contract)
        flat = Ranker(make_backend("flat"), source, float(np.sqrt(len(contract.blocks)) * 1.0001))
        exact = {key: [rows for rows, _ in flat.rows(queries, TOP)] for key, (queries, _) in faces.probes.items()}
        own: dict[str, Any] = {}
        for name in arguments.backends:
            own[name] = measure(name, source, faces, owners, exact, arguments.threads)
            print(count, name, own[name], flush=True)
            results[str(count)] = own
            told = {"model_id": model_id, "dim": contract.dim, "threads": arguments.threads, "rows": results}
            write_result("search_speed", {**told, "probes": arguments.probes, "top": TOP}, arguments.out)


if __name__ == "__main__":
    main()
