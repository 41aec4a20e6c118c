"""The columns that a filter may name: what rows are told by, their metadata, and what was measured of their faces.

A column's type is that of its values; dates, and numbers that came as text from a CSV file, are read
from text where the filter compares them with a date or a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from indexer.errors import FilterError
from indexer.filters.conditions import Literal
from indexer.filters.parse import MAX_WHOLE, parse_date
from indexer.generation import Generation
from indexer.guard import Guard, once

TEXT, NUMBER, BOOLEAN, DATE = "text", "number", "boolean", "date"
_TIMESTAMP = pa.timestamp("us", tz="UTC")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
OWN_COLUMNS = ("row_id", "subject_id", "image", "image_sha256", "caption")
"""What a filter means by these names, whatever metadata is called so."""
ARROW_TYPES = {TEXT: pa.string(), NUMBER: pa.float64(), BOOLEAN: pa.bool_(), DATE: _TIMESTAMP}
"""What a column of each type is compared as."""


class Columns:
    """The columns of one generation, each read once, and only where a filter or a listing asks for it.

    A column is kept as {position: value} of the rows that have one, so that the work is that of the values there are.

    Args:
        generation: Whose rows.
    """

    def __init__(self, generation: Generation) -> None:
        self._generation, self._fields, self.guard = generation, generation.fields, Guard()
        self._found: dict[str, dict[int, Any]] = {}
        self._kinds: dict[str, str | None] = {}
        self._read: dict[tuple[str, str], pa.Array] = {}

    def __len__(self) -> int:
        return len(self._generation)

    def catalogue(self) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
        """Every column: its name, the type of its values (see `_kind`), and the types that all its texts read as."""
        for name in self._known:
            values, kind = self._cells(name).values(), self._kind_of(name)
            texts = {*values} - {""} if kind == TEXT else ()
            if kind == NUMBER and any(isinstance(value, int) and abs(value) > MAX_WHOLE for value in values):
                kind = "numbers too large to compare exactly"
            reads = (wanted for wanted in _READERS if all(reading(text, wanted) is not None for text in texts))
            yield name, kind, tuple(reads) if kind == TEXT else ()

    def row(self, position: int) -> dict[str, Any]:
        """One row's value in every column in which it has one."""
        columns = ((name, self._cells(name)) for name in self._known)
        return {name: cells[position] for name, cells in columns if position in cells}

    def has_value(self, name: str) -> pa.Array:
        """Boolean [N]: whether each row has a value in this column.

        Raises:
            FilterError: There is no such column.
        """
        self._need(name)
        has = np.zeros(len(self), np.bool_)
        has[list(self._cells(name))] = True
        return pa.array(has)

    def read_as(self, name: str, literal: Literal) -> tuple[str, pa.Array]:
        """A column in the type of a literal that it is compared with.

        Returns:
            That type's name, and the values [N], null where a row has none.

        Raises:
            FilterError: There is no such column, or its values are of another type.
        """
        self._need(name)
        wanted, kind = kind_of(literal), self._kind_of(name)
        if (name, wanted) not in self._read:
            if kind in (None, wanted):
                array = self._array(name, self._cells(name), wanted)
            elif kind == TEXT:
                array = self._array(name, self._from_text(name, wanted, literal), wanted)
            else:
                raise FilterError(
                    f"column {name!r} is compared with {_shown(literal)}, a {wanted}",
                    found=f"a column of {kind}",
                    expected=f"a literal of its type: {_EXAMPLES.get(str(kind), 'only `is null` can ask about it')}",
                )
            self._read[name, wanted] = array
        return wanted, self._read[name, wanted]

    @once
    def _known(self) -> tuple[str, ...]:
        said = (f"metadata.{name}" if name in OWN_COLUMNS else name for name in self._fields["metadata"].names)
        measured = (f"quality.{name}" for name in self._fields["quality"].names)
        return tuple(dict.fromkeys((*OWN_COLUMNS, *said, *measured)))

    def _cells(self, name: str) -> dict[int, Any]:
        """The rows that have a value in this column, and which."""
        if name not in self._found:
            if name in OWN_COLUMNS:
                self._found[name] = {at: value for at, value in enumerate(self._own(name)) if value is not None}
            else:
                own = name.removeprefix("metadata.")
                found = self._fields["metadata"].cells(own if own in OWN_COLUMNS else name)
                if own in OWN_COLUMNS and own != name:
                    found = self._fields["metadata"].cells(name) | found
                if name.startswith("quality."):
                    found |= self._fields["quality"].cells(name.removeprefix("quality."))
                self._found[name] = found
        return self._found[name]

    def _own(self, name: str) -> list[Any]:
        if name == "row_id":
            return list(self._generation.ids.tolist())
        if name == "caption":
            return [" ".join(lines) or None for lines in self._generation.column("captions").to_pylist()]
        return self._generation.column(name).to_pylist()  # type: ignore[no-any-return]

    def _kind_of(self, name: str) -> str | None:
        if name not in self._kinds:
            self._kinds[name] = _kind(self._cells(name).values())
        return self._kinds[name]

    def _array(self, name: str, cells: Mapping[int, Any], kind: str) -> pa.Array:
        if kind == NUMBER and any(isinstance(value, int) and abs(value) > MAX_WHOLE for value in cells.values()):
            raise FilterError(
                f"column {name!r} of a filter",
                found="numbers too large to compare exactly",
                expected=f"up to {MAX_WHOLE}",
            )
        values: list[Any] = [None] * len(self)
        for position, value in cells.items():
            values[position] = value
        return pa.array(values, ARROW_TYPES[kind])

    def _from_text(self, name: str, wanted: str, literal: Literal) -> dict[int, Any]:
        read, known, cells = _READERS[wanted], dict[str, Any](), dict[int, Any]()
        for position, text in self._cells(name).items():
            if not text:
                continue
            if text not in known:
                try:
                    known[text] = read(text)
                except (ValueError, OverflowError):
                    raise FilterError(
                        f"column {name!r} is compared with {_shown(literal)}, a {wanted}",
                        found=f"the text {text!r} in row {self._generation.ids[position]}",
                        expected=f"a {wanted} in every row that has a value",
                        do="compare it with a text in single quotes, or mend the row with `tgfr-search update`",
                    ) from None
            cells[position] = known[text]
        return cells

    def _need(self, name: str) -> None:
        if name not in OWN_COLUMNS and not self._cells(name) and name not in self._known:
            known = ", ".join(f"{each} ({self._kind_of(each) or 'no values'})" for each in sorted(self._known))
            raise FilterError(f"column {name!r} of a filter", found="no such column", expected=f"one of: {known}")


