"""An index served by Milvus: the embedded engine, which is Milvus's own code, in a file of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_store_search as suite
from index_helpers import CONTRACT, make_batch, random_blocks, unit

from indexer import (
    Block,
    Contract,
    ContractMismatchError,
    FilterError,
    IndexerError,
    Store,
    UnknownRowError,
    Writer,
    restore,
    snapshot,
)
from indexer.backends.base import Source
from indexer.backends.exact import ExactBackend
from indexer.errors import MilvusError, MissingMilvusError
from indexer.filters.parse import parse
from indexer.milvus import MilvusStore, Server, connect, layout, publish, ranking
from indexer.milvus.expression import expression, literal
from indexer.milvus.ranking import Remote
from indexer.ranking import Ranker

pytestmark = pytest.mark.slow


class Served(MilvusStore):
    """A published index that the suite may also write to, through the index on disk."""

    index: Store

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        with self.index.writer() as writer:
            yield writer
        publish(self.index, self.server)
        self._state = layout.read_state(self.server, self._client, self.collection)


class MilvusGallery(suite.Gallery):
    """The suite's gallery, searched in Milvus."""

    def __init__(self, path: Path, backend: str, subjects: list[str], blocks: dict[str, np.ndarray]) -> None:
        super().__init__(path, "exact", subjects, blocks)
        index, server = self.store, Server(str(path / "milvus.db"))
        publish(index, server)
        served = Served.open(server)
        assert isinstance(served, Served)
        served.index, self.store = index, served  # type: ignore[assignment]


SUITE: list[Callable[..., None]] = [
    suite.test_more_asked_than_there_is,
    suite.test_no_query,
    suite.test_ties_go_to_the_smaller_id,
    suite.test_near_ties_are_ranked_by_the_exact_score,
    suite.test_a_query_of_zeros_ties_everything,
    suite.test_caption_only_where_few_rows_have_a_caption,
    suite.test_one_subject_with_hundreds_of_rows,
    suite.test_deleted_rows_are_not_found,
    suite.test_block_scores_add_up_to_the_score,
    suite.test_bad_queries,
]


@pytest.mark.parametrize("test", SUITE)
def test_the_suite_of_the_other_backends(
    test: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "Gallery", MilvusGallery)
    test(tmp_path, "milvus")


@pytest.mark.parametrize(("count", "k"), [(1, 1), (40, 3), (40, 64), (900, 10)])
def test_random_rows(count: int, k: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "Gallery", MilvusGallery)
    suite.test_random_rows(tmp_path, "milvus", count, k)


def test_beyond_the_largest_search_every_row_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "MAX_FETCH", 30)
    monkeypatch.setattr(suite, "Gallery", MilvusGallery)
    suite.test_a_query_of_zeros_ties_everything(tmp_path, "milvus")


METADATA: list[dict[str, Any]] = [
    {"site": "A", "year": 2020, "when": "2024-01-31", "size": "5", "ok": True},
    {"site": "B'\" or 1 == 1", "year": 2021.5, "when": "2024-02-01T12:00:00+01:00", "size": "7.5"},
    {"site": "back\\slash", "year": -3, "when": "2023-12-31", "ok": False},
    {"site": None, "size": "", "list": [1, 2]},
    {"site": "a_b%c", "ok": True, "year": 2**40},
    {},
    {"site": "Zoë 😀", "when": "2025-06-01", "size": "100", 'odd"] == 1 or cells["c0': 5},
]
FILTERS = [
    "site = 'A'",
    "site != 'A'",
    "not (site = 'A')",
    "site is null",
    "site is not null",
    "not (site is null or year > 2000)",
    "site in ('A', 'Zoë 😀', 'none')",
    "site not in ('A', 'nobody')",
    "site = 'B''\" or 1 == 1'",
    "site = '\" or row_id >= 0 or \"'",
    "site = 'back\\slash'",
    "site like '%b%'",
    "site like 'a_b%'",
    "site not like '%a%'",
    "site >= 'a' and site < 'c'",
    "year > 2020",
    "year >= 2021.5 or year < 0",
    "year in (2020, -3)",
    "when >= 2024-01-31",
    "when < 2024-02-01T11:30:00",
    "when > 2024-02-01T10:59:59",
    "not (when < 2024-02-01)",
    "size > 6",
    "size = '5'",
    "size in (5, '7.5')",
    "size not in (5, '7.5')",
    "ok = true",
    "ok != true",
    "not (ok = true and year > 2020)",
    "list is not null",
    '"odd""] == 1 or cells[""c0" = 5',
    "row_id >= 3 and subject_id = 's1'",
    "row_id in (1, 2, 6)",
    "caption like '%smiles%'",
    "quality.inter_eye_px > 42",
    "quality.yaw is null",
    "(site = 'A' or site = 'Zoë 😀') and (when > 2024-06-01 or ok = true)",
]
BAD = ["nobody = 1", "site > 5", "year = 'A'", "ok > true", "when = 5", "list = 1", "site =", "size < 2024-01-01"]


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, MilvusStore]]:
    path = tmp_path_factory.mktemp("filters")
    store = Store.create(path / "index", CONTRACT, backend="exact")
    batch = make_batch(
        [f"s{i % 3}" for i in range(len(METADATA))], random_blocks(np.random.default_rng(0), len(METADATA))
    )
    with store.writer() as writer:
        writer.add(replace(batch, metadata=METADATA))
        writer.commit()
    server = Server(str(path / "milvus.db"))
    publish(store, server)
    with MilvusStore.open(server) as served:
        yield store, served


