"""A Parquet file that holds the images themselves → records, a few rows in memory at a time."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tgfr_search.data.columns import Row, json_value
from tgfr_search.data.rows import (
    OnProblem,
    Problem,
    captions_of,
    check_split,
    metadata_of,
    split_of,
    subject_of,
    usable,
)
from tgfr_search.data.tables import open_parquet
from tgfr_search.errors import InputError, NothingUsableError, Reason
from tgfr_search.names import canonical_path
from tgfr_search.types import Record

BATCH_ROWS = 64
"""Rows turned into Python at a time. Arrow holds one data page besides, at most a row group."""


def image_parquet(
    source: Path, names: dict[str, str], split: str | None, need_subject: bool, on_problem: OnProblem
) -> tuple[Iterator[Record], int]:
    """The records of an image Parquet, and how many to expect.

    Args:
        source: The file.
        names: The columns that are read, `image` among them: known name → name in the file.
        split: Take only these rows.
        need_subject: Leave out (and report) rows without a subject.
        on_problem: Called for every row that is left out.

    Raises:
        InputError: There is no such split, or the file is damaged.
        NothingUsableError: It has no rows.
    """
    with open_parquet(source) as file:
        groups = range(file.num_row_groups)
        wanted = [file.metadata.row_group(group).num_rows for group in groups]
        if split is not None:
            splits = [_splits(file, group, names["split"]) if "split" in names else [] for group in groups]
            check_split(source, (value for group in splits for value in group), split)
            wanted = [sum(value == split for value in group) for group in splits]
    if not sum(wanted):
        raise NothingUsableError(str(source), found="a table without rows")

    def stream() -> Iterator[Record]:
        seen: set[str] = set()
        alike: Counter[str] = Counter()
        with open_parquet(source) as file:
            for number, data, row in _rows(source, file, [group for group in groups if wanted[group]], names):
                if split is not None and split_of(row) != split:
                    continue
                name = canonical_path(str(row.get("file") or row.get("path") or ""))
                name = name or _name_by_content(data, row, number, alike)
                if data is None:
                    on_problem(Problem(name, Reason.MISSING_IMAGE, f"row {number}: the column 'image' is empty"))
                elif usable(name, subject_of(row), seen, need_subject, on_problem):
                    said = tuple(captions_of(row)), metadata_of(row, "file", "split"), split_of(row)
                    yield Record(name, subject_of(row), None, data, *said)

    return stream(), sum(wanted)


def _rows(
    source: Path, file: pq.ParquetFile, groups: list[int], names: dict[str, str]
) -> Iterator[tuple[int, bytes | None, Row]]:
    """(row number in the file from 1, image bytes, the other columns)."""
    known = {own: name for name, own in names.items()}
    for group in groups:
        number = sum(file.metadata.row_group(before).num_rows for before in range(group))
        try:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(known)):
                for own in batch.to_pylist():
                    number += 1
                    row = {known[name]: value for name, value in own.items()}
                    data = row.pop("image")
                    yield number, data, json_value(row)
        except (pa.ArrowException, OSError) as error:
            where = f"{source}, after row {number}"
            raise InputError(where, found=str(error), expected="a Parquet file that is whole") from error


def _name_by_content(data: bytes | None, row: Row, number: int, alike: Counter[str]) -> str:
    """The name of a row that has none: the same row has the same, wherever it stands in the table.

    Args:
        data: The image.
        row: The other columns.
        number: Of the row, for one without an image.
        alike: How many rows had each content so far; repetitions are numbered.
    """
    if data is None:
        return f"row {number}"
    digest = hashlib.sha256(hashlib.sha256(data).digest() + json.dumps(row, sort_keys=True).encode())
    name = f"row-{digest.hexdigest()[:16]}"
    alike[name] += 1
    return name if alike[name] == 1 else f"{name}-{alike[name]}"


def _splits(file: pq.ParquetFile, group: int, column: str) -> list[str | None]:
    return [split_of({"split": value}) for value in file.read_row_group(group, columns=[column])[column].to_pylist()]
