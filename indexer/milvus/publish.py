"""Bringing a collection to the state of an index: rows that are new, rows that are gone, rows that were changed.

New rows carry the generation that brought them and are seen by nobody until the collection's state says that it is at
that generation: one call. Then what is gone is deleted and what was changed replaced; while that lasts the state says
so, and nobody begins to search. A publication that was interrupted, anywhere, is finished by the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from indexer.errors import ContractMismatchError, MilvusError
from indexer.filters.columns import Columns
from indexer.generation import Generation
from indexer.milvus import layout
from indexer.milvus.connect import Server
from indexer.milvus.layout import State
from indexer.rows import FloatArray, IdArray, Row
from indexer.store import Store

ROWS_AT_ONCE = 500
"""Rows of one call: with vectors and metadata a few megabytes, far below what gRPC lets through."""

IDS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What `publish` did.

    Attributes:
        uri: The server.
        collection: Its collection.
        index_id: Of the index.
        generation: That the collection is at now.
        rows: Rows in it.
        added: Rows inserted.
        removed: Rows deleted.
        replaced: Rows whose subject or metadata was brought up to date.
    """

    uri: str
    collection: str
    index_id: str
    generation: int
    rows: int
    added: int
    removed: int
    replaced: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def publish(
    store: Store,
    server: Server,
    collection: str | None = None,
    progress: Callable[[int, int], None] = lambda done, expected: None,
) -> PublishReport:
    """Bring a collection, made if it is not there, to the state that `store` is at. One at a time for a collection.

    Args:
        store: The index.
        server: Where.
        collection: Its name; None is the index's own.
        progress: Called with (rows inserted, rows to insert).

    Raises:
        ContractMismatchError: The collection's vectors were made with something else; names every field.
        MilvusError: The server does not answer or refuses; or the collection is another index's, or ahead of this one.
            Whoever searches the collection sees the state before, or is told that it is being changed.
        DamagedIndexError: The index cannot be read.
    """
    name = collection or layout.collection_of(store.index_id)
    generation = Generation(store.path, store.manifest)
    client = server.connect()
    try:
        with server.errors(f"looking for collection {name!r}"):
            there = client.has_collection(name, timeout=server.timeout)
        if not there:
            layout.create_collection(server, client, name, State(store.index_id, -1, 0, 0, store.contract, {}))
        return _Publication(server, client, name, generation).run(progress)
    finally:
        client.close()


