"""What the rows of a table say about an image: its subject, captions and metadata; and which rows are left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tgfr_search.data.columns import Row, Table
from tgfr_search.errors import InputError, Reason
from tgfr_search.names import (
    CAPTION_COLUMNS,
    IMAGE_SUFFIXES,
    SUBJECT_COLUMNS,
    canonical,
    canonical_path,
    slashes,
    windows_path,
)

__all__ = ["CAPTION", "IMAGE_SUFFIXES", "SUBJECT", "ImageRows", "OnProblem", "Problem", "group_by_image"]

CAPTION, SUBJECT = CAPTION_COLUMNS, SUBJECT_COLUMNS


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the data that was left out.

    Attributes:
        name: The row or file it is about.
        reason: Stable code.
        detail: What exactly was found, for a person.
    """

    name: str
    reason: Reason
    detail: str


OnProblem = Callable[[Problem], None]


@dataclass(slots=True)
class ImageRows:
    """What all rows of one image say together.

    Attributes:
        path: Its file below the folder.
        name: Its row name: the `file` column, else `path`, in the form of `canonical`.
        subject: Whose image; None where no row says.
        captions: The lines of all rows, in order.
        metadata: Further columns; where rows differ, the first value that is not null.
        split: The first part of the data set that a row names.
    """

    path: str
    name: str
    subject: str | None = None
    captions: list[str] = field(default_factory=list)
    metadata: Row = field(default_factory=dict)
    split: str | None = None


def split_of(row: Row) -> str | None:
    """The part of the data set that a row names; None where it names none."""
    value = row.get("split")
    return None if value is None else canonical(str(value))


def subject_of(row: Row) -> str | None:
    """The subject that a row names, as text in the form of `canonical`; None where it is absent, null or blank."""
    value = next((row[column] for column in SUBJECT if column in row), None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integers with one null comes as 12.0
    return (canonical(str(value)) or None) if value is not None else None


def captions_of(row: Row) -> list[str]:
    """The caption lines of a row, trimmed, empty ones left out."""
    lines: list[Any] = []
    for column in CAPTION:
        value = row.get(column)
        lines += value if isinstance(value, list) else [value]
    return [text for line in lines if line is not None and (text := str(line).strip())]


def metadata_of(row: Row, *used: str) -> Row:
    """The columns of a row that nothing else reads; `used` are those read by the caller."""
    subject = next((column for column in SUBJECT if column in row), "")
    return {name: value for name, value in row.items() if name not in (*CAPTION, subject, *used)}


def group_by_image(
    table: Table, column: str, used: tuple[str, ...], find: Callable[[str], str | None], on_problem: OnProblem
) -> dict[str, ImageRows]:
    """The rows of a table, joined image by image, in the order of first mention.

    Rows that name no image, an image outside the folder or one that is not there are reported and left out; so are
    exact repetitions, and rows that give an image to another subject than an earlier row.

    Args:
        table: Rows of plain JSON values.
        column: Which column names the image.
        used: Further columns that are not metadata.
        find: An image as the table names it → its file below the folder; None where there is none.
        on_problem: Called for each row left out.

    Returns:
        `canonical_path` of the file → what its rows say.
    """
    images: dict[str, ImageRows] = {}
    seen: set[bytes] = set()
    for number, (line, row) in enumerate(zip(table.lines, table.rows, strict=True), 1):
        where = f"{table.unit} {line}"
        path = str(row.get(column) or "").strip()
        if not path:
            on_problem(Problem(f"row {number}", Reason.MISSING_IMAGE, f"{where}: the column {column!r} is empty"))
            continue
        digest = hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=16).digest()
        if _leads_out(path):
            on_problem(Problem(path, Reason.MISSING_IMAGE, f"{where} leads out of the folder"))
            continue
        file, subject = find(path), subject_of(row)
        key = "" if file is None else canonical_path(file)
        image = images.get(key)
        if file is None:
            on_problem(Problem(path, Reason.MISSING_IMAGE, f"{where}: no such image in the folder"))
        elif digest in seen:
            on_problem(Problem(path, Reason.DUPLICATE_ROW, f"{where} repeats an earlier one"))
        elif image is not None and None not in (image.subject, subject) and image.subject != subject:
            found = f"{where} says subject {subject!r}, an earlier one {image.subject!r}"
            on_problem(Problem(path, Reason.DUPLICATE_ROW, found))
        else:
            image = images.setdefault(key, ImageRows(file, canonical_path(str(row.get("file") or "")) or key))
            image.subject = image.subject or subject
            image.captions += captions_of(row)
            image.split = image.split or split_of(row)
            for name, value in metadata_of(row, column, *used).items():
                if image.metadata.get(name) is None:
                    image.metadata[name] = value
        seen.add(digest)
    return images


def _leads_out(path: str) -> bool:
    parts = PurePosixPath(slashes(path))
    return parts.is_absolute() or PurePosixPath(path).is_absolute() or ".." in parts.parts or windows_path(path)


def usable(name: str, subject: str | None, names: set[str], need_subject: bool, on_problem: OnProblem) -> bool:
    """Whether a row may become a record, else it is reported; `names` collects those that do."""
    if need_subject and subject is None:
        on_problem(Problem(name, Reason.MISSING_SUBJECT, f"no {' or '.join(SUBJECT)}"))
    elif name in names:
        do = "an image's lines belong in one row, as the list 'captions'"
        on_problem(Problem(name, Reason.DUPLICATE_ROW, f"an earlier row has this name; {do}"))
    else:
        names.add(name)
        return True
    return False


def check_split(path: Path, there: Iterable[Any], split: str) -> None:
    """Raise `InputError` that lists the splits there are, where `split` is not one of them."""
    names = sorted({str(value) for value in there if value is not None})
    if split not in names:
        found = f"the splits {', '.join(map(repr, names))}" if names else "no column 'split' with a value, or no splits"
        raise InputError(str(path), found=found, expected=f"the split {split!r}")
