"""What the rows of a table say about an image: its subject, captions and metadata; and which rows are left out."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tgfr_search.data.tables import Row
from tgfr_search.errors import InputError, Reason

SUBJECT = ("subject_id", "identity")
CAPTION = ("caption", "captions")

_READABLE = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp"}
IMAGE_SUFFIXES = frozenset(_READABLE | {".gif", ".heic", ".heif", ".avif", ".jp2"})
"""What a folder is searched for. Photos that do not decode are among them, to be reported rather than passed over."""


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
        path: The image as the table names it.
        name: Its row name: the `file` column, else `path`.
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
    return None if value is None else str(value)


def subject_of(row: Row) -> str | None:
    """The subject that a row names, as text; None where it is absent, null or blank."""
    value = next((row[column] for column in SUBJECT if column in row), None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integers with one null comes as 12.0
    return (str(value).strip() or None) if value is not None else None


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


def path_key(path: str) -> str:
    """How image paths are compared: macOS writes é as two characters in file names, captions files as one."""
    return unicodedata.normalize("NFC", str(PurePosixPath(path)))


def group_by_image(
    rows: Iterable[Row], column: str, used: tuple[str, ...], known: Container[str] | None, on_problem: OnProblem
) -> dict[str, ImageRows]:
    """The rows of a table, joined image by image, in the order of first mention.

    Rows that name no image, an image outside the folder or (where `known` is given) an image that is not there are
    reported and left out; so are exact repetitions, and rows that give an image to another subject than an earlier row.

    Args:
        rows: Rows of plain JSON values.
        column: Which column names the image.
        used: Further columns that are not metadata.
        known: `path_key` of each image there is; None where that is not known yet.
        on_problem: Called for each row left out.

    Returns:
        `path_key` → what its rows say.
    """
    images: dict[str, ImageRows] = {}
    seen: set[bytes] = set()
    for number, row in enumerate(rows, 1):
        path = str(row.get(column) or "").strip()
        if not path:
            on_problem(Problem(f"row {number}", Reason.MISSING_IMAGE, f"the column {column!r} is empty"))
            continue
        digest = hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=16).digest()
        key, subject = path_key(path), subject_of(row)
        image = images.get(key)
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            on_problem(Problem(path, Reason.MISSING_IMAGE, f"row {number} leads out of the folder"))
        elif known is not None and key not in known:
            on_problem(Problem(path, Reason.MISSING_IMAGE, f"row {number}: no such image in the folder"))
        elif digest in seen:
            on_problem(Problem(path, Reason.DUPLICATE_ROW, f"row {number} repeats an earlier row"))
        elif image is not None and None not in (image.subject, subject) and image.subject != subject:
            found = f"row {number} says subject {subject!r}, an earlier row {image.subject!r}"
            on_problem(Problem(path, Reason.DUPLICATE_ROW, found))
        else:
            image = images.setdefault(key, ImageRows(path, str(row.get("file") or path)))
            image.subject = image.subject or subject
            image.captions += captions_of(row)
            image.split = image.split or split_of(row)
            for name, value in metadata_of(row, column, *used).items():
                if image.metadata.get(name) is None:
                    image.metadata[name] = value
        seen.add(digest)
    return images


def check_split(path: Path, there: Iterable[Any], split: str) -> None:
    """Raise `InputError` that lists the splits there are, where `split` is not one of them."""
    names = sorted({str(value) for value in there if value is not None})
    if split not in names:
        found = f"the splits {', '.join(map(repr, names))}" if names else "no column 'split' with a value, or no splits"
        raise InputError(str(path), found=found, expected=f"the split {split!r}")
