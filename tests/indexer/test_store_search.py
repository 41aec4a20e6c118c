"""Search: every exact backend gives what plain sorting gives, bit for bit, whatever the ties.

So do the approximate ones below the size at which they build anything; `test_backends.py` has those above.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, make_batch, plain_scores, plain_search, plain_subjects, random_blocks, unit

from indexer import BadVectorError, Block, Contract, IndexerError, Store
from indexer.backends import BACKENDS, EXACT_BACKENDS, make_backend
from indexer.backends.base import Source

EXACT = [*EXACT_BACKENDS, "auto"]  # at these sizes `auto` is `flat`
RUNNABLE = [name for name in BACKENDS if not name.startswith("gpu")]


@pytest.fixture(params=RUNNABLE)
def any_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=EXACT)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Gallery:
    """A store and the same rows in plain arrays."""

    def __init__(self, path: Path, backend: str, subjects: list[str], blocks: dict[str, np.ndarray]) -> None:
        self.store = Store.create(path / "index", CONTRACT, backend=backend)
        self.subjects, self.vectors = subjects, np.hstack(list(blocks.values()))
        self.ids = np.arange(len(subjects))
        if subjects:
            with self.store.writer() as writer:
                writer.add(make_batch(subjects, blocks))
                writer.commit()

    def check(self, queries: np.ndarray, k: int) -> None:
        queries = np.asarray(queries, np.float32)
        ids, scores = self.store.search(queries, k)
        assert (ids.dtype, scores.dtype, ids.shape, scores.shape) == (
            np.int64,
            np.float32,
            (len(queries), k),
            ids.shape,
        )
        for number, query in enumerate(queries):
            found = list(zip(ids[number].tolist(), scores[number].tolist(), strict=True))
            expected = plain_search(self.vectors, self.ids, query, k)
            assert found == expected + [(-1, -np.inf)] * (k - len(expected))
        for aggregate in ("max", "mean"):
            for query, hits in zip(queries, self.store.search_subjects(queries, k, aggregate), strict=True):
                found = [(hit.subject_id, hit.row_id, hit.score) for hit in hits]
                assert found == plain_subjects(self.vectors, self.ids, self.subjects, query, k, aggregate), aggregate


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 40, 900])
@pytest.mark.parametrize("k", [1, 3, 10, 64])
def test_random_rows(tmp_path: Path, backend: str, count: int, k: int) -> None:
    rng = np.random.default_rng(count)
    subjects = [f"s{i}" for i in rng.integers(0, max(1, count // 3), count)]
    gallery = Gallery(tmp_path, backend, subjects, random_blocks(rng, count))
    gallery.check(rng.standard_normal((5, 12)) * 3.0, k)


def test_more_asked_than_there_is(tmp_path: Path, any_backend: str) -> None:
    gallery = Gallery(tmp_path, any_backend, ["a", "b", "a"], random_blocks(np.random.default_rng(0), 3))
    gallery.check(np.random.default_rng(1).standard_normal((2, 12)), 1000)


def test_empty_index(tmp_path: Path, any_backend: str) -> None:
    store = Store.create(tmp_path / "index", CONTRACT, backend=any_backend)
    ids, scores = store.search(np.ones((2, 12), np.float32), 3)
    assert ids.tolist() == [[-1] * 3] * 2
    assert np.isneginf(scores).all()
    assert store.search_subjects(np.ones((2, 12), np.float32), 3) == [[], []]
    assert store.search_subjects(np.ones((2, 12), np.float32), 3, "mean") == [[], []]


def test_no_query(tmp_path: Path, any_backend: str) -> None:
    gallery = Gallery(tmp_path, any_backend, ["a"] * 300, random_blocks(np.random.default_rng(0), 300))
    gallery.check(np.empty((0, 12)), 3)


def test_ties_go_to_the_smaller_id(tmp_path: Path, backend: str) -> None:
    """Every vector 50 times, scattered: kernels that add in another order at another place must not show."""
    rng = np.random.default_rng(3)
    copies = rng.permutation(np.repeat(np.arange(20), 50))
    blocks = {name: block[copies] for name, block in random_blocks(rng, 20).items()}
    gallery = Gallery(tmp_path, backend, [f"s{i}" for i in rng.integers(0, 30, 1000)], blocks)
    for k in (1, 49, 50, 51, 120):
        gallery.check(rng.standard_normal((3, 12)), k)


@pytest.mark.slow
def test_near_ties_are_ranked_by_the_exact_score(tmp_path: Path, backend: str) -> None:
    """Rows that differ in the last bits of float32, where the kernels' rounding is larger than the differences."""
    rng = np.random.default_rng(4)
    base = random_blocks(rng, 1)["face"]
    face = (base.repeat(2000, axis=0) * (1 + rng.integers(-40, 40, (2000, 8)) * 2.0**-24)).astype(np.float32)
    blocks = {"face": face, "caption": np.zeros((2000, 4), np.float32)}
    gallery = Gallery(tmp_path, backend, [f"s{i % 700}" for i in range(2000)], blocks)
    gallery.check(np.vstack([gallery.vectors[0], rng.standard_normal(12)]), 10)


def test_a_query_of_zeros_ties_everything(tmp_path: Path, any_backend: str) -> None:
    rng = np.random.default_rng(5)
    gallery = Gallery(tmp_path, any_backend, [f"s{i // 3}" for i in range(600)], random_blocks(rng, 600))
    gallery.check(np.zeros((2, 12)), 7)


