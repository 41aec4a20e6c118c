"""Which rows a filter lets through: its conditions as one Arrow expression, by SQL's logic of unknowns."""

from __future__ import annotations

import unicodedata
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from indexer.errors import FilterError
from indexer.filters.columns import ARROW_TYPES, BOOLEAN, TEXT, Columns, kind_of
from indexer.filters.dates import quoted_date
from indexer.filters.parse import Both, Comparison, Condition, Either, IsNull, Literal, Membership, Not

_COMPARE = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_NAMES = ("subject_id", "image")
"""Columns of names, which older indexes have with blanks at their ends."""


def select(columns: Columns, condition: Condition) -> npt.NDArray[np.int64]:
    """Positions of the rows for which the condition is true: int64 [n], ascending.

    A comparison with a missing value is unknown, neither true nor false: `not (site = 'A')` leaves out rows without a
    site; `site is null` asks for them.

    Args:
        columns: Of the generation that is searched.
        condition: From `parse`.

    Raises:
        FilterError: A column is not there, or is compared with another type.
    """
    builder = _Builder(columns)
    expression = builder.expression(condition)
    position = pa.array(range(len(columns)), pa.int64())
    table = pa.table({"position": position, **builder.fields})
    positions = table.filter(expression)["position"].combine_chunks()
    return np.sort(np.from_dlpack(positions))


class _Builder:
    """Makes the expression, and gathers the columns that it asks for."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.fields: dict[str, pa.Array] = {}

    def expression(self, condition: Condition) -> Any:
        match condition:
            case Both(parts):
                return reduce(and_, map(self.expression, parts))
            case Either(parts):
                return reduce(or_, map(self.expression, parts))
            case Not(part):
                return ~self.expression(part)
            case IsNull(column):
                return ~self._field(f"{column}: has a value", self.columns.has_value(column))
            case Comparison(column, op, value):
                value = value if op == "like" else self._meant(column, value)
                kind, field = self._column(column, value)
                if kind == BOOLEAN and op not in ("=", "!="):
                    raise FilterError(f"column {column!r} of a filter", found=f"{op} true or false", expected="= or !=")
                if op == "like":
                    return pc.match_like(field, unicodedata.normalize("NFC", str(value)))
                return _COMPARE[op](field, pa.scalar(_name(column, value), ARROW_TYPES[kind]))
            case Membership(column, values):
                values = tuple(self._meant(column, value) for value in values)
                return reduce(or_, (self._is_in(column, kind, values) for kind in sorted({*map(kind_of, values)})))

    def _is_in(self, column: str, kind: str, values: tuple[Literal, ...]) -> Any:
        same = [value for value in values if kind_of(value) == kind]
        _, field = self._column(column, same[0])
        # Arrow answers false where the column has no value; `not in` must not let such a row through.
        unknown = pa.scalar(None, pa.bool_())
        return pc.if_else(
            field.is_null(), unknown, field.isin(pa.array([_name(column, one) for one in same], ARROW_TYPES[kind]))
        )

    def _meant(self, column: str, value: Literal) -> Literal:
        """A date in quotes as a date where the column's texts all are dates: as texts zones would count for nothing."""
        moment = quoted_date(value)
        if moment is None:
            return value
        try:
            self.columns.read_as(column, moment)
        except FilterError:
            return value
        return moment

    def _column(self, name: str, literal: Literal) -> tuple[str, Any]:
        kind, array = self.columns.read_as(name, literal)
        if kind == TEXT:
            array = _names(name, array)
        return kind, self._field(f"{name}: {kind}", array)

    def _field(self, name: str, array: pa.Array) -> Any:
        self.fields[name] = array
        return pc.field((name,))


def _name(column: str, value: Literal) -> Literal:
    """A text as it is compared: Unicode NFC; a name without blanks at its ends. The same is done to the column."""
    if not isinstance(value, str):
        return value
    text = unicodedata.normalize("NFC", value)
    return text.strip() if column in _NAMES else text


def _names(column: str, array: pa.Array) -> pa.Array:
    if not pc.all(pc.string_is_ascii(array)).as_py():
        array = pc.utf8_normalize(array, form="NFC")
    return pc.utf8_trim_whitespace(array) if column in _NAMES else array
