"""The columns that a filter may name: what rows are told by, their metadata, and what was measured of their faces.

Metadata is JSON. A column's type is that of its values; dates, and numbers that came as text from a CSV file, are read
from text where the filter compares them with a date or a number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from indexer.errors import FilterError
from indexer.filters.parse import MAX_WHOLE, Literal, parse_date
from indexer.generation import Generation

TEXT, NUMBER, BOOLEAN, DATE = "text", "number", "boolean", "date"
_TIMESTAMP = pa.timestamp("us", tz="UTC")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_OWN = ("subject_id", "image", "image_sha256")
ARROW_TYPES = {TEXT: pa.string(), NUMBER: pa.float64(), BOOLEAN: pa.bool_(), DATE: _TIMESTAMP}
"""What a column of each type is compared as."""


class Columns:
    """The columns of one generation; metadata is read from JSON once.

    Args:
        generation: Whose rows.
    """

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._values: dict[str, list[Any]] = {"row_id": generation.ids.tolist()}
        for name in _OWN:
            self._values[name] = generation.column(name).to_pylist()
        self._values["caption"] = [" ".join(lines) or None for lines in generation.column("captions").to_pylist()]
        own = set(self._values)
        for prefix, column in (("metadata.", "metadata"), ("quality.", "quality")):
            for number, text in enumerate(generation.column(column).to_pylist()):
                for key, value in json.loads(text).items():
                    name = key if column == "metadata" and key not in own else prefix + key
                    self._values.setdefault(name, [None] * len(generation))[number] = value
        self._kinds = {name: _kind(values) for name, values in self._values.items()}
        self._read: dict[tuple[str, str], pa.Array] = {}

    def __len__(self) -> int:
        return len(self._generation)

    def catalogue(self) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
        """Every column: its name, the type of its values (see `_kind`), and the types that all its texts read as."""
        for name, kind in self._kinds.items():
            values = self._values[name]
            texts = set(values) - {None, ""} if kind == TEXT else ()
            if kind == NUMBER and any(isinstance(value, int) and abs(value) > MAX_WHOLE for value in values):
                kind = "numbers too large to compare exactly"
            reads = (wanted for wanted in _READERS if all(reading(text, wanted) is not None for text in texts))
            yield name, kind, tuple(reads) if kind == TEXT else ()

    def row(self, position: int) -> dict[str, Any]:
        """One row's value in every column, None where it has none."""
        return {name: values[position] for name, values in self._values.items()}

    def has_value(self, name: str) -> pa.Array:
        """Boolean [N]: whether each row has a value in this column.

        Raises:
            FilterError: There is no such column.
        """
        self._need(name)
        return pa.array([value is not None for value in self._values[name]], pa.bool_())

    def read_as(self, name: str, literal: Literal) -> tuple[str, pa.Array]:
        """A column in the type of a literal that it is compared with.

        Returns:
            That type's name, and the values [N], null where a row has none.

        Raises:
            FilterError: There is no such column, or its values are of another type.
        """
        self._need(name)
        wanted, kind = kind_of(literal), self._kinds[name]
        if (name, wanted) not in self._read:
            if kind in (None, wanted):
                array = _array(name, self._values[name], wanted)
            elif kind == TEXT:
                array = _array(name, self._from_text(name, wanted, literal), wanted)
            else:
                raise FilterError(
                    f"column {name!r} is compared with {_shown(literal)}, a {wanted}",
                    found=f"a column of {kind}",
                    expected=f"a literal of its type: {_EXAMPLES.get(str(kind), 'only `is null` can ask about it')}",
                )
            self._read[name, wanted] = array
        return wanted, self._read[name, wanted]

    def _from_text(self, name: str, wanted: str, literal: Literal) -> list[Any]:
        read, known = _READERS[wanted], dict[str, Any]()
        for text in set(self._values[name]) - {None, ""}:
            try:
                known[text] = read(text)
            except (ValueError, OverflowError):
                row_id = self._values["row_id"][self._values[name].index(text)]
                raise FilterError(
                    f"column {name!r} is compared with {_shown(literal)}, a {wanted}",
                    found=f"the text {text!r} in row {row_id}",
                    expected=f"a {wanted} in every row that has a value",
                    do="compare it with a text in single quotes, or mend the row with `tgfr-search update`",
                ) from None
        return [known.get(text) for text in self._values[name]]

    def _need(self, name: str) -> None:
        if name not in self._values:
            known = ", ".join(f"{each} ({kind or 'no values'})" for each, kind in sorted(self._kinds.items()))
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


def _array(name: str, values: list[Any], kind: str) -> pa.Array:
    if kind == NUMBER and any(isinstance(value, int) and abs(value) > MAX_WHOLE for value in values):
        raise FilterError(
            f"column {name!r} of a filter", found="numbers too large to compare exactly", expected=f"up to {MAX_WHOLE}"
        )
    return pa.array(values, ARROW_TYPES[kind])


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