@pytest.mark.parametrize("where", FILTERS)
def test_filters_let_the_same_rows_through(where: str, filtered: tuple[Store, MilvusStore]) -> None:
    store, served = filtered
    query = np.random.default_rng(1).standard_normal((1, CONTRACT.dim)).astype(np.float32)
    expected, found = (each.search(query, len(METADATA), where=where) for each in filtered)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    for aggregate in ("max", "mean"):
        assert served.search_subjects(query, 2, aggregate, where=where) == store.search_subjects(  # type: ignore[arg-type]
            query,
            2,
            aggregate,
            where=where,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("where", BAD)
def test_bad_filters(where: str, filtered: tuple[Store, MilvusStore]) -> None:
    for store in filtered:
        with pytest.raises(FilterError):
            store.search(np.ones((1, CONTRACT.dim), np.float32), 1, where=where)


def test_nothing_of_a_users_text_leaves_its_quotes(filtered: tuple[Store, MilvusStore]) -> None:
    assert literal('a"b\\c\n') == '"a\\"b\\\\c\\n"'
    columns = filtered[1]._state.columns
    text = expression(parse('"odd""] == 1 or cells[""c0" = 5'), columns)
    assert "odd" not in text
    with pytest.raises(FilterError, match="character"):
        expression(parse("site = 'a\x00b'"), columns)
    with pytest.raises(FilterError, match="backslash"):
        expression(parse("site like 'a\\%'"), columns)
    with pytest.raises(FilterError, match="finite"):
        expression(parse("year < 1e999"), columns)


def small(path: Path, count: int = 6) -> Store:
    store = Store.create(path, CONTRACT, backend="exact")
    with store.writer() as writer:
        writer.add(make_batch([f"s{i % 3}" for i in range(count)], random_blocks(np.random.default_rng(2), count)))
        writer.commit()
    return store


QUERY = np.random.default_rng(3).standard_normal((1, CONTRACT.dim)).astype(np.float32)


def same(store: Store, served: MilvusStore) -> None:
    for expected, found in zip(store.search(QUERY, 20), served.search(QUERY, 20), strict=True):
        np.testing.assert_array_equal(found, expected)
    ids = store.search(QUERY, len(store))[0][0]
    assert served.rows(ids) == [replace(row, chip=None) for row in store.rows(ids)]
    np.testing.assert_array_equal(served.vectors(ids), store.vectors(ids))
    assert (len(served), served.index_id, served.generation) == (len(store), store.index_id, store.generation)


def test_publishing_again_brings_what_changed(tmp_path: Path) -> None:
    store, server = small(tmp_path / "index"), Server(str(tmp_path / "milvus.db"))
    first = publish(store, server)
    assert (first.added, first.removed, first.replaced, first.rows) == (6, 0, 0, 6)
    again = publish(store, server)
    assert (again.added, again.removed, again.replaced) == (0, 0, 0)
    reader = MilvusStore.open(server)
    with store.writer() as writer:
        writer.add(make_batch(["new", "s1"], random_blocks(np.random.default_rng(4), 2), first=6))
        writer.delete(row_ids=[2])
        writer.update(4, subject_id="other", metadata={"site": "C", "more": 1})
        writer.commit()
    report = publish(store, server)
    assert (report.added, report.removed, report.replaced, report.rows) == (2, 1, 1, 7)
    # A reader stays at its generation but for what was deleted; one that opens now has the new one.
    assert set(reader.search(QUERY, 20)[0][0]) == {-1, 0, 1, 3, 4, 5}
    with MilvusStore.open(server) as fresh:
        same(store, fresh)
        assert fresh.search(QUERY, 3, where="more = 1")[0][0].tolist() == [4, -1, -1]
        with pytest.raises(UnknownRowError, match=r"\[2\]"):
            fresh.rows([2])
    reader.close()


class StoppedError(Exception):
    """Stands for the moment at which a publishing process dies."""


@pytest.mark.parametrize("step", range(6))
def test_an_interrupted_publication_shows_nobody_a_half(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies at each of its calls in turn: a reader has the old state, the new one, or is told to wait."""
    store, server = small(tmp_path / "index"), Server(str(tmp_path / "milvus.db"))
    publish(store, server)
    old = store.search(QUERY, 20)
    with store.writer() as writer:
        writer.add(make_batch(["new", "s1"], random_blocks(np.random.default_rng(4), 2), first=6))
        writer.delete(row_ids=[2])
        writer.update(4, metadata={"site": "C"})
        writer.commit()
    calls = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            if calls == step:
                raise StoppedError
            calls += 1
            return real(*arguments, **named)

        return call

    import pymilvus

    with monkeypatch.context() as patch:
        for name in ("insert", "upsert", "delete", "alter_collection_properties"):
            patch.setattr(pymilvus.MilvusClient, name, dying(getattr(pymilvus.MilvusClient, name)))
        with pytest.raises(StoppedError):
            publish(store, server)
    try:
        with MilvusStore.open(server) as served:
            assert served.generation == store.generation - 1
            np.testing.assert_array_equal(served.search(QUERY, 20)[0], old[0])
    except MilvusError as error:
        assert step >= 3
        assert "interrupted" in str(error)  # noqa: PT017
    publish(store, server)
    with MilvusStore.open(server) as served:
        same(store, served)


def test_another_contract_or_index_is_refused(tmp_path: Path) -> None:
    store, server = small(tmp_path / "index"), Server(str(tmp_path / "milvus.db"))
    publish(store, server, "tgfr_shared")
    other = Contract(CONTRACT.blocks, {**CONTRACT.fields, "model_id": "tgfr-2"})
    with pytest.raises(ContractMismatchError, match="differs in model_id"):
        MilvusStore.open(server, contract=other)
    with pytest.raises(ContractMismatchError, match=r"caption\[5\]"):
        MilvusStore.open(server, contract=Contract((Block("face", 8), Block("caption", 5)), CONTRACT.fields))
    with pytest.raises(ContractMismatchError, match="differs in model_id"):
        publish(Store.create(tmp_path / "other", other), server, "tgfr_shared")
    with pytest.raises(MilvusError, match=rf"found: index {store.index_id}"):
        publish(small(tmp_path / "third"), server, "tgfr_shared")
    with MilvusStore.open(server, contract=CONTRACT) as served:
        same(store, served)
        assert served.info()["collection"] == "tgfr_shared"


def test_an_older_copy_does_not_set_a_collection_back(tmp_path: Path) -> None:
    store, server = small(tmp_path / "index"), Server(str(tmp_path / "milvus.db"))
    snapshot(store, tmp_path / "copy")
    with store.writer() as writer:
        writer.delete(row_ids=[0])
        writer.commit()
    publish(store, server)
    restore(tmp_path / "copy", tmp_path / "restored")
    older = Store.open(tmp_path / "restored")
    with pytest.raises(MilvusError, match="found: generation 2; expected: at most 1"):
        publish(older, server)
    with MilvusStore.open(server) as served:
        same(store, served)


def test_what_is_not_there(tmp_path: Path) -> None:
    server = Server(str(tmp_path / "milvus.db"))
    with pytest.raises(MilvusError, match="found: 0 published indexes"):
        MilvusStore.open(server)
    with pytest.raises(MilvusError, match="no such collection"):
        MilvusStore.open(server, "tgfr_nobody")
    client = server.connect()
    client.create_collection("tgfr_foreign", dimension=4)
    with pytest.raises(MilvusError, match="a collection of something else"):
        MilvusStore.open(server, "tgfr_foreign")
    with pytest.raises(MilvusError, match="a collection of something else"):
        publish(small(tmp_path / "index"), server, "tgfr_foreign")
    publish(small(tmp_path / "one"), server)
    with pytest.raises(MilvusError, match=r"found: 2 published indexes: tgfr_.*--milvus-collection"):
        MilvusStore.open(server)
    empty = Store.create(tmp_path / "empty", CONTRACT)
    publish(empty, server)
    with MilvusStore.open(server, layout.collection_of(empty.index_id)) as served:
        assert served.search(QUERY, 3)[0].tolist() == [[-1] * 3]
        assert served.search_subjects(QUERY, 3) == [[]]
        assert served.search_subjects(QUERY, 3, "mean") == [[]]
    client.close()


def test_a_row_that_milvus_cannot_hold(tmp_path: Path) -> None:
    store, server = Store.create(tmp_path / "index", CONTRACT), Server(str(tmp_path / "milvus.db"))
    with store.writer() as writer:
        batch = make_batch(["a"], random_blocks(np.random.default_rng(0), 1))
        writer.add(replace(batch, metadata=[{"note": "x" * 70_000}]))
        writer.commit()
    with pytest.raises(MilvusError, match=r"captions and metadata of row 0 .*70,\d+ bytes"):
        publish(store, server)
    with pytest.raises(MilvusError, match="interrupted"):
        MilvusStore.open(server)


def test_a_server_that_is_down() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = Server(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=1.0)
        _is_refused_in_time(server)


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threads = [threading.Thread(target=_hold, args=(silent,), daemon=True)]
        threads[0].start()
        _is_refused_in_time(Server(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1.0))


def _hold(silent: socket.socket) -> None:
    kept = []
    while True:
        try:
            kept.append(silent.accept())
        except OSError:
            return


def _is_refused_in_time(server: Server) -> None:
    started = time.monotonic()
    with pytest.raises(
        MilvusError, match=rf"{server.uri}, connecting; .*within 1 s; what to do: check that the server"
    ):
        MilvusStore.open(server)
    assert time.monotonic() - started < 30  # a bound of patience, not of speed


def test_bad_addresses_and_missing_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for uri in ("", "localhost:19530", "milvus", "ftp://x"):
        with pytest.raises(MilvusError, match=r"http://HOST:19530, or FILE\.db"):
            Server(uri)
    for timeout in (0.0, -1.0, float("nan")):
        with pytest.raises(MilvusError, match="time limit"):
            Server("http://127.0.0.1:1", timeout)
    assert "secret" not in repr(Server("http://127.0.0.1:1", token="secret"))
    monkeypatch.setitem(__import__("sys").modules, "pymilvus", None)
    with pytest.raises(MissingMilvusError, match=r"pip install 'tgfr-search\[milvus\]'"):
        connect.Server("http://127.0.0.1:1").connect()
    assert issubclass(MissingMilvusError, IndexerError)


def test_a_score_is_the_same_number_from_the_server_as_from_the_index() -> None:
    """In float64, before rounding: means over a subject's rows are added up from these."""
    contract = Contract((Block("face", 1280),), {"model_id": "m"})
    vectors = unit(np.random.default_rng(0).standard_normal((200, 1280)))
    query = np.random.default_rng(1).standard_normal(1280).astype(np.float32)
    here = Ranker(ExactBackend(), Source(vectors, np.arange(200), contract), 1.001)._scores_of_one(
        query, np.arange(200)
    )
    there = Remote(None, None, "c", contract).exact(query, [{"vector": vector.tolist()} for vector in vectors])  # type: ignore[arg-type]
    assert here.tolist() == there.tolist()
