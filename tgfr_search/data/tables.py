"""A CSV, TSV, JSONL or Parquet table → its columns and rows, for `manifest`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tgfr_search.data.columns import Row, Table, json_value, known_columns, need_columns
from tgfr_search.data.delimited import read_csv
from tgfr_search.data.jsonl import read_jsonl
from tgfr_search.data.text import need_regular
from tgfr_search.errors import InputError

__all__ = ["TABLE_SUFFIXES", "Row", "Table", "json_value", "need_columns", "open_parquet", "read_table"]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def read_table(path: Path) -> Table:
    """All rows of a table of text: paths and captions, no image bytes.

    A CSV has no types, so its values stay text (a case number 007 stays 007); an empty field is null. A column whose
    values are of several types, which only JSONL can have, is text too.

    Args:
        path: `.csv` or `.tsv` (fields separated by commas, semicolons or tabs, as the names of the columns tell),
            `.jsonl` (one object a line) or `.parquet`; UTF-8, or UTF-16 and UTF-32 with their byte order mark.

    Raises:
        InputError: The file cannot be read as what its name says; the message tells line and column.
    """
    readers = {".csv": read_csv, ".tsv": read_csv, ".jsonl": read_jsonl, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(str(path), found=f"a file *{path.suffix}", expected=f"one of {', '.join(TABLE_SUFFIXES)}")
    return reader(path)


def _read_parquet(path: Path) -> Table:
    with open_parquet(path) as file:
        schema = file.schema_arrow
        wanted = plain_columns(schema)
        columns, notes = known_columns(path, wanted)
        try:
            table = file.read(columns=wanted)
        except (pa.ArrowException, OSError) as error:
            raise InputError(str(path), found=str(error), expected="a Parquet file that is whole") from error
        rows = [json_value(row) for row in table.rename_columns(columns).to_pylist()]
        return Table(columns, rows, range(1, len(rows) + 1), "row", tuple(notes))


def open_parquet(path: Path) -> pq.ParquetFile:
    """The opened file; to be closed by `with`.

    Raises:
        InputError: It is no Parquet file, or a damaged one.
    """
    try:
        need_regular(path)
        # Read as needed: by default Arrow would hold a row group of images, encoded and decoded, at once.
        return pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
    except OSError as error:
        raise InputError(str(path), found=error.strerror or str(error), expected="a Parquet file") from error
    except pa.ArrowException as error:
        raise InputError(str(path), found=str(error), expected="a Parquet file") from error


def plain_columns(schema: pa.Schema) -> list[str]:
    """The columns that JSON can carry: all but binary ones."""
    return [field.name for field in schema if not is_binary(field.type)]


def is_binary(kind: pa.DataType) -> bool:
    """Whether a column holds bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