class _Publication:
    def __init__(self, server: Server, client: Any, name: str, generation: Generation) -> None:
        self.server, self.client, self.name, self.generation = server, client, name, generation
        self.state = layout.read_state(server, client, name)
        self._check()

    def run(self, progress: Callable[[int, int], None]) -> PublishReport:
        committed, state, ids = self.generation.manifest, self.state, self.generation.ids
        if state.generation == committed.generation and not state.changing:
            return self._report(0, 0, 0)
        # What an interrupted publication of a later state than the collection's left: nobody has seen it.
        self._call("removing an interrupted publication", "delete", filter=f"born > {state.generation}")
        present = self._present()
        fresh, gone = np.setdiff1d(ids, present), np.setdiff1d(present, ids)
        changed = np.intersect1d(np.array(sorted(self.generation.updates), np.int64), np.intersect1d(present, ids))
        table = Columns(self.generation)
        columns = layout.columns_of(table, state.columns)
        for done, part in _parts(fresh):
            self._put("insert", part, table, columns, born=committed.generation)
            progress(done, len(fresh))
        replaces = bool(len(gone) or len(changed))
        target = State(
            committed.index_id,
            committed.generation,
            len(ids),
            len(self.generation.subjects[1]),
            committed.contract,
            columns,
            changing=replaces,
        )
        layout.write_state(self.server, self.client, self.name, target)
        for start in range(0, len(gone), IDS_AT_ONCE):
            self._call("deleting rows", "delete", ids=gone[start : start + IDS_AT_ONCE].tolist())
        for _, part in _parts(changed):
            # Readers of earlier generations see the row too: it is theirs, brought up to date.
            self._put("upsert", part, table, columns, born=0)
        if replaces:
            layout.write_state(self.server, self.client, self.name, replace(target, changing=False))
        return self._report(len(fresh), len(gone), len(changed))

    def _check(self) -> None:
        committed, state = self.generation.manifest, self.state
        what = f"collection {self.name!r} of {self.server.uri}"
        if state.index_id != committed.index_id:
            try:
                state.contract.require(committed.contract, what)
            except ContractMismatchError:
                raise
            raise MilvusError(
                what,
                found=f"index {state.index_id}",
                expected=f"index {committed.index_id}",
                do="choose another collection",
            )
        state.contract.require(committed.contract, what)
        if state.generation > committed.generation:
            raise MilvusError(
                what,
                found=f"generation {state.generation}",
                expected=f"at most {committed.generation}, which {self.generation.directory} was opened at",
                do="open the index again; after restoring an older copy, publish into a new collection",
            )

    def _present(self) -> IdArray:
        with self.server.errors("listing rows"):
            pages = self.client.query_iterator(
                self.name,
                batch_size=IDS_AT_ONCE,
                filter="row_id >= 0",
                output_fields=["row_id"],
                timeout=self.server.timeout,
            )
            found: list[int] = []
            while page := pages.next():
                found += [row["row_id"] for row in page]
            pages.close()
        return np.unique(np.array(found, np.int64))

    def _put(self, how: str, ids: IdArray, table: Columns, columns: Any, *, born: int) -> None:
        places = self.generation.positions(ids)
        vectors, rows = self.generation.vectors[places], self.generation.rows(ids, chips=False)
        data = [
            _entry(row, vector, layout.cells_of(columns, table.row(place)), born)
            for row, vector, place in zip(rows, vectors, places.tolist(), strict=True)
        ]
        self._call("writing rows", how, data=data)

    def _call(self, doing: str, method: str, **arguments: Any) -> None:
        with self.server.errors(doing):
            getattr(self.client, method)(self.name, timeout=self.server.timeout, **arguments)

    def _report(self, added: int, removed: int, replaced: int) -> PublishReport:
        committed = self.generation.manifest
        return PublishReport(
            self.server.uri,
            self.name,
            committed.index_id,
            committed.generation,
            len(self.generation),
            added,
            removed,
            replaced,
        )


def _entry(row: Row, vector: FloatArray, cells: dict[str, Any], born: int) -> dict[str, Any]:
    names = ("image", "source_key", "image_sha256", "metadata", "quality", "caption_source")
    values = {name: getattr(row, name) for name in names}
    entry = {
        "row_id": row.row_id,
        "born": born,
        "subject_key": layout.subject_key(row.subject_id),
        "subject_id": row.subject_id,
        "cells": cells,
        "row": json.dumps({**values, "captions": list(row.captions)}, ensure_ascii=False),
        "vector": vector,
    }
    for name in ("subject_id", "row", "cells"):
        text = json.dumps(cells) if name == "cells" else str(entry[name])
        if len(text.encode()) > layout.MAX_BYTES:
            raise MilvusError(
                f"{'captions and metadata' if name != 'subject_id' else name} of row {row.row_id} ({row.image!r})",
                found=f"{len(text.encode()):,} bytes",
                expected=f"at most {layout.MAX_BYTES:,}, which Milvus holds in a field",
                do="shorten them with `tgfr-search update`, or keep this index out of Milvus",
            )
    return entry


def _parts(ids: Sequence[int] | IdArray) -> Iterator[tuple[int, IdArray]]:
    for start in range(0, len(ids), ROWS_AT_ONCE):
        part = np.asarray(ids[start : start + ROWS_AT_ONCE], np.int64)
        yield start + len(part), part
