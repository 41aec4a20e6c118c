"""Which rows a filter lets through: its conditions evaluated one after another, by SQL's logic of unknowns."""

from __future__ import annotations

import unicodedata
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from indexer.errors import FilterError
from indexer.filters.columns import ARROW_TYPES, BOOLEAN, TEXT, Columns, kind_of
from indexer.filters.conditions import Both, Comparison, Condition, Either, IsNull, Literal, Membership, Not
from indexer.filters.dates import quoted_date

_COMPARE = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
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
    # Not one Arrow expression: some thousand terms joined by `or` overflow its stack, which ends the process.
    is_true = _Truth(columns).of(condition).fill_null(False)
    return np.flatnonzero(is_true.to_numpy(zero_copy_only=False)).astype(np.int64)


class _Truth:
    """Evaluates conditions: true, false or null (unknown) of every row. Columns are made ready once."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.ready: dict[tuple[str, str], pa.Array] = {}

    def of(self, condition: Condition) -> pa.BooleanArray:
        match condition:
            case Both(parts):
                return reduce(pc.and_kleene, map(self.of, parts))
            case Either(parts):
                return reduce(pc.or_kleene, map(self.of, parts))
            case Not(part):
                return pc.invert(self.of(part))
            case IsNull(column):
                return pc.invert(self.columns.has_value(column))
            case Comparison(column, op, value):
                value = value if op == "like" else self._meant(column, value)
                kind, array = self._column(column, value)
                if kind == BOOLEAN and op not in ("=", "!="):
                    raise FilterError(f"column {column!r} of a filter", found=f"{op} true or false", expected="= or !=")
                if op == "like":
                    return pc.match_like(array, unicodedata.normalize("NFC", str(value)))
                return _COMPARE[op](array, pa.scalar(_name(column, value), ARROW_TYPES[kind]))
            case Membership(column, values):
                values = tuple(self._meant(column, value) for value in values)
                kinds = sorted({*map(kind_of, values)})
                return reduce(pc.or_kleene, (self._is_in(column, kind, values) for kind in kinds))

    def _is_in(self, column: str, kind: str, values: tuple[Literal, ...]) -> pa.BooleanArray:
        same = [value for value in values if kind_of(value) == kind]
        _, array = self._column(column, same[0])
        wanted = pa.array([_name(column, one) for one in same], ARROW_TYPES[kind])
        # Arrow answers false where the column has no value; `not in` must not let such a row through.
        return pc.if_else(array.is_null(), pa.scalar(None, pa.bool_()), pc.is_in(array, wanted))

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

    def _column(self, name: str, literal: Literal) -> tuple[str, pa.Array]:
        kind, array = self.columns.read_as(name, literal)
        if (name, kind) not in self.ready:
            self.ready[name, kind] = _names(name, array) if kind == TEXT else array
        return kind, self.ready[name, kind]


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