@pytest.mark.slow
def test_caption_only_where_few_rows_have_a_caption(tmp_path: Path, any_backend: str) -> None:
    rng = np.random.default_rng(6)
    blocks = random_blocks(rng, 900)
    blocks["caption"][5:] = 0.0
    gallery = Gallery(tmp_path, any_backend, [f"s{i // 2}" for i in range(900)], blocks)
    gallery.check(np.hstack([np.zeros((3, 8)), unit(rng.standard_normal((3, 4)))]), 10)


def test_one_subject_with_hundreds_of_rows(tmp_path: Path, backend: str) -> None:
    """The 500 best rows are one subject's: over-fetching must go on until k subjects are certain."""
    rng = np.random.default_rng(7)
    near = unit(np.eye(8)[[0]] + 0.05 * rng.standard_normal((500, 8)))
    blocks = random_blocks(rng, 1500)
    blocks["face"][rng.permutation(1500)[:500]] = near
    is_near = (blocks["face"][:, None, 0] > 0.9).any(axis=1)
    subjects = ["big" if near_ else f"s{i % 50}" for i, near_ in enumerate(is_near)]
    gallery = Gallery(tmp_path, backend, subjects, blocks)
    gallery.check(np.hstack([np.eye(8)[[0]], np.zeros((1, 4))]), 5)
    gallery.check(np.hstack([np.eye(8)[[0]], np.zeros((1, 4))]), 51)


def test_one_query_and_a_batch_agree_bit_for_bit(tmp_path: Path, backend: str) -> None:
    rng = np.random.default_rng(8)
    gallery = Gallery(tmp_path, backend, [f"s{i}" for i in range(2000)], random_blocks(rng, 2000))
    queries = rng.standard_normal((300, 12)).astype(np.float32)
    ids, scores = gallery.store.search(queries, 10)
    for number in range(0, 300, 13):
        one = gallery.store.search(queries[number : number + 1], 10)
        np.testing.assert_array_equal(one[0][0], ids[number])
        np.testing.assert_array_equal(one[1][0], scores[number])


def test_deleted_rows_are_not_found(tmp_path: Path, any_backend: str) -> None:
    rng = np.random.default_rng(9)
    gallery = Gallery(tmp_path, any_backend, [f"s{i % 40}" for i in range(300)], random_blocks(rng, 300))
    with gallery.store.writer() as writer:
        writer.delete(row_ids=range(0, 300, 7))
        writer.delete(subject_id="s3")
        writer.commit()
    kept = [i for i in range(300) if i % 7 and i % 40 != 3]
    gallery.vectors, gallery.ids = gallery.vectors[kept], gallery.ids[kept]
    gallery.subjects = [gallery.subjects[i] for i in kept]
    gallery.check(rng.standard_normal((4, 12)), 10)
    assert len(gallery.store) == len(kept)


def test_block_scores_add_up_to_the_score(tmp_path: Path, backend: str) -> None:
    rng = np.random.default_rng(10)
    gallery = Gallery(tmp_path, backend, [f"s{i}" for i in range(50)], random_blocks(rng, 50))
    query = rng.standard_normal((1, 12)).astype(np.float32)
    ids, scores = gallery.store.search(query, 5)
    parts, rows = gallery.store.split(query), gallery.store.split(gallery.store.vectors(ids[0]))
    assert {name: part.shape for name, part in rows.items()} == {"face": (5, 8), "caption": (5, 4)}
    total = sum(rows[name] @ parts[name][0] for name in parts)
    np.testing.assert_allclose(total, scores[0], atol=1e-5)


def test_bad_queries(tmp_path: Path, any_backend: str) -> None:
    gallery = Gallery(tmp_path, any_backend, ["a"], random_blocks(np.random.default_rng(0), 1))
    good = np.ones((2, 12), np.float32)
    for value in (np.nan, np.inf, 3e38):
        wrong = good.copy()
        wrong[1] = value
        with pytest.raises(BadVectorError, match="query 1"):
            gallery.store.search(wrong, 1)
    for wrong in (good[0], good[:, :11], good.astype(np.float64)):
        with pytest.raises(BadVectorError, match=r"expected: float32 \[Q, 12\]"):
            gallery.store.search_subjects(wrong, 1)
    with pytest.raises(IndexerError, match="k; found: 0"):
        gallery.store.search(good, 0)
    with pytest.raises(IndexerError, match="'median'"):
        gallery.store.search_subjects(good, 1, "median")
    assert gallery.store.search(np.asfortranarray(good), 1)[0].tolist() == [[0], [0]]


@pytest.mark.slow
def test_what_a_backend_promises(backend: str) -> None:
    """The k best within float32 rounding, best first, at batch sizes on both sides of FAISS's switch of kernels."""
    rng = np.random.default_rng(11)
    vectors, ids = unit(rng.standard_normal((3000, 64))), np.arange(3000) * 5 + 2
    search = make_backend(backend)
    search.build(Source(vectors, ids, Contract((Block("face", 64),), {})))
    for count in (1, 3, 200):
        for k in (1, 150, 3000):
            queries = rng.standard_normal((count, 64)).astype(np.float32)
            found, scores = search.search(queries, k)
            assert found.shape == scores.shape == (count, k)
            for number in range(count):
                exact = plain_scores(vectors, queries[number])
                assert len(set(found[number].tolist())) == k
                assert search.slack is not None
                off = 1e-4 + search.slack * float(np.linalg.norm(queries[number]))
                np.testing.assert_allclose(scores[number], exact[(found[number] - 2) // 5], atol=off)
                np.testing.assert_allclose(scores[number], np.sort(exact)[::-1][:k], atol=off)
