"""One `Gallery` asked by many threads, by asyncio, and by a forked child: the answers are those of one thread."""

from __future__ import annotations

import asyncio
import csv
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from indexer import Store
from pipelines.index import IndexSummary
from pipelines.query import Gallery
from tgfr_search.model.checkpoint import FaceTextModel
from tgfr_search.types import QueryResult

THREADS = 8
Asked = dict[str, Any]


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


@pytest.fixture(scope="module")
def asked(demo: Path) -> list[Asked]:
    """Queries of every mode, some with a filter, of pictures of several people."""
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["quality"] == "clean"][:4]
    queries: list[Asked] = []
    for at, row in enumerate(rows):
        path = str(demo / row["image"])
        queries += [
            {"image": path, "mode": "image"},
            {"image": path, "caption": row["caption"]},
            {"caption": row["caption"]},
            {"image": path, "where": f"row_id != {at}"},
        ]
    return queries


def told(result: QueryResult) -> list[tuple[str, int, float]]:
    return [(hit.subject_id, hit.row_id, hit.score) for hit in result.candidates]


def same(got: list[tuple[str, int, float]], alone: list[tuple[str, int, float]]) -> bool:
    """Equal rows in order; scores up to what bfloat16 kernels add up differently."""
    return [row[:2] for row in got] == [row[:2] for row in alone] and [row[2] for row in got] == pytest.approx(
        [row[2] for row in alone], rel=1e-4, abs=1e-4
    )


def ask(gallery: Gallery, query: Asked) -> list[tuple[str, int, float]]:
    return told(gallery.query(query.get("image"), **{k: v for k, v in query.items() if k != "image"}))


def test_many_threads_get_the_answers_of_one_while_another_writes(
    gallery: Gallery, asked: list[Asked], index: Path, model: FaceTextModel
) -> None:
    alone = [ask(gallery, query) for query in asked]
    opened, done = Gallery.open(index, model=model), threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            with Store.open(index).writer() as writer:
                writer.update(0, metadata={"seen": number})
                writer.commit()
            number += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            together = list(pool.map(lambda query: ask(opened, query), asked * 3))
    finally:
        done.set()
        writing.join()
    wrong = [at for at, got in enumerate(together) if not same(got, alone[at % len(asked)])]
    assert not wrong
    assert all(same(ask(Gallery.open(index, model=model), query), own) for query, own in zip(asked, alone, strict=True))


def test_asyncio_gets_the_same_answers(gallery: Gallery, asked: list[Asked]) -> None:
    alone = [ask(gallery, query) for query in asked]

    async def together() -> list[list[tuple[str, int, float]]]:
        return await asyncio.gather(*(asyncio.to_thread(ask, gallery, query) for query in asked))

    assert all(same(got, own) for got, own in zip(asyncio.run(together()), alone, strict=True))


def answer(pipe: Connection, gallery: Gallery, query: Asked) -> None:
    pipe.send(ask(gallery, query))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_child_that_was_forked_from_a_loaded_process_answers(gallery: Gallery, asked: list[Asked]) -> None:
    """Also while other threads of the parent ask: whatever they held is not held in the child."""
    alone, done = ask(gallery, asked[1]), threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            ask(gallery, asked[1])

    others = [threading.Thread(target=keep_asking) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(3):
            here, there = multiprocessing.Pipe()
            child = multiprocessing.get_context("fork").Process(target=answer, args=(there, gallery, asked[1]))
            child.start()
            assert here.poll(60), "the child hangs"
            assert same(here.recv(), alone)
            child.join(60)
            assert child.exitcode == 0
    finally:
        done.set()
        for other in others:
            other.join()
