"""Typed columns: what rows say under one name in one type is one Parquet column; the rest of it stays JSON.

A row's mapping (metadata, quality) keeps the meaning that it has as JSON: a text, a whole number, another number or a
truth value stands in the column `metadata:text:site` of its name and type, so that a filter reads the columns that it
names and nothing else. Of a name whose rows have several types each type has its column. What has none is in the JSON
column `metadata`, as all of it is in indexes of before format 4: lists, objects, nulls, whole numbers beyond 64 bits,
texts that are no UTF-8, and names beyond the `COLUMNS_AT_MOST` that most rows have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.checks import to_json

TYPED = ("metadata", "quality")
"""The JSON columns whose names have columns of their own."""
COLUMNS_AT_MOST = 256
"""Typed columns of a file: a file whose rows share no names would be all headers."""
TEXT, WHOLE, NUMBER, BOOLEAN = "text", "whole", "number", "boolean"
TYPES = {TEXT: pa.string(), WHOLE: pa.int64(), NUMBER: pa.float64(), BOOLEAN: pa.bool_()}
NOTHING = "{}"
_ESCAPED = {char: f"%{ord(char):02X}" for char in "%.:" + "".join(map(chr, (*range(32), 127)))}
# The file format reads a dot in a name as a path.


def column_name(column: str, kind: str, name: str) -> str:
    """The Parquet column of a name: `metadata:text:site`; a dot, a colon and a per cent sign in it are escaped."""
    return f"{column}:{kind}:{''.join(_ESCAPED.get(char, char) for char in name)}"


def name_of(column_name: str) -> tuple[str, str, str] | None:
    """(column, type, name) that a Parquet column is of; None where it is none of these."""
    column, *rest = column_name.split(":")
    if column not in TYPED or len(rest) != 2 or rest[0] not in TYPES:
        return None
    first, *others = rest[1].split("%")
    try:
        return column, rest[0], first + "".join(chr(int(part[:2], 16)) + part[2:] for part in others)
    except ValueError:
        return None


def split(column: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """Mappings as Arrow columns of `len(rows)` values: the JSON column, and those of names and types.

    Raises:
        BadRowError: A value is no JSON value.
    """
    cells, rest = dict[str, dict[int, Any]](), list[dict[str, Any]]()
    for at, row in enumerate(rows):
        left = dict[str, Any]()
        if not all(isinstance(name, str) for name in row):
            row = json.loads(to_json(column, row))  # names of another type are texts in JSON
        for name, value in row.items():
            kind = _kind(value) if _is_text(name) else None
            if kind is None:
                left[name] = value
            else:
                cells.setdefault(column_name(column, kind, name), {})[at] = value
        rest.append(left)
    for spilled in _beyond(column, {name: len(values) for name, values in cells.items()}):
        for at, value in cells.pop(spilled).items():
            rest[at][_name(spilled)] = value
    out = {column: pa.array([to_json(column, left) if left else NOTHING for left in rest], pa.string())}
    for name, found in cells.items():
        values: list[Any] = [None] * len(rows)
        for at, value in found.items():
            values[at] = value
        out[name] = pa.array(values, TYPES[name.split(":")[1]])
    return out


def joined(column: str, table: pa.Table) -> Iterator[dict[str, Any]]:
    """The mappings that a table's columns hold, in its order.

    Raises:
        ValueError: What should be JSON is none.
    """
    rows: list[dict[str, Any]] = [{} for _ in range(len(table))]
    for name, of in _own(column, table.schema.names).items():
        for at, value in present(table[name]):
            rows[at][of] = value
    for row, text in zip(rows, table[column].to_pylist(), strict=True):
        if text != NOTHING:
            row.update(json.loads(text))
        yield row


def present(values: pa.ChunkedArray, most: int | None = None) -> Iterator[tuple[int, Any]]:
    """(position, value) of the values of a column that are not null, or of the first so many of these."""
    places = np.from_dlpack(pc.indices_nonzero(pc.is_valid(values)))[:most]
    return zip(places.tolist(), values.drop_null()[:most].to_pylist(), strict=True)


def together(tables: Iterable[pa.Table]) -> pa.Table:
    """Tables of the same rows file one after another; a column that one has not is null there."""
    table = pa.concat_tables(list(tables), promote_options="default")
    for column in TYPED:
        own = _own(column, table.schema.names)
        if len(own) > COLUMNS_AT_MOST:
            table = _spilled(
                column, table, _beyond(column, {name: len(table) - table[name].null_count for name in own})
            )
    return table


def replaced(column: str, table: pa.Table, places: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The table with the mappings of the rows at `places` (ascending) put in place of those that it holds."""
    if not places:
        return table
    order = np.arange(len(table), dtype=np.int64)
    kept = np.setdiff1d(order, np.array(places, np.int64))
    order[kept] = np.arange(len(kept))
    order[list(places)] = len(kept) + np.arange(len(places))
    old = taken(table, np.array(places, np.int64)).drop_columns([column, *_own(column, table.schema.names)])
    for name, values in split(column, rows).items():
        old = old.append_column(pa.field(name, values.type, nullable=name != column), pa.chunked_array([values]))
    return taken(together([taken(table, kept), old]), order)


def taken(rows: pa.Table | pa.ChunkedArray, positions: np.ndarray[Any, np.dtype[np.int64]]) -> Any:
    """The rows at the given positions, in that order."""
    # Not from a NumPy array: pyarrow would import pandas for it, a third of a second that a query would wait.
    buffers = [None, pa.py_buffer(np.ascontiguousarray(positions, np.int64))]
    return rows.take(pa.Array.from_buffers(pa.int64(), len(positions), buffers))


def _spilled(column: str, table: pa.Table, spilled: Sequence[str]) -> pa.Table:
    """The table with some typed columns in its JSON column."""
    texts, more = table[column].to_pylist(), dict[int, dict[str, Any]]()
    for name in spilled:
        for at, value in present(table[name]):
            more.setdefault(at, {})[_name(name)] = value
    for at, values in more.items():
        texts[at] = to_json(column, {**json.loads(texts[at]), **values})
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), pa.chunked_array([pa.array(texts, pa.string())])).drop_columns(
        list(spilled)
    )


def _beyond(column: str, counts: Mapping[str, int]) -> list[str]:
    """The columns that are too many, those with the fewest values."""
    return sorted(counts, key=lambda name: -counts[name])[COLUMNS_AT_MOST:]


def _own(column: str, names: Iterable[str]) -> dict[str, str]:
    """Parquet column → name, of the typed columns of a JSON column."""
    found = ((name, name_of(name)) for name in names)
    return {name: of[2] for name, of in found if of is not None and of[0] == column}


def _name(column_name: str) -> str:
    of = name_of(column_name)
    assert of is not None
    return of[2]


def _kind(value: Any) -> str | None:
    """The type of column that a value has; None where it has none."""
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return WHOLE if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return NUMBER if math.isfinite(value) else None
    return TEXT if isinstance(value, str) and _is_text(value) else None


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
        return False
    return True
