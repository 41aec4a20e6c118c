"""Folder, published data set or table → a stream of `Record`: whose image, what was said; nothing is decoded yet.

The structure of the input (columns, splits, one captions file) is checked at once and raises `InputError`. What is
wrong with a single row or file is handed to `on_problem` and never ends the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from tgfr_search.data.layouts.base import Entry
from tgfr_search.data.layouts.registry import find_layout
from tgfr_search.data.rows import (
    CAPTION,
    IMAGE_SUFFIXES,
    SUBJECT,
    ImageRows,
    OnProblem,
    Problem,
    captions_of,
    check_split,
    group_by_image,
    metadata_of,
    path_key,
    split_of,
    subject_of,
)
from tgfr_search.data.tables import (
    TABLE_SUFFIXES,
    Row,
    is_binary,
    json_value,
    need_columns,
    open_parquet,
    plain_columns,
    read_table,
)
from tgfr_search.errors import InputError, NothingUsableError, Reason
from tgfr_search.types import Record

__all__ = ["IMAGE_SUFFIXES", "OnProblem", "Problem", "Records", "read_records"]

BATCH_ROWS = 64
"""Rows of an image Parquet turned into Python at a time. Arrow holds one data page besides, at most a row group."""


class Records(Iterator[Record]):
    """A stream of records, to be read once.

    Attributes:
        estimate: How many records to expect, for a progress bar; rows left out make them fewer.
        ignored: Entries of a folder that were passed over: hidden ones, links to folders, files that are no image by
            their extension.
    """

    def __init__(self, stream: Iterator[Record], estimate: int, ignored: int = 0) -> None:
        self._stream, self.estimate, self.ignored = stream, estimate, ignored

    def __next__(self) -> Record:
        return next(self._stream)


def read_records(
    source: Path,
    *,
    captions: Path | None = None,
    split: str | None = None,
    need_subject: bool = True,
    on_problem: OnProblem,
) -> Records:
    """The records of a data set, in a fixed order.

    Args:
        source: A folder of images (subject = first sub-folder, or the stem of a file in the root), the folder of a
            published data set (`layouts`, found by its files), an image Parquet, or a CSV / JSONL / Parquet table that
            names image files relative to itself.
        captions: For a folder: its captions table; None takes `captions.csv|jsonl|parquet` in it where there is one.
            A folder with a captions table is read as a plain folder of images.
        split: For a published data set, or a table with a column `split`: take only these rows; None takes all.
        need_subject: Leave out (and report) rows without a subject; False for probes of unknown identity.
        on_problem: Called for every row or file that is left out.

    Raises:
        InputError: The source is not there or of no known kind, columns or a data set's files are missing, or the
            split is unknown.
        NothingUsableError: There is no image at all.
    """
    if source.is_dir():
        captions = captions or captions_in(source)
        layout = find_layout(source) if captions is None else None
        if layout is not None:
            return _published(source, layout.entries(source, on_problem), split, need_subject, on_problem)
        if split is not None:
            raise InputError(str(source), found=f"a folder and the split {split!r}", do="leave the split out")
        return _folder(source, captions, on_problem)
    if captions is not None:
        raise InputError(str(captions), found=f"captions for {source.name}", expected="captions for a folder of images")
    if not source.is_file() or source.suffix.lower() not in TABLE_SUFFIXES:
        found = "a file of another kind" if source.is_file() else "no such file or folder"
        raise InputError(str(source), found=found, expected=f"a folder of images or a file {', '.join(TABLE_SUFFIXES)}")
    subject = (SUBJECT,) if need_subject else ()
    if source.suffix.lower() == ".parquet":
        with open_parquet(source) as file:
            schema = file.schema_arrow
        need_columns(source, schema.names, ("image", "path"), *subject)
        kind = schema.field("image").type if "image" in schema.names else pa.string()
        if is_binary(kind):
            return _image_parquet(source, schema, split, need_subject, on_problem)
        if pa.types.is_nested(kind):
            raise InputError(str(source), found=f"column 'image' of type {kind}", expected="encoded bytes, or a path")
    columns, rows = read_table(source)
    need_columns(source, columns, ("image", "path"), *subject)
    if split is not None:
        check_split(source, (row.get("split") for row in rows), split)
        rows = [row for row in rows if str(row.get("split")) == split]
    images = group_by_image(rows, "image" if "image" in columns else "path", ("file", "split"), None, on_problem)
    if not images:
        raise NothingUsableError(str(source), found=f"{len(rows)} rows, none that names an image")
    return Records(_listed(source.parent, images, need_subject, on_problem), len(images))


def _folder(folder: Path, captions: Path | None, on_problem: OnProblem) -> Records:
    files, ignored = _image_files(folder, captions)
    if not files:
        found = f"{ignored} other entries" if ignored else "an empty folder"
        looked_for = f"files {' '.join(sorted(IMAGE_SUFFIXES))} in it and below, not hidden"
        raise NothingUsableError(f"no image in {folder}", found=found, expected=looked_for)
    rows: dict[str, ImageRows] = {}
    if captions is not None:
        columns, table = read_table(captions)
        need_columns(captions, columns, ("image",), CAPTION)
        rows = group_by_image(table, "image", (), {path_key(name) for name in files}, on_problem)

    def stream() -> Iterator[Record]:
        for file in files:
            # A file name that is not UTF-8 can be opened but not stored: its bytes are shown as \xe9.
            name = os.fsencode(file).decode("utf-8", "backslashreplace")
            path = PurePosixPath(name)
            said = rows.get(path_key(file), ImageRows(file, name))
            subject = said.subject or (path.parts[0] if len(path.parts) > 1 else path.stem)
            yield Record(name, subject, str(folder / file), None, tuple(said.captions), said.metadata)

    return Records(stream(), len(files), ignored)


def _published(
    folder: Path, entries: list[Entry], split: str | None, need_subject: bool, on_problem: OnProblem
) -> Records:
    if split is not None:
        check_split(folder, (entry.split for entry in entries), split)
        entries = [entry for entry in entries if entry.split == split]
    if not entries:
        raise NothingUsableError(str(folder), found="a data set that lists no image")

    def stream() -> Iterator[Record]:
        names: set[str] = set()
        for entry in entries:
            path = folder / entry.path
            if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where the name is too long
                on_problem(Problem(entry.path, Reason.MISSING_IMAGE, "listed, yet no such file"))
            elif _usable(entry.path, entry.subject, names, need_subject, on_problem):
                yield Record(entry.path, entry.subject, str(path), None, entry.captions, entry.metadata, entry.split)

    return Records(stream(), len(entries))


def captions_in(folder: Path) -> Path | None:
    """The captions table of a folder of images; None where there is none.

    Raises:
        InputError: There are several.
    """
    there = [path for suffix in TABLE_SUFFIXES if (path := folder / f"captions{suffix}").is_file()]
    if len(there) > 1:
        raise InputError(
            str(folder), found=" and ".join(path.name for path in there), expected="one captions file", do="keep one"
        )
    return there[0] if there else None


def _image_files(folder: Path, captions: Path | None) -> tuple[list[str], int]:
    """Paths below the folder, sorted, and how many entries were passed over."""
    files, ignored = [], 0
    for top, folders, names in os.walk(folder):
        here = Path(top)
        # A link to a folder may lead round in a circle.
        passed = {name for name in folders if name.startswith(".") or (here / name).is_symlink()}
        folders[:] = [name for name in folders if name not in passed]
        ignored += len(passed)
        for path in (here / name for name in names):
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
                files.append(path.relative_to(folder).as_posix())
            elif path != captions:
                ignored += 1
    return sorted(files), ignored


def _listed(folder: Path, images: dict[str, ImageRows], need_subject: bool, on_problem: OnProblem) -> Iterator[Record]:
    names: set[str] = set()
    for image in images.values():
        path = folder / image.path
        if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where the name is too long
            on_problem(Problem(image.name, Reason.MISSING_IMAGE, f"no such file: {image.path}"))
        elif _usable(image.name, image.subject, names, need_subject, on_problem):
            yield Record(image.name, image.subject, str(path), None, tuple(image.captions), image.metadata, image.split)


def _image_parquet(
    source: Path, schema: pa.Schema, split: str | None, need_subject: bool, on_problem: OnProblem
) -> Records:
    columns = ["image", *plain_columns(schema)]
    with open_parquet(source) as file:
        groups = range(file.num_row_groups)
        wanted = [file.metadata.row_group(group).num_rows for group in groups]
        if split is not None:
            splits = [_splits(file, group) if "split" in columns else [] for group in groups]
            check_split(source, (value for group in splits for value in group), split)
            wanted = [sum(str(value) == split for value in group) for group in splits]
    if not sum(wanted):
        raise NothingUsableError(str(source), found="a table without rows")

    def stream() -> Iterator[Record]:
        names: set[str] = set()
        with open_parquet(source) as file:
            for number, data, row in _rows(file, [group for group in groups if wanted[group]], columns):
                if split is not None and str(row["split"]) != split:
                    continue
                name = str(row.get("file") or row.get("path") or f"row {number}")
                if data is None:
                    on_problem(Problem(name, Reason.MISSING_IMAGE, "the column 'image' is empty"))
                elif _usable(name, subject_of(row), names, need_subject, on_problem):
                    said = tuple(captions_of(row)), metadata_of(row, "file", "split"), split_of(row)
                    yield Record(name, subject_of(row), None, data, *said)

    return Records(stream(), sum(wanted))


def _rows(file: pq.ParquetFile, groups: list[int], columns: list[str]) -> Iterator[tuple[int, bytes | None, Row]]:
    """(row number in the file from 1, image bytes, the other columns), a few rows in memory at a time."""
    for group in groups:
        number = sum(file.metadata.row_group(before).num_rows for before in range(group))
        for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns):
            for row in batch.to_pylist():
                number += 1
                data = row.pop("image")
                yield number, data, json_value(row)


def _splits(file: pq.ParquetFile, group: int) -> list[object]:
    return list(file.read_row_group(group, columns=["split"])["split"].to_pylist())


def _usable(name: str, subject: str | None, names: set[str], need_subject: bool, on_problem: OnProblem) -> bool:
    """Whether a row may become a record; `names` collects those that do."""
    if need_subject and subject is None:
        on_problem(Problem(name, Reason.MISSING_SUBJECT, f"no {' or '.join(SUBJECT)}"))
    elif name in names:
        do = "an image's lines belong in one row, as the list 'captions'"
        on_problem(Problem(name, Reason.DUPLICATE_ROW, f"an earlier row has this name; {do}"))
    else:
        names.add(name)
        return True
    return False
