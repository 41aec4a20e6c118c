"""Rows of a CSV, JSONL or Parquet table as plain dictionaries of JSON values, for `manifest`."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tgfr_search.errors import InputError

TABLE_SUFFIXES = (".csv", ".jsonl", ".parquet")

Row = dict[str, Any]


def read_table(path: Path) -> tuple[list[str], list[Row]]:
    """The columns and all rows of a table of text: paths and captions, no image bytes.

    A CSV has no types, so its values stay text (a case number 007 stays 007); an empty field is null.

    Args:
        path: `.csv` (comma-separated), `.jsonl` (one object a line) or `.parquet`; UTF-8, byte order mark or not.

    Returns:
        The column names, and a dictionary a row; in JSONL a row has only the columns that it names.

    Raises:
        InputError: The file cannot be read as what its name says; the message tells the line.
    """
    reader = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}.get(path.suffix.lower())
    if reader is None:
        raise InputError(str(path), found=f"a file *{path.suffix}", expected=f"one of {', '.join(TABLE_SUFFIXES)}")
    try:
        return reader(path)
    except UnicodeDecodeError as error:
        raise InputError(str(path), found=f"not UTF-8 ({error.reason})", do="save the file as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise InputError(str(path), found=str(error), expected=f"a readable {path.suffix} file") from error


def _read_csv(path: Path) -> tuple[list[str], list[Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows = []
        for row in reader:
            if None in row:  # an unquoted comma in a caption would cut the caption short in silence
                raise InputError(
                    f"{path}, line {reader.line_num}",
                    found=f"more than {len(reader.fieldnames or ())} fields",
                    do='quote captions that contain a comma: "a man, with a beard"',
                )
            rows.append({name: value or None for name, value in row.items()})
        return list(reader.fieldnames or ()), rows


def _read_jsonl(path: Path) -> tuple[list[str], list[Row]]:
    rows: list[Row] = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, line {number}", found=str(error), expected="a JSON object") from error
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number}", found=type(row).__name__, expected="a JSON object")
            rows.append(json_value(row))
    return list(dict.fromkeys(name for row in rows for name in row)), rows


def _read_parquet(path: Path) -> tuple[list[str], list[Row]]:
    with open_parquet(path) as file:
        columns = plain_columns(file.schema_arrow)
        table = file.read(columns=columns)
        return columns, [json_value(row) for row in table.to_pylist()]


def open_parquet(path: Path) -> pq.ParquetFile:
    """The opened file; to be closed by `with`.

    Raises:
        InputError: It is no Parquet file, or a damaged one.
    """
    try:
        # Read as needed: by default Arrow would hold a row group of images, encoded and decoded, at once.
        return pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise InputError(str(path), found=str(error), expected="a Parquet file") from error


def plain_columns(schema: pa.Schema) -> list[str]:
    """The columns that JSON can carry: all but binary ones."""
    return [field.name for field in schema if not is_binary(field.type)]


def is_binary(kind: pa.DataType) -> bool:
    """Whether a column holds bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


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
