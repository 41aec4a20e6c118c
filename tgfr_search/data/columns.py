"""What every table is, whatever file it was: columns by their known names, rows of plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tgfr_search.errors import InputError
from tgfr_search.names import column_name

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """What a table holds.

    Attributes:
        columns: Its columns, by `column_name`.
        rows: A dictionary a row; in JSONL a row has only the columns that it names.
        lines: The line of each row in the file; in Parquet its number, from 1.
        unit: What `lines` counts: `line` or `row`.
        notes: What was read otherwise than it was written, for a person.
    """

    columns: list[str]
    rows: list[Row]
    lines: Sequence[int]
    unit: str = "line"
    notes: tuple[str, ...] = ()


def known_columns(path: Path, names: Sequence[str], where: str = "") -> tuple[list[str], list[str]]:
    """Columns as they are written → by `column_name`, and what is to be told of that.

    Raises:
        InputError: Two of them are one name.
    """
    own = [column_name(name) for name in names]
    for at, name in enumerate(own):
        if name and (first := own.index(name)) < at:
            both = f"{names[first]!r} and {names[at]!r}"
            raise InputError(
                f"{path}{where}", found=f"{both}: one column twice", expected="each column once", do="rename one"
            )
    changed = [f"{old!r} as {new!r}" for old, new in zip(names, own, strict=True) if new and old != new]
    return own, [f"{path.name}: the column {one} was read" for one in changed]


def need_columns(path: Path, columns: Iterable[str], *choices: tuple[str, ...]) -> None:
    """Check that a table has at least one column of each choice.

    Raises:
        InputError: One is missing; the message names the file, the columns there are and those expected.
    """
    there = list(columns)
    if any(not set(choice) & set(there) for choice in choices):
        raise InputError(
            str(path),
            found=f"the columns {', '.join(map(repr, there)) or '(none)'}",
            expected=" and ".join(" or ".join(map(repr, choice)) for choice in choices),
            do="rename or add the missing column",
        )


def json_value(value: Any) -> Any:
    """`value` as plain JSON: NaN and infinities become null, dates ISO text, decimals floats, bytes null."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # half an emoji, cut in two by somebody's program
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): json_value(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(part) for part in value]
    return None if isinstance(value, bytes) else str(value)
