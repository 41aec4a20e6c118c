"""What a filter says, as a tree: comparisons of columns with literals, joined by and, or and not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

Literal = str | int | float | bool | datetime


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with a literal; `op` is one of = != < <= > >= like."""

    column: str
    op: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """A column that has one of several values."""

    column: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column without a value."""

    column: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; of an unknown it is unknown."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """And."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Or."""

    parts: tuple[Condition, ...]


Condition = Comparison | Membership | IsNull | Not | Both | Either