def reading(text: str, kind: str) -> int | float | bool | None:
    """A text as a number, a boolean, or the microseconds of a date since 1970 (UTC); None where it is none."""
    try:
        value = _READERS[kind](text)
    except (ValueError, OverflowError):
        return None
    if kind == NUMBER and ((abs(value) > MAX_WHOLE and isinstance(value, int)) or not math.isfinite(value)):
        return None
    return micros(value) if kind == DATE else value


def micros(moment: datetime) -> int:
    """Microseconds since 1970 (UTC)."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def kind_of(literal: Literal) -> str:
    """The type of a literal: text, number, boolean or date."""
    if isinstance(literal, bool):
        return BOOLEAN
    if isinstance(literal, str):
        return TEXT
    return DATE if isinstance(literal, datetime) else NUMBER


def _kind(values: Iterable[Any]) -> str | None:
    """The one type of all values; None where there is none, a description where there are several."""
    kinds = sorted({_TYPES.get(type(value), "lists or objects") for value in values if value is not None})
    return " and ".join(kinds) or None


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _shown(literal: Literal) -> str:
    return literal.isoformat() if isinstance(literal, datetime) else repr(literal)


_TYPES: dict[type, str] = {str: TEXT, int: NUMBER, float: NUMBER, bool: BOOLEAN}
_READERS: dict[str, Callable[[str], Any]] = {NUMBER: _number, BOOLEAN: _boolean, DATE: parse_date}
_EXAMPLES = {TEXT: "'text'", NUMBER: "a number", BOOLEAN: "true or false"}
