"""Backends that may miss a row, at sizes where they build a structure: held to the exact answer, mode by mode."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from index_helpers import make_batch, unit

from indexer import (
    BadVectorError,
    Block,
    Contract,
    IndexerError,
    LowRecallError,
    MissingDeviceError,
    RowBatch,
    Store,
    compact,
    purge,
    verify,
)
from indexer.backends import RECALLED_BACKENDS, make_backend
from indexer.backends.auto import FLAT_BYTES, choose
from indexer.backends.base import Source
from indexer.backends.codes import plan_codes
from indexer.backends.exact import ExactBackend
from indexer.caches import CACHE_NAME
from indexer.ranking import Ranker

pytestmark = pytest.mark.slow

DIMS = {"face": 32, "shared": 32, "caption": 16}
CONTRACT = Contract(tuple(Block(name, dim) for name, dim in DIMS.items()), {"model_id": "m"})
SLICES = CONTRACT.slices
# What a query of each mode weighs the blocks with; one block alone decides the first two.
MODES = {
    "image": {"face": 80.0, "shared": 8.0},
    "caption": {"caption": 2.0, "shared": 4.0},
    "fused": {"face": 130.0, "shared": 3.0, "caption": 1.5},
}
APPROXIMATE = ["scan", "scan-shards", "ivf", "hnsw"]
ROWS, EACH = 3000, 3


def people(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Rows of subjects with EACH rows; unlike noise, their blocks lie near a few directions, `face` beside a mean."""
    rng = np.random.default_rng(seed)
    blocks = {}
    for name, dim in DIMS.items():
        spread = 0.85 ** np.arange(dim)
        subjects = rng.standard_normal((count // EACH + 1, dim)).repeat(EACH, axis=0)[:count]
        rows = (subjects + 0.5 * rng.standard_normal((count, dim))) * spread + (
            3.0 if name == "face" else 0.0
        ) / dim**0.5
        blocks[name] = unit(rows)
    blocks["caption"][::50] = 0.0
    return blocks


def probes(blocks: dict[str, np.ndarray], mode: str, hard: float, count: int, seed: int = 1) -> np.ndarray:
    """Queries near rows; `hard` of the way to another row."""
    rng = np.random.default_rng(seed)
    rows, others = (rng.integers(0, len(blocks["face"]), count) for _ in range(2))
    queries = np.zeros((count, CONTRACT.dim), np.float32)
    for name, weight in MODES[mode].items():
        mixed = (1 - hard) * blocks[name][rows] + hard * blocks[name][others]
        queries[:, SLICES[name]] = weight * mixed
    return queries


@pytest.fixture(scope="module")
def blocks() -> dict[str, np.ndarray]:
    return people(ROWS)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, blocks: dict[str, np.ndarray]) -> Path:
    store = Store.create(tmp_path_factory.mktemp("people") / "index", CONTRACT)
    with store.writer() as writer:
        writer.add(make_batch([f"s{i // EACH}" for i in range(ROWS)], blocks))
        writer.commit()
    return store.path


@pytest.mark.parametrize("hard", [0.15, 0.45], ids=["easy", "hard"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", APPROXIMATE)
def test_every_mode_finds_what_exact_search_finds(
    index: Path, blocks: dict[str, np.ndarray], backend: str, mode: str, hard: float
) -> None:
    exact, tested = Store.open(index, backend="exact"), Store.open(index, backend=backend)
    queries = probes(blocks, mode, hard, 150)
    (ids, scores), (found, told) = exact.search(queries, 10), tested.search(queries, 10)
    assert (scores[:, 0] == told[:, 0]).mean() >= 0.999
    assert np.mean([len(set(one) & set(other)) / 10 for one, other in zip(ids, found, strict=True)]) >= 0.99
    same = ids == found
    np.testing.assert_array_equal(scores[same], told[same])  # what is found is scored as it is stored, bit for bit
    subjects = [hits[0] for hits in exact.search_subjects(queries, 1)]
    assert [hits[0] for hits in tested.search_subjects(queries, 1)] == subjects


@pytest.mark.parametrize("backend", APPROXIMATE)
def test_ties_duplicates_and_deletions(tmp_path: Path, backend: str) -> None:
    """Every person twice: of equal scores the smaller id comes first, until it is deleted."""
    half = people(900)
    store = Store.create(tmp_path / "index", CONTRACT, backend=backend)
    with store.writer() as writer:
        writer.add(make_batch([f"s{i}" for i in range(1800)], {name: np.vstack([b, b]) for name, b in half.items()}))
        writer.commit()
    queries = probes(half, "fused", 0.1, 20)
    ids, scores = store.search(queries, 2)
    np.testing.assert_array_equal(ids[:, 1], ids[:, 0] + 900)
    np.testing.assert_array_equal(scores[:, 0], scores[:, 1])
    with store.writer() as writer:
        writer.delete(row_ids=set(ids[:, 0].tolist()))
        writer.commit()
    np.testing.assert_array_equal(store.search(queries, 1)[0], ids[:, 1:])
    np.testing.assert_array_equal(store.search(queries, 1)[1], scores[:, 1:])


@pytest.mark.parametrize("backend", APPROXIMATE)
def test_filters_are_exact_and_bad_queries_are_refused(
    index: Path, blocks: dict[str, np.ndarray], backend: str
) -> None:
    exact, tested = Store.open(index, backend="exact"), Store.open(index, backend=backend)
    queries = probes(blocks, "caption", 0.4, 10)
    for where in ("n = 7", "n < 40", "n >= 10", "n < 0"):
        for one, other in zip(
            exact.search(queries, 5, where=where), tested.search(queries, 5, where=where), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    ids, _ = tested.search(queries, ROWS + 5)  # more than there are: all of them, in order
    np.testing.assert_array_equal(ids, exact.search(queries, ROWS + 5)[0])
    queries[3, 1] = np.nan
    with pytest.raises(BadVectorError, match="query 3"):
        tested.search(queries, 1)


@pytest.mark.parametrize("backend", [*APPROXIMATE, "auto@0.9"])
def test_the_structure_is_kept_checked_and_purged(
    tmp_path: Path,
    blocks: dict[str, np.ndarray],
    backend: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("indexer.backends.auto.FLAT_BYTES", 0)
    caplog.set_level(logging.INFO)
    store = Store.create(tmp_path / "index", CONTRACT, backend=backend)
    with store.writer() as writer:
        writer.add(make_batch([f"s{i}" for i in range(ROWS)], blocks))
        writer.commit()
    queries = probes(blocks, "image", 0.3, 5)
    expected = store.search(queries, 3)
    folder = store.path / CACHE_NAME
    files = sorted(path for path in folder.iterdir() if path.suffix in (".bin", ".json"))
    record = json.loads(next(p for p in files if p.suffix == ".json" and "rows" not in p.name).read_text())
    assert record["notes"]["recall"]["at_1"] >= (0.9 if "@" in backend else 0.999)
    assert any(row["recall"] for row in store.info()["search_structures"])
    assert "built" in caplog.text

    def again() -> bool:
        """Whether a new reader built the structure anew; the answer is the same in any case."""
        caplog.clear()
        for one, other in zip(Store.open(store.path, backend=backend).search(queries, 3), expected, strict=True):
            np.testing.assert_array_equal(one, other)
        return "built" in caplog.text

    assert not again()
    for number, path in enumerate(files):
        data = path.read_bytes()
        damages = (data[: len(data) // 2], bytes(len(data)), data[:100] + bytes([data[100] ^ 4]) + data[101:])
        for damaged in damages if backend == "scan" else damages[number % 3 :][:1]:
            path.write_bytes(damaged)
            assert verify(store.path).ok
            assert again()
        assert not again()
    with store.writer() as writer:
        writer.update(0, subject_id="renamed")
        writer.commit()
    assert not again()  # the vectors are the same
    purge(store)
    assert not [path for path in files if path.exists()]


@pytest.mark.parametrize("backend", APPROXIMATE)
def test_the_structure_goes_on_while_few_rows_change(
    tmp_path: Path, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    more = people(ROWS + 900, seed=3)

    def batch(rows: slice) -> RowBatch:
        return make_batch([f"s{i // EACH}" for i in range(ROWS + 900)[rows]], {n: b[rows] for n, b in more.items()})

    path = tmp_path / "index"
    store = Store.create(path, CONTRACT, backend=backend)
    with store.writer() as writer:
        writer.add(batch(slice(ROWS)))
        writer.commit()
    store.load()
    queries = np.vstack([probes(more, mode, 0.2, 60) for mode in MODES])  # near rows that are there, and that are not

    def opened() -> str:
        """How a new reader came by its structure; its answers are those of exact search."""
        caplog.clear()
        exact, tested = Store.open(path, backend="exact"), Store.open(path, backend=backend)
        (ids, scores), (found, told) = exact.search(queries, 10), tested.search(queries, 10)
        assert (scores[:, 0] == told[:, 0]).mean() >= 0.99
        assert np.mean([len(set(one) & set(other)) / 10 for one, other in zip(ids, found, strict=True)]) >= 0.99
        return "built" if "built" in caplog.text else "goes on" if "goes on" in caplog.text else "kept"

    assert opened() == "kept"
    best = Store.open(path, backend="exact").search(queries, 1)[0][:, 0]
    with store.writer() as writer:
        writer.delete(row_ids=set(best[:20].tolist()))
        writer.commit()
    assert opened() == "goes on"
    assert re.search(r" 0 new rows, [1-9]\d? gone", caplog.text)
    with store.writer() as writer:
        writer.add(batch(slice(ROWS, ROWS + 100)))
        writer.commit()
    compact(store)
    assert opened() == "goes on"
    assert re.search(r" 100 new rows, [1-9]\d? gone", caplog.text)
    assert [told["of_these_rows"] for told in store.info()["search_structures"]][:1] == [False]
    with store.writer() as writer:
        writer.add(batch(slice(ROWS + 100, None)))  # more than a twentieth
        writer.commit()
    assert opened() == "built"
    assert opened() == "kept"
    gone = [row for row in range(ROWS) if row not in best[:20]][:40]
    with store.writer() as writer:
        writer.delete(row_ids=gone)  # more than a hundredth
        writer.commit()
    assert opened() == "built"


@pytest.mark.parametrize("described", [0, 5])
@pytest.mark.parametrize("backend", APPROXIMATE)
def test_new_rows_of_a_kind_that_the_structure_does_not_know(
    tmp_path: Path, backend: str, described: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A gallery that (almost) nobody described gets its first captions."""
    caplog.set_level(logging.INFO)
    more = people(ROWS + 120, seed=5)
    more["caption"][described:ROWS] = 0.0
    path = tmp_path / "index"
    store = Store.create(path, CONTRACT, backend=backend)
    for rows in (slice(ROWS), slice(ROWS, None)):
        with store.writer() as writer:
            part = {name: block[rows] for name, block in more.items()}
            writer.add(make_batch([f"s{i // EACH}" for i in range(ROWS + 120)[rows]], part))
            writer.commit()
        caplog.clear()
        store = Store.open(path, backend=backend)
        store.load()
    queries = np.zeros((120, CONTRACT.dim), np.float32)
    queries[:, SLICES["caption"]] = more["caption"][ROWS:]
    queries[:, SLICES["face"]] = 0.3 * unit(np.random.default_rng(0).standard_normal((120, DIMS["face"])))
    best = Store.open(path, backend="exact").search(queries, 1)[0]
    assert (store.search(queries, 1)[0] == best).mean() >= 0.98


def test_a_row_id_that_has_another_vector(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody puts an older copy of the folder back, and enrols another photo: it gets an id that was given before."""
    caplog.set_level(logging.INFO)
    more = people(ROWS + 2, seed=4)
    path = tmp_path / "index"
    store = Store.create(path, CONTRACT, backend="scan")
    with store.writer() as writer:
        writer.add(make_batch(["s"] * ROWS, {name: block[:ROWS] for name, block in more.items()}))
        writer.commit()
    shutil.copytree(path, tmp_path / "older")

    def enrol(row: int) -> None:
        writing = Store.open(path)
        with writing.writer() as writer:
            writer.add(make_batch(["s"], {name: block[row : row + 1] for name, block in more.items()}))
            writer.commit()
        caplog.clear()
        query = np.hstack([block[row : row + 1] for block in more.values()])
        assert Store.open(path, backend="scan").search(query, 1)[0][0, 0] == ROWS

    enrol(ROWS)
    assert "built" in caplog.text
    shutil.copytree(path / CACHE_NAME, tmp_path / "older" / CACHE_NAME)
    shutil.rmtree(path)
    (tmp_path / "older").rename(path)
    enrol(ROWS + 1)
    assert "built" in caplog.text


def test_a_folder_that_cannot_be_written_is_searched_without_a_cache(
    index: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(step: str, path: Path) -> None:
        raise OSError(28, "No space left on device")

    shutil.rmtree(index / CACHE_NAME, ignore_errors=True)
    monkeypatch.setattr("indexer.io.on_step", full)
    store = Store.open(index, backend="ivf@0.5")
    assert store.search(np.ones((1, CONTRACT.dim), np.float32), 1)[0][0, 0] >= 0
    assert "the search structure is not kept" in caplog.text
    assert "No space left" in caplog.text


def test_a_recall_that_is_not_reached_fails_the_build(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((4000, 64)))
    source = Source(vectors, np.arange(4000), Contract((Block("face", 64),), {}))
    monkeypatch.setattr("indexer.backends.faiss_ann._EFFORTS", (1,))
    with pytest.raises(LowRecallError, match=r"recall@1 of 0\.\d+ on \d+ .* expected: 0.999 or more.*'flat'"):
        make_backend("hnsw").build(source)
    make_backend("hnsw@0").build(source)


def test_a_backend_that_proposes_fewer_rows_than_are_wanted(blocks: dict[str, np.ndarray]) -> None:
    """FAISS selects 2,048 rows on a GPU, whatever is asked."""

    class Short(ExactBackend):
        slack = None
        overfetch = 2

        def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            return super().search(queries, min(k, 50))

    source = Source(np.hstack(list(blocks.values())), np.arange(ROWS), CONTRACT)
    queries = probes(blocks, "image", 0.2, 3)
    for k in (10, 50, 51, 200, ROWS):
        for one, other in zip(
            Ranker(Short(), source, 2.0).rows(queries, k),
            Ranker(ExactBackend(), source, 2.0).rows(queries, k),
            strict=True,
        ):
            np.testing.assert_array_equal(one[0], other[0])


def test_auto_says_what_it_chose_and_why() -> None:
    rows = FLAT_BYTES // 4 // 512
    assert choose(rows, 512, None, 0)[0] == "flat"
    assert choose(rows + 1, 512, None, 0)[0] == "scan"
    name, reason = choose(rows + 1, 512, None, 2)
    assert (name, reason) == ("gpu", "195,313 rows of 512 components are 400 MB, and FAISS sees 2 CUDA devices")
    assert choose(10**8, 512, 10**9, 0)[0] == "flat"
    assert "codes of 128 bytes" in choose(10**6, 512, 10**10, 0)[1]


@pytest.mark.parametrize("backend", ["gpu", "gpu-ivfpq"])
def test_gpu_refuses_without_one(index: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import faiss

    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus():
        pytest.skip("there is a GPU")
    with pytest.raises(MissingDeviceError, match=f"'{backend}'.*without GPU code.*faiss-gpu"):
        Store.open(index, backend=backend).load()
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    with pytest.raises(MissingDeviceError, match="no CUDA device"):
        Store.open(index, backend=backend).load()


@pytest.mark.parametrize("name", ["flat@0.9", "scan@", "scan@2", "scan@x", "nothing@0.9"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(IndexerError, match=f"search backend '{name}'"):
        make_backend(name)
    assert "scan" in RECALLED_BACKENDS


def test_codes_lose_the_same_share_of_every_block(blocks: dict[str, np.ndarray]) -> None:
    sample = np.hstack(list(blocks.values()))
    plan = plan_codes(sample, SLICES)
    assert plan.transform.shape == (CONTRACT.dim, 4 * plan.codes)
    assert plan.codes % 2 == 0
    for where in SLICES.values():
        block = plan.transform[where]
        used = block.any(axis=0)
        np.testing.assert_allclose(block[:, used].T @ block[:, used], np.eye(used.sum()), atol=1e-5)
        present = sample[sample[:, where].any(axis=1), where]
        kept = np.trace(np.cov((present @ block).T)) / np.trace(np.cov(present.T))
        assert 1.0 - plan.loss - 1e-6 <= kept <= 1.0 + 1e-6
    for code in range(plan.codes):  # no code straddles two blocks
        touched = np.flatnonzero(plan.transform[:, 4 * code : 4 * code + 4].any(axis=1))
        assert sum(bool(set(touched) & set(range(where.start, where.stop))) for where in SLICES.values()) <= 1


def test_codes_are_few_where_there_is_much_to_tell() -> None:
    rng = np.random.default_rng(0)
    plan = plan_codes(unit(rng.standard_normal((3000, 600))), {"a": slice(0, 300), "b": slice(300, 600)})
    assert plan.codes <= 256
    assert plan.loss > 0.02
    empty: Any = plan_codes(np.zeros((10, 8), np.float32), {"a": slice(0, 8)})
    assert empty.codes == 0
