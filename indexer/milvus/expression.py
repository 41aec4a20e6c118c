"""A parsed filter → Milvus's expression language, by SQL's logic of unknowns.

Nothing that a user wrote enters an expression as it is: columns become slots, numbers and dates are printed from their
values, and texts go through one function that leaves no way out of their quotes. (Milvus's expression templates would
do the same; its embedded engine, in which this is tested, does not read them.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from indexer.errors import FilterError
from indexer.filters.columns import BOOLEAN, DATE, NUMBER, TEXT, kind_of, micros
from indexer.filters.conditions import Both, Comparison, Condition, Either, IsNull, Literal, Membership, Not
from indexer.filters.dates import quoted_date
from indexer.milvus.layout import LETTERS, OTHER, Column

_OPPOSITE = {"=": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def expression(condition: Condition, columns: Mapping[str, Column]) -> str:
    """The rows for which a condition is true.

    Args:
        condition: From `indexer.filters.parse`.
        columns: Of the collection.

    Raises:
        FilterError: A column is not there, is compared with another type, or a text cannot be told to Milvus.
    """
    return _Builder(columns).holds(condition, True)


class _Builder:
    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns

    def holds(self, condition: Condition, wanted: bool) -> str:
        """For which rows the condition is true, or is false; where it is unknown, it is neither."""
        match condition:
            case Both(parts):
                return self._joined(parts, wanted, "and" if wanted else "or")
            case Either(parts):
                return self._joined(parts, wanted, "or" if wanted else "and")
            case Not(part):
                return self.holds(part, not wanted)
            case IsNull(name):
                column = self._column(name)
                has = " or ".join(f"exists {_cell(column, kind)}" for kind in (TEXT, NUMBER, BOOLEAN, OTHER))
                return f"(not ({has}))" if wanted else f"({has})"
            case Comparison(name, op, value):
                value = value if op == "like" else self._meant(name, value)
                kind, cell = self._read(name, value)
                if kind == BOOLEAN and op not in ("=", "!="):
                    raise FilterError(f"column {name!r} of a filter", found=f"{op} true or false", expected="= or !=")
                if op == "like":
                    test = f"{cell} like {_pattern(str(value))}"
                    return f"(exists {cell} and {test if wanted else f'not ({test})'})"
                sign = ("==" if op == "=" else op) if wanted else _OPPOSITE[op]
                return f"(exists {cell} and {cell} {sign} {literal(value)})"
            case Membership(name, values):
                values = tuple(self._meant(name, value) for value in values)
                kinds = sorted({*map(kind_of, values)})
                tests = [self._is_in(name, [v for v in values if kind_of(v) == kind], wanted) for kind in kinds]
                return "(" + (" or " if wanted else " and ").join(tests) + ")"

    def _joined(self, parts: tuple[Condition, ...], wanted: bool, word: str) -> str:
        return "(" + f" {word} ".join(self.holds(part, wanted) for part in parts) + ")"

    def _is_in(self, name: str, values: list[Literal], wanted: bool) -> str:
        _, cell = self._read(name, values[0])
        # Not `in`: the embedded engine knows it for plain fields only.
        sign, word = ("==", " or ") if wanted else ("!=", " and ")
        return f"(exists {cell} and ({word.join(f'{cell} {sign} {literal(value)}' for value in values)}))"

    def _meant(self, name: str, value: Literal) -> Literal:
        """A date in quotes as a date where the column's texts all are dates, as `select` reads it."""
        moment = quoted_date(value)
        return value if moment is None or DATE not in self._column(name).reads else moment

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            known = ", ".join(f"{each} ({column.kind or 'no values'})" for each, column in sorted(self.columns.items()))
            raise FilterError(f"column {name!r} of a filter", found="no such column", expected=f"one of: {known}")
        return self.columns[name]

    def _read(self, name: str, value: Literal) -> tuple[str, str]:
        column, kind = self._column(name), kind_of(value)
        if column.kind not in (None, kind) and kind not in column.reads:
            raise FilterError(
                f"column {name!r} is compared with a {kind}",
                found=f"a column of {column.kind}",
                expected=f"a literal of its type, or a {kind} in every row that has a value",
            )
        return kind, _cell(column, kind)


def literal(value: Literal) -> str:
    """A literal as Milvus reads it.

    Raises:
        FilterError: A text has control characters, or a number is none.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(micros(value))
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise FilterError("number of a filter", found=str(value), expected="a finite number")
        return repr(float(value))
    return _quoted(value)


def _quoted(text: str) -> str:
    if bad := [char for char in text if char not in _ESCAPES and not char.isprintable()]:
        raise FilterError("text of a filter", found=f"the character {bad[0]!r}", expected="characters that are printed")
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def _pattern(text: str) -> str:
    if "\\" in text:
        raise FilterError("pattern of a filter", found="a backslash", expected="% and _, and other characters as such")
    return _quoted(text)


def _cell(column: Column, kind: str) -> str:
    return f'cells["{column.slot}{LETTERS[kind]}"]'
