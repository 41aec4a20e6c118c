"""Folder, published data set or table → a stream of `Record`: whose image, what was said; nothing is decoded yet.

The structure of the input (columns, splits, one captions file) is checked at once and raises `InputError`. What is
wrong with a single row or file is handed to `on_problem` and never ends the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pyarrow as pa

from tgfr_search.data.columns import known_columns
from tgfr_search.data.files import Places, Walk, captions_in, no_file, shown, walk
from tgfr_search.data.image_parquet import image_parquet
from tgfr_search.data.layouts.base import Entry
from tgfr_search.data.layouts.registry import find_layout
from tgfr_search.data.rows import (
    CAPTION,
    IMAGE_SUFFIXES,
    SUBJECT,
    ImageRows,
    OnProblem,
    Problem,
    check_split,
    group_by_image,
    split_of,
    usable,
)
from tgfr_search.data.subjects import need_people, spellings, subject_at
from tgfr_search.data.tables import TABLE_SUFFIXES, is_binary, need_columns, open_parquet, plain_columns, read_table
from tgfr_search.errors import InputError, NothingUsableError, Reason
from tgfr_search.names import canonical, canonical_path
from tgfr_search.types import Record

__all__ = ["IMAGE_SUFFIXES", "OnProblem", "Problem", "Records", "captions_in", "read_records"]


class Records(Iterator[Record]):
    """A stream of records, to be read once.

    Attributes:
        estimate: How many records to expect, for a progress bar; rows left out make them fewer.
        passed_over: Entries of a folder that were passed over: hidden ones, folders of the system, links to folders,
            files that are no image by their extension.
        ignored: How many these are.
        notes: What was read otherwise than it was written, or looks as if it were meant and was not read, for a person.
        unread: Folders that could not be opened; what lies in them is neither there nor gone.
    """

    def __init__(
        self,
        stream: Iterator[Record],
        estimate: int,
        passed_over: Sequence[str] = (),
        notes: Sequence[str] = (),
        unread: Sequence[str] = (),
    ) -> None:
        self._stream, self.estimate = stream, estimate
        self.passed_over, self.ignored = tuple(passed_over), len(passed_over)
        self.notes, self.unread = tuple(notes), tuple(unread)

    def __next__(self) -> Record:
        return next(self._stream)


def read_records(
    source: Path,
    *,
    captions: Path | None = None,
    split: str | None = None,
    need_subject: bool = True,
    subject_level: int | None = None,
    on_problem: OnProblem,
) -> Records:
    """The records of a data set, in a fixed order; every name in the form of `names.canonical`.

    Args:
        source: A folder of images (subject = first sub-folder, or the stem of a file in the root), the folder of a
            published data set (`layouts`, found by its files), an image Parquet, or a CSV / JSONL / Parquet table that
            names image files relative to itself.
        captions: For a folder: its captions table; None takes `captions.csv|tsv|jsonl|parquet` in it.
            A folder with a captions table is read as a plain folder of images.
        split: For a published data set, or a table with a column `split`: take only these rows; None takes all.
        need_subject: Leave out (and report) rows without a subject; False for probes of unknown identity.
        subject_level: Of a plain folder: which folder above a photo is named after its subject, 1 the first below
            `source`; None is 1, unless the folders there are plainly no people (`train`, `test`), which is an error.
        on_problem: Called for every row or file that is left out.

    Raises:
        InputError: The source is not there or of no known kind, columns or a data set's files are missing, or the
            split is unknown.
        NothingUsableError: There is no image at all.
    """
    try:
        if source.is_dir():
            return _directory(source, captions, split, need_subject, subject_level, on_problem)
        return _table(source, captions, split, need_subject, subject_level, on_problem)
    except OSError as error:  # a folder or file that the system does not let us open, wherever it lies
        what = str(error.filename or source)
        raise InputError(what, found=error.strerror or str(error), expected="a file or folder to read") from error


def _directory(
    source: Path,
    captions: Path | None,
    split: str | None,
    need_subject: bool,
    subject_level: int | None,
    on_problem: OnProblem,
) -> Records:
    captions = captions or captions_in(source)
    layout = find_layout(source) if captions is None else None
    if layout is not None and subject_level is not None:
        raise InputError("--subject-level", found=f"{layout.title}, whose subjects are known", do="leave it out")
    if layout is not None:
        return _published(source, layout.entries(source, on_problem), split, need_subject, on_problem)
    if split is not None:
        raise InputError(str(source), found=f"a folder and the split {split!r}", do="leave the split out")
    return _folder(source, captions, subject_level, on_problem)


def _table(
    source: Path,
    captions: Path | None,
    split: str | None,
    need_subject: bool,
    subject_level: int | None,
    on_problem: OnProblem,
) -> Records:
    if captions is not None:
        raise InputError(str(captions), found=f"captions for {source.name}", expected="captions for a folder of images")
    if subject_level is not None:
        raise InputError("--subject-level", found=f"the table {source.name}", expected="a folder of images")
    if not source.is_file() or source.suffix.lower() not in TABLE_SUFFIXES:
        found = "a file of another kind" if source.exists() else "no such file or folder"
        raise InputError(str(source), found=found, expected=f"a folder of images or a file {', '.join(TABLE_SUFFIXES)}")
    subject = (SUBJECT,) if need_subject else ()
    if source.suffix.lower() == ".parquet":
        with open_parquet(source) as file:
            schema = file.schema_arrow
        known, notes = known_columns(source, schema.names)
        need_columns(source, known, ("image", "path"), *subject)
        own = dict(zip(known, schema.names, strict=True))
        kind = schema.field(own["image"]).type if "image" in own else pa.string()
        if is_binary(kind):
            plain = {own["image"], *plain_columns(schema)}
            read = {name: written for name, written in own.items() if written in plain}
            return Records(*image_parquet(source, read, split, need_subject, on_problem), notes=notes)
        if pa.types.is_nested(kind):
            raise InputError(str(source), found=f"column 'image' of type {kind}", expected="encoded bytes, or a path")
    table = read_table(source)
    need_columns(source, table.columns, ("image", "path"), *subject)
    if split is not None:
        check_split(source, (split_of(row) for row in table.rows), split)
        kept = [(line, row) for line, row in zip(table.lines, table.rows, strict=True) if split_of(row) == split]
        table = replace(table, lines=[line for line, _ in kept], rows=[row for _, row in kept])
    places = Places(source.parent)
    images = group_by_image(
        table,
        "image" if "image" in table.columns else "path",
        ("file", "split"),
        lambda path: places.find(path) or path,
        on_problem,
    )
    if not images:
        raise NothingUsableError(str(source), found=f"{len(table.rows)} rows, none that names an image")
    notes = [*table.notes, *places.notes(source.name)]
    return Records(_listed(source.parent, images, need_subject, on_problem), len(images), notes=notes)


def _folder(folder: Path, captions: Path | None, subject_level: int | None, on_problem: OnProblem) -> Records:
    found = walk(folder, captions, on_problem)
    if not found.files:
        others = f"{len(found.passed_over)} other entries" if found.passed_over else "an empty folder"
        others += f", {len(found.unread)} folders that cannot be opened" if found.unread else ""
        looked_for = f"files {' '.join(sorted(IMAGE_SUFFIXES))} in it and below, not hidden"
        raise NothingUsableError(f"no image in {folder}", found=others, expected=looked_for)
    rows: dict[str, ImageRows] = {}
    if captions is not None:
        table = read_table(captions)
        need_columns(captions, table.columns, ("image",), CAPTION)
        places = Places(folder, found.files)
        rows = group_by_image(table, "image", (), places.find, on_problem)
        found.notes += [*table.notes, *places.notes(captions.name)]
    told = {key for key, said in rows.items() if said.subject is not None}
    need_people(folder, [file for file in found.files if canonical_path(file) not in told], subject_level)
    found.notes += spellings(found.files, subject_level or 1)
    return Records(
        _photos(folder, found, rows, subject_level or 1, on_problem),
        len(found.files),
        found.passed_over,
        found.notes,
        found.unread,
    )


def _photos(
    folder: Path, found: Walk, rows: dict[str, ImageRows], level: int, on_problem: OnProblem
) -> Iterator[Record]:
    taken: dict[str, str] = {}
    for file in found.files:
        name = canonical_path(shown(file)) or shown(file)
        if name in taken:
            detail = f"{shown(file)!r} and {shown(taken[name])!r} are two spellings of one name; rename one"
            on_problem(Problem(shown(file), Reason.DUPLICATE_ROW, detail))
            continue
        taken[name] = file
        said = rows.get(canonical_path(file), ImageRows(file, name))
        subject = said.subject or subject_at(shown(file), level)
        if subject is None:
            depth = len(PurePosixPath(file).parts) - 1
            detail = f"it lies {depth} folders below the gallery, subjects are looked for at level {level}"
            on_problem(Problem(name, Reason.MISSING_SUBJECT, detail))
        else:
            yield Record(name, subject, str(folder / file), None, tuple(said.captions), said.metadata)


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
            path, name = folder / entry.path, canonical_path(shown(entry.path))
            subject = None if entry.subject is None else canonical(shown(entry.subject)) or None
            if problem := no_file(name, path):
                on_problem(problem)
            elif usable(name, subject, names, need_subject, on_problem):
                yield Record(name, subject, str(path), None, entry.captions, entry.metadata, entry.split)

    return Records(stream(), len(entries))


def _listed(folder: Path, images: dict[str, ImageRows], need_subject: bool, on_problem: OnProblem) -> Iterator[Record]:
    names: set[str] = set()
    for image in images.values():
        path = folder / image.path
        if problem := no_file(image.name, path):
            on_problem(problem)
        elif usable(image.name, image.subject, names, need_subject, on_problem):
            yield Record(image.name, image.subject, str(path), None, tuple(image.captions), image.metadata, image.split)
