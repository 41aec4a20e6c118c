"""Searching a published index: the store's reading half, with the same ids, scores and order.

Milvus proposes; scores are computed here, as `indexer.ranking` computes them, from the vectors that it sends along.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from indexer.contract import Contract
from indexer.errors import IndexerError, MilvusError, UnknownRowError
from indexer.filters.parse import parse
from indexer.milvus import layout
from indexer.milvus.answers import row_of, wanted_ids
from indexer.milvus.connect import Server
from indexer.milvus.expression import expression
from indexer.milvus.ranking import Remote, best_rows, best_subjects, best_subjects_by_mean
from indexer.ranking import check_queries
from indexer.rows import FloatArray, IdArray, Row, SubjectHit

_AT_ONCE = 1000


class MilvusStore:
    """A published index at the generation it was opened at: rows published later are not seen, deleted ones are gone.

    Made by `MilvusStore.open`. Pictures stay with the index on disk.
    Any number of threads may use one store; a process that was forked refuses to use its parent's.

    Attributes:
        server: Where it is.
        collection: Which.
    """

    def __init__(self, server: Server, collection: str, client: Any, state: layout.State) -> None:
        self.server, self.collection, self._client, self._state = server, collection, client, state
        self._process = os.getpid()
        self._remote = Remote(server, client, collection, state.contract)

    @classmethod
    def open(cls, server: Server, collection: str | None = None, contract: Contract | None = None) -> MilvusStore:
        """Open a published index.

        Args:
            server: Where.
            collection: Its name; None where the server holds one published index only.
            contract: What the caller's queries are made with; None to open without asking.

        Raises:
            MilvusError: The server does not answer; there is no such collection, or none of ours; a publication is
                under way or was interrupted.
            ContractMismatchError: `contract` differs from the collection's own; names every field.
        """
        client = server.connect()
        try:
            collection = collection or _only(server, client)
            state = layout.read_state(server, client, collection)
            if contract is not None:
                state.contract.require(contract, f"collection {collection!r} of {server.uri}")
            if state.changing or state.generation < 0:
                raise MilvusError(
                    f"collection {collection!r} of {server.uri}",
                    found="a publication that is under way, or was interrupted",
                    expected="a complete one",
                    do="wait for it, or run `tgfr-search publish` again: it finishes what was begun",
                )
            with server.errors("loading the collection"):
                client.load_collection(collection, timeout=server.timeout)
        except BaseException:
            client.close()
            raise
        return cls(server, collection, client, state)

    def close(self) -> None:
        """Give the connection back; for a file, let another process open it."""
        self._client.close()

    def __enter__(self) -> MilvusStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._state.rows

    @property
    def contract(self) -> Contract:
        """What the vectors were made with."""
        return self._state.contract

    @property
    def index_id(self) -> str:
        """UUID of the index that was published."""
        return self._state.index_id

    @property
    def generation(self) -> int:
        """Of the index, as published."""
        return self._state.generation

    def info(self) -> dict[str, Any]:
        """Counts and contract, as plain JSON values."""
        return {
            "uri": self.server.uri,
            "collection": self.collection,
            "index_id": self.index_id,
            "generation": self.generation,
            "rows": len(self),
            "subjects": self._state.subjects,
            "blocks": {block.name: block.dim for block in self.contract.blocks},
            "metric": self.contract.metric,
            "fields": dict(self.contract.fields),
        }

    def fitting(self, contract: Contract) -> MilvusStore:
        """As `Store.fitting`: this store, for one space was published.

        Raises:
            ContractMismatchError: It was made with something else; names every field.
        """
        self.contract.require(contract, f"collection {self.collection!r} of {self.server.uri}")
        return self

    def pinned(self) -> MilvusStore:
        """As `Store.pinned`: this store, which nothing moves."""
        return self

    def load(self) -> MilvusStore:
        """As `Store.load`; the collection was loaded when it was opened."""
        return self

    def split(self, vectors: FloatArray) -> dict[str, FloatArray]:
        """As `Store.split`."""
        return self.contract.split(vectors)

    def rows(self, ids: Sequence[int] | IdArray, *, chips: bool = True) -> list[Row]:
        """The rows of the given ids, in that order; without pictures, whatever `chips` says.

        Raises:
            UnknownRowError: A row is not there.
            MilvusError: The server does not answer.
        """
        found = self._get(ids, ["subject_id", "row"])
        return [row_of(found[row_id]) for row_id in wanted_ids(ids)]

    def vectors(self, ids: Sequence[int] | IdArray) -> FloatArray:
        """As `Store.vectors`.

        Raises:
            UnknownRowError: A row is not there.
            MilvusError: The server does not answer.
        """
        found = self._get(ids, ["vector"])
        vectors = [found[row_id]["vector"] for row_id in wanted_ids(ids)]
        return np.array(vectors, np.float32).reshape(len(vectors), self.contract.dim)

    def search(self, queries: FloatArray, k: int, *, where: str | None = None) -> tuple[IdArray, FloatArray]:
        """As `Store.search`: the k rows with the largest inner product, exactly; equal scores by smaller row id.

        Raises:
            BadVectorError, FilterError: As `Store.search`.
            MilvusError: The server does not answer.
        """
        queries = check_queries(queries, k, self.contract.dim)
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for number, ranking in enumerate(best_rows(self._remote, queries, k, self._filter(where))):
            ids[number, : len(ranking.ids)] = ranking.ids
            scores[number, : len(ranking.ids)] = ranking.scores
        return ids, scores

    def search_subjects(
        self, queries: FloatArray, k: int, aggregate: Literal["max", "mean"] = "max", *, where: str | None = None
    ) -> list[list[SubjectHit]]:
        """As `Store.search_subjects`.

        Raises:
            BadVectorError, FilterError: As `Store.search_subjects`.
            MilvusError: The server does not answer.
        """
        queries = check_queries(queries, k, self.contract.dim)
        if aggregate not in ("max", "mean"):
            raise IndexerError("aggregate", found=repr(aggregate), expected="'max' or 'mean'")
        rank = best_subjects if aggregate == "max" else best_subjects_by_mean
        return [
            [SubjectHit(*hit) for hit in ranking.hits()]
            for ranking in rank(self._remote, queries, k, self._filter(where))
        ]

    def searched(self, where: str | None = None) -> int:
        """As `Store.searched`.

        Raises:
            FilterError: As `Store.search`.
            MilvusError: The server does not answer.
        """
        return len(self) if where is None else len(self._remote.query(self._filter(where), []))

    def _need_own_process(self) -> None:
        if self._process != os.getpid():  # a connection's threads do not live on in a child: it would wait for ever
            raise MilvusError(
                f"collection {self.collection!r} of {self.server.uri}",
                found=f"a connection that process {self._process} opened, in process {os.getpid()} forked from it",
                expected="a connection of its own in each process",
                do="open the collection after the fork, or start workers by spawn",
            )

    def _filter(self, where: str | None) -> str:
        self._need_own_process()
        seen = f"born <= {self.generation}"
        return seen if where is None else f"{seen} and {expression(parse(where), self._state.columns)}"

    def _get(self, ids: Sequence[int] | IdArray, fields: list[str]) -> dict[int, dict[str, Any]]:
        self._need_own_process()
        wanted, found = sorted(set(wanted_ids(ids))), dict[int, dict[str, Any]]()
        for start in range(0, len(wanted), _AT_ONCE):
            part = ", ".join(map(str, wanted[start : start + _AT_ONCE]))
            for row in self._remote.query(f"born <= {self.generation} and row_id in [{part}]", fields):
                found[row["row_id"]] = row
        if missing := [row_id for row_id in wanted if row_id not in found]:
            raise UnknownRowError(
                f"row ids {missing[:5]} of collection {self.collection!r}",
                found="no such rows, or deleted ones",
                expected="ids of rows",
            )
        return found


def _only(server: Server, client: Any) -> str:
    with server.errors("listing collections"):
        names = sorted(
            name for name in client.list_collections(timeout=server.timeout) if name.startswith(layout.PREFIX)
        )
    if len(names) != 1:
        raise MilvusError(
            f"Milvus at {server.uri}",
            found=f"{len(names)} published indexes" + (f": {', '.join(names)}" if names else ""),
            expected="one, or the name of the one that is meant",
            do="give --milvus-collection" if names else f"tgfr-search publish INDEX --milvus-uri {server.uri}",
        )
    return str(names[0])
