"""What the rows of a generation say under names of their own, read a name at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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

    def read(self, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        """Several such columns."""


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
        return self._cells(name, self._generation.read(self._stored_of(name)))

    def rows(self) -> list[dict[str, Any]]:
        """What each row says, in the order of the generation's `ids`."""
        rows: list[dict[str, Any]] = [{} for _ in range(len(self._generation))]
        read = self._generation.read([stored for name in self._typed for stored in self._stored_of(name)])
        for name in dict.fromkeys((*self._typed, *self._rest)):
            for at, value in (*self._cells(name, read).items(), *self._rest.get(name, {}).items()):
                rows[at][name] = value
        return rows

    def examples(self, but: int | None = None) -> Iterator[dict[str, Any]]:
        """What suffices to know of which types the values are: one of each typed column, and all that stands in JSON.

        Args:
            but: Position of a row that does not count.
        """
        passed = self._replaced | ({but} if but is not None else set())
        for stored, values in self._generation.read(sorted(map(str, self._own))).items():
            value = next((value for at, value in present(values, len(passed) + 1) if at not in passed), None)
            if value is not None:
                yield {self._own[stored]: value}
        for name, cells in self._rest.items():
            yield from ({name: value} for at, value in cells.items() if at != but)

    def _cells(self, name: str, read: Mapping[str, pa.ChunkedArray]) -> dict[int, Any]:
        out, stored = dict[int, Any](), self._stored_of(name)
        for each in stored:
            out |= {at: value for at, value in present(read[each]) if at not in self._replaced}
        if name in self._rest:
            out |= {at: value for at, value in self._rest[name].items() if value is not None}
        return dict(sorted(out.items())) if len(stored) + (name in self._rest) > 1 else out

    def _stored_of(self, name: str) -> list[str]:
        """The columns of a name, one a type."""
        own = (column_name(self._column, kind, name) for kind in TYPES)
        return [stored for stored in own if stored in self._own]

    @once
    def _own(self) -> dict[str, str]:
        """Parquet column → the name that it is of, in the order of the files."""
        found = ((name, name_of(name)) for names in self._generation.columns.values() for name in names)
        return {name: of[2] for name, of in found if of is not None and of[0] == self._column}

    @once
    def _typed(self) -> dict[str, None]:
        """The names that have columns of their own, in the order of the files."""
        return dict.fromkeys(self._own.values())

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
