"""What the rows of a generation say under names of their own, read a name at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.guard import Guard, once
from indexer.rows import IdArray
from indexer.tables import RowUpdate
from indexer.typed import NOTHING, TYPES, column_name, name_of, present


class Rows(Protocol):
    """What is read of the rows of a generation."""

    def __len__(self) -> int: ...

    @property
    def ids(self) -> IdArray:
        """Ids of the rows that are there: int64 [N], ascending."""

    @property
    def columns(self) -> Mapping[str, list[str]]:
        """The Parquet columns of each file of rows, by its name."""

    @property
    def updates(self) -> Mapping[int, RowUpdate]:
        """Rows whose subject or metadata is newer than their segment says."""

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the rows that are there, in the order of `ids`."""


class Fields:
    """The metadata, or the quality, of all rows that are there; any number of threads may read it.

    Args:
        generation: Whose rows.
        column: `metadata` or `quality`.
    """

    def __init__(self, generation: Rows, column: str) -> None:
        self._generation, self._column, self.guard = generation, column, Guard()

    @once
    def names(self) -> tuple[str, ...]:
        """Every name under which a row says something, be it null."""
        return tuple(name for name in self._typed if name in self._rest or self.cells(name)) + tuple(
            name for name in self._rest if name not in self._typed
        )

    def cells(self, name: str) -> dict[int, Any]:
        """Position in the generation's `ids` → value, of the rows that have one under this name; nulls left out."""
        here, out, sources = self._generation, dict[int, Any](), 0
        for kind in TYPES:
            stored = column_name(self._column, kind, name)
            if stored in self._stored:
                out |= {at: value for at, value in present(here.column(stored)) if at not in self._replaced}
                sources += 1
        if name in self._rest:
            out |= {at: value for at, value in self._rest[name].items() if value is not None}
            sources += 1
        return dict(sorted(out.items())) if sources > 1 else out

    def rows(self) -> list[dict[str, Any]]:
        """What each row says, in the order of the generation's `ids`."""
        rows: list[dict[str, Any]] = [{} for _ in range(len(self._generation))]
        for name in dict.fromkeys((*self._typed, *self._rest)):
            for at, value in (*self.cells(name).items(), *self._rest.get(name, {}).items()):
                rows[at][name] = value
        return rows

    @once
    def _typed(self) -> dict[str, None]:
        """The names that have columns of their own, in the order of the files."""
        found = (name_of(name) for names in self._generation.columns.values() for name in names)
        return dict.fromkeys(of[2] for of in found if of is not None and of[0] == self._column)

    @once
    def _stored(self) -> frozenset[str]:
        return frozenset(name for names in self._generation.columns.values() for name in names)

    @once
    def _replaced(self) -> frozenset[int]:
        """Positions of rows whose metadata an update replaced: what their segments say counts no more."""
        here = self._generation
        if self._column != "metadata":
            return frozenset()
        newer = np.array([row_id for row_id, (_, text) in here.updates.items() if text is not None], np.int64)
        return frozenset(np.flatnonzero(np.isin(here.ids, newer)).tolist())

    @once
    def _rest(self) -> dict[str, dict[int, Any]]:
        """Name → {position: value, or None for a null} of what stands in JSON."""
        texts = self._generation.column(self._column)
        says = pc.not_equal(texts, NOTHING)
        cells: dict[str, dict[int, Any]] = {}
        places = np.from_dlpack(pc.indices_nonzero(says)).tolist()
        for at, text in zip(places, texts.filter(says).to_pylist(), strict=True):
            for name, value in json.loads(text).items():
                cells.setdefault(name, {})[at] = value
        return cells
