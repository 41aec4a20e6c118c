"""One `Gallery` asked by many threads, by asyncio, and by a forked child: the answers are those of one thread."""

from __future__ import annotations

import asyncio
import csv
import multiprocessing
import os
import socket
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from indexer import Store
from pipelines.enrol.embed import net_threads
from pipelines.enrol.index import IndexSummary
from pipelines.search.gallery import Gallery
from tgfr_search.encoders.text import TransformerTextEncoder
from tgfr_search.encoders.text_files import find_text_model
from tgfr_search.faces.detectors.retinaface_net import look
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import QueryResult

THREADS = 8
Asked = dict[str, Any]


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


@pytest.fixture(scope="module")
def asked(demo: Path) -> list[Asked]:
    """Queries of every mode, some with a filter, of pictures of two people."""
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["quality"] == "clean"][:2]
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


_loaded: Gallery


def ask_inherited(query: Asked) -> list[tuple[str, int, float]]:
    return ask(_loaded, query)


def open_and_ask(path: Path, query: Asked) -> list[tuple[str, int, float]]:
    """As a user's own program does, without what the command line sets; any socket is an error."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a socket was opened")

    for name in [name for name in os.environ if name.startswith(("HF_", "TRANSFORMERS_"))]:
        del os.environ[name]
    socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse  # type: ignore[assignment,method-assign]
    return ask(Gallery.open(path, device="cpu"), query)


def look_once() -> int:
    return len(look(np.full((600, 800, 3), 128, np.uint8), 0.5).scores)


def result(pool: ProcessPoolExecutor, waiting: Future[Any]) -> Any:
    """What a worker of the pool found; one that hangs is ended, so that the test fails instead of waiting with it."""
    try:
        return waiting.result(timeout=60)
    except TimeoutError:
        for process in list(pool._processes.values()):
            process.kill()
        raise


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_pools_of_forked_and_spawned_processes_answer(
    enrolled: tuple[Path, IndexSummary], gallery: Gallery, asked: list[Asked]
) -> None:
    """A forked process in which torch went on with its parent's several threads waited for them for ever."""
    global _loaded
    _loaded, former = gallery, torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        alone = [ask(gallery, query) for query in asked[:3]]
        look_once()
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
            for query, own in zip(asked[:3], alone, strict=True):
                assert same(result(pool, pool.submit(ask_inherited, query)), own)
            assert result(pool, pool.submit(look_once)) == 0
    finally:
        torch.set_num_threads(former)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert same(pool.submit(open_and_ask, enrolled[0], asked[1]).result(timeout=240), alone[1])


def test_a_query_is_of_one_generation_whatever_is_written_through_its_store(
    index: Path, model: FaceTextModel, asked: list[Asked]
) -> None:
    own = Gallery.open(index, model=model)
    first = ask(own, asked[2])[0][1]
    search = Store.search_subjects

    def then_delete(store: Store, *arguments: Any, **options: Any) -> Any:
        found = search(store, *arguments, **options)
        assert isinstance(own.store, Store)
        with own.store.writer() as writer:
            writer.delete(row_ids=[first])
            writer.commit()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "search_subjects", then_delete)
        assert ask(own, asked[2])[0][1] == first
    assert ask(own, asked[2])[0][1] != first


def test_indexing_changes_torchs_threads_for_its_own_thread_alone() -> None:
    def elsewhere() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    former = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with net_threads(1):
            assert torch.get_num_threads() == 1
            assert elsewhere() == 3
        assert torch.get_num_threads() == elsewhere() == 3
    finally:
        torch.set_num_threads(former)


def test_loading_leaves_transformers_as_it_was() -> None:
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    try:
        encoder = TransformerTextEncoder.load(find_text_model("all-MiniLM-L6-v2"))
        assert logging.get_verbosity() == logging.INFO
        assert logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity(level)
        (logging.enable_progress_bar if bar else logging.disable_progress_bar)()
    fast = encoder.tokenizer._tokenizer
    told_once = fast.truncation, fast.padding
    assert None not in told_once
    encoder.tokenize(["a man", "a woman with long black hair"])
    assert (fast.truncation, fast.padding) == told_once
