"""One store used by many threads, written through meanwhile, and carried over a fork."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from index_helpers import CONTRACT, DIMS, add_rows, make_batch, random_blocks, small_index, unit

from indexer import IndexerError, Store, lock
from indexer.backends.faiss_build import matrix_products
from indexer.guard import Guard, once
from indexer.rows import SubjectHit

ROWS = 300


def filled(path: Path) -> Store:
    store = Store.create(path, CONTRACT)
    add_rows(store, [f"subject-{i // 3}" for i in range(ROWS)], seed=1)
    return store


def make_vectors(count: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, sum(DIMS.values()))))


def in_child(work: Callable[[], object]) -> int:
    """The exit code of a forked child that does it; -14 where it does not end."""
    with warnings.catch_warnings():  # from Python 3.12 on every fork beside threads is warned of
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            import signal

            signal.alarm(20)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_threads_get_the_answers_of_one_while_another_writes_through_the_store(tmp_path: Path) -> None:
    store = filled(tmp_path / "index")
    queries = make_vectors(16, seed=2)
    wheres = (None, "row_id < 200", "row_id >= 100 and row_id < 250", "row_id in (3, 5, 7)")

    def ask(at: Store, number: int) -> list[SubjectHit]:
        return at.search_subjects(queries[number % 16 : number % 16 + 1], 5, where=wheres[number % 4])[0]

    pinned = store.pinned()
    expected = [ask(pinned, number) for number in range(16)]
    fresh = Store.open(store.path)  # nothing of it is loaded: the threads meet at the first use
    stop = threading.Event()

    def write() -> None:
        for seed in range(100, 200):
            if stop.is_set():
                return
            with store.writer() as writer:
                blocks = random_blocks(np.random.default_rng(seed), 10)
                ids = writer.add(make_batch([f"more-{seed}"] * 10, blocks, first=1000 * seed))
                writer.commit()
                writer.delete(row_ids=ids.tolist())
                writer.commit()

    def any_state(number: int) -> None:
        own = store.pinned()
        hits = ask(own, number)
        rows = own.rows([hit.row_id for hit in hits], chips=False)
        assert [row.subject_id for row in rows] == [hit.subject_id for hit in hits]

    with ThreadPoolExecutor(7) as pool:
        writing = pool.submit(write)
        found = [pool.submit(ask, own, number) for number in range(64) for own in (pinned, fresh)]
        moving = [pool.submit(any_state, number) for number in range(32)]
        assert [each.result() for each in found] == [expected[i % 16] for i in range(64) for _ in range(2)]
        for each in moving:
            each.result()
        stop.set()
        writing.result()
    assert store.generation > pinned.generation


def test_what_is_made_once_is_made_by_one_thread() -> None:
    made, together = [], threading.Barrier(6)

    class Thing:
        def __init__(self) -> None:
            self.guard = Guard()

        @once
        def value(self) -> object:
            made.append(1)
            threading.Event().wait(0.05)
            return object()

    thing = Thing()

    def ask(_: int) -> object:
        together.wait(20)
        return thing.value

    with ThreadPoolExecutor(6) as pool:
        values = list(pool.map(ask, range(6)))
    assert len(made) == 1
    assert len({id(value) for value in values}) == 1


def test_a_child_forked_while_another_thread_loads_is_not_locked(tmp_path: Path) -> None:
    store = filled(tmp_path / "index")
    held, end = threading.Event(), threading.Event()

    def hold() -> None:
        with store._at.guard, store._generation.guard:
            held.set()
            assert end.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    queries = make_vectors(1, seed=2)
    assert in_child(lambda: store.search_subjects(queries, 5, where="row_id < 200")) == 0
    end.set()
    thread.join()


def test_a_child_searches_with_what_its_parent_loaded(tmp_path: Path) -> None:
    """OpenMP's threads are the parent's: a search on several of them never ended."""
    faiss = pytest.importorskip("faiss")
    store, queries = filled(tmp_path / "index"), make_vectors(64, seed=2)
    former = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        expected = store.search(queries, 5)

        def again() -> None:
            ids, scores = store.search(queries, 5)
            assert (ids == expected[0]).all()
            assert (scores == expected[1]).all()

        assert in_child(again) == 0
    finally:
        faiss.omp_set_num_threads(former)


def test_a_writer_and_its_lock_stay_with_the_process_that_opened_them(tmp_path: Path) -> None:
    store = filled(tmp_path / "index")
    ready, go = os.pipe(), os.pipe()
    with store.writer() as writer:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                try:
                    writer.delete(row_ids=[0])
                except IndexerError as error:
                    code = 0 if "forked" in str(error) else 2
                os.write(ready[1], b"r")
                os.read(go[0], 1)  # lives on after its parent has left the block
            finally:
                os._exit(code)
        assert os.read(ready[0], 1) == b"r"
        assert lock.is_held(store.path)
    assert not lock.is_held(store.path)
    os.write(go[1], b"g")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for end in (*ready, *go):
        os.close(end)


def test_the_number_that_faiss_decides_by_is_put_back_by_the_last() -> None:
    faiss = SimpleNamespace(cvar=SimpleNamespace(distance_compute_blas_threshold=7))
    first, second = matrix_products(faiss, 2), matrix_products(faiss, 2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert faiss.cvar.distance_compute_blas_threshold != 7
    second.__exit__(None, None, None)
    assert faiss.cvar.distance_compute_blas_threshold == 7
    with matrix_products(faiss, 1):
        assert faiss.cvar.distance_compute_blas_threshold == 7


def test_whoever_forks_inside_a_guard_leaves_it_in_both_halves() -> None:
    guard = Guard()
    with guard:
        child = os.fork()
    if not child:
        with guard:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_metadata_and_photos_are_of_one_generation(tmp_path: Path) -> None:
    store = small_index(tmp_path / "index")
    rows = store.metadata()  # a commit between the call and the reading
    with store.writer() as writer:
        writer.delete(row_ids=[0])
        writer.commit()
    assert len(list(rows)) == 8
    assert len(list(store.metadata())) == len(store) == 7
