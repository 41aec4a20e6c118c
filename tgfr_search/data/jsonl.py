"""JSONL read strictly: one object a line, each name once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tgfr_search.data.columns import Row, Table, json_value, known_columns
from tgfr_search.data.text import read_text
from tgfr_search.errors import InputError
from tgfr_search.names import COLUMNS


def read_jsonl(path: Path) -> Table:
    """A table of one JSON object a line. A column whose values are of several types is text, as in a CSV.

    Raises:
        InputError: It is not one; the message tells line and column.
    """
    text, encoding = read_text(path)
    notes = [] if encoding == "utf-8" else [f"{path.name}: its encoding was read as {encoding.upper()}"]
    rows, numbers = list[Row](), list[int]()
    changed: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f", line {number}"
        try:
            pairs = json.loads(line, object_pairs_hook=_Pairs)
        except (json.JSONDecodeError, RecursionError) as error:
            column = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            found = error.msg if isinstance(error, json.JSONDecodeError) else "too many brackets"
            raise InputError(f"{path}{where}{column}", found=found, expected="a JSON object") from error
        if not isinstance(pairs, _Pairs):
            found = "list" if isinstance(pairs, list) else type(pairs).__name__
            raise InputError(f"{path}{where}", found=found, expected="a JSON object")
        columns, told = known_columns(path, [name for name, _ in pairs], where)
        changed.update(dict.fromkeys(told))
        values = (json_value(_plain(value, f"{path}{where}")) for _, value in pairs)
        rows.append({name: value for name, value in zip(columns, values, strict=True) if name})
        numbers.append(number)
    names = list(dict.fromkeys(name for row in rows for name in row))
    mixed = [f"{path.name}: {note}" for note in _one_type(rows, names)]
    return Table(names, rows, numbers, notes=(*notes, *changed, *mixed))


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object as they are written, twice where they are twice."""


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, _Pairs):
        names = [name for name, _ in value]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(where, found=f"{twice!r} twice in one object", expected="each name once")
        return {name: _plain(part, where) for name, part in value}
    return [_plain(part, where) for part in value] if isinstance(value, list) else value


def _one_type(rows: list[Row], names: Iterable[str]) -> Iterator[str]:
    """Makes text of the columns that hold several types, as a CSV would; tells which."""
    for name in names:
        if name in COLUMNS:
            continue
        kinds = {
            "number" if type(v) in (int, float) else type(v).__name__
            for row in rows
            if (v := row.get(name)) is not None
        }
        if len(kinds) < 2 or kinds & {"list", "dict"}:
            continue
        for row in rows:
            if row.get(name) is not None and not isinstance(row[name], str):
                row[name] = json.dumps(row[name])
        yield f"the column {name!r} holds several types of values and was read as text"
