"""What the layout of a data set is made of: an entry an image, files in known places, the paper's split."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tgfr_search.data.rows import IMAGE_SUFFIXES, OnProblem, Problem
from tgfr_search.data.tables import Row
from tgfr_search.errors import InputError, Reason

PEEK = 65536
"""Bytes of a file that are looked at to tell whose layout a folder has."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One image that a data set lists; whether its file is there is not known yet.

    Attributes:
        path: The image, below the data set's folder; also its row name.
        subject: Whose face it is; None where the data set does not say.
        captions: What was said of it, in the order of the file.
        metadata: Further facts, JSON values only.
        split: Which part of the data set it belongs to; None where there are no parts.
    """

    path: str
    subject: str | None
    captions: tuple[str, ...] = ()
    metadata: Row = field(default_factory=dict)
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How one data set lies in its folder.

    Attributes:
        name: Short name.
        title: Its name in the literature.
        licence: What its owners allow, in a sentence or two.
        marks: Whether a folder is meant to be this data set, complete or not: 2 by a file that no other data set
            has, 1 by files that others have too, 0 not. Looks at a few names only.
        entries: Every image that it lists, in a fixed order. What belongs to no image, or comes twice, is handed to
            the callback; a file or folder of the layout that is not there raises `InputError`.
    """

    name: str
    title: str
    licence: str
    marks: Callable[[Path], int]
    entries: Callable[[Path, OnProblem], list[Entry]]


def first_of(folder: Path, places: Iterable[str]) -> Path | None:
    """The first of the places below the folder that is there."""
    return next((path for place in places if (path := folder / place).exists()), None)


def need(folder: Path, title: str, places: Iterable[str], do: str = "") -> Path:
    """`first_of`, or the error that says what the data set lacks and where it was looked for.

    Args:
        folder: The data set.
        title: Its name, for the message.
        places: Where it may lie, the official place first; a folder ends with a slash.
        do: The next step for the user.

    Raises:
        InputError: It is in none of the places, or is a file where a folder belongs, or the reverse.
    """
    places = list(places)
    path = first_of(folder, places)
    if path is not None and path.is_dir() == places[0].endswith("/"):
        return path
    found = "not there" if path is None else f"{path.name} is a {'folder' if path.is_dir() else 'file'}"
    expected = f"{folder / places[0]}" + ("/" if places[0].endswith("/") else "")
    if others := places[1:]:
        expected += f", or below {folder}: {', '.join(others)}"
    raise InputError(f"{title} in {folder}, {Path(places[0]).name}", found=found, expected=expected, do=do)


def read_text(path: Path) -> str:
    """A text file, UTF-8 with or without byte order mark.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), found=f"not UTF-8 ({error.reason})", do="save the file as UTF-8") from error
    except OSError as error:
        raise InputError(str(path), found=str(error), expected="a readable text file") from error


def read_json(path: Path) -> Any:
    """A JSON file, or the objects of a JSONL file as a list.

    Raises:
        InputError: It is neither.
    """
    text = read_text(path)
    try:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(str(path), found=str(error), expected=f"a {path.suffix} file") from error


def mentions(path: Path | None, word: str) -> bool:
    """Whether a file is there and has the word near its beginning."""
    if path is None or not path.is_file():
        return False
    with path.open("rb") as file:
        return word.encode() in file.read(PEEK)


def fields_of(path: Path, count: int, skip: int = 0) -> list[tuple[int, list[str]]]:
    """The lines of a table without quotes, split at blanks or commas: (line number, fields); empty lines left out.

    Args:
        path: The text file.
        count: How many fields a line has at least.
        skip: Lines of header.

    Raises:
        InputError: A line has fewer fields; the message names it.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if number <= skip or not line.strip():
            continue
        fields = re.split(r"[\s,]+", line.strip())
        if len(fields) < count:
            raise InputError(f"{path}, line {number}", found=f"{line[:60]!r}", expected=f"{count} fields")
        rows.append((number, fields))
    return rows


def keyed(path: Path, rows: Iterable[tuple[int, list[str]]], on_problem: OnProblem) -> dict[str, list[str]]:
    """First field → the further ones; a key that comes twice is reported and its first line kept."""
    found: dict[str, list[str]] = {}
    for number, (key, *rest) in rows:
        if key in found:
            again = "repeats" if found[key] == rest else "contradicts"
            on_problem(Problem(key, Reason.DUPLICATE_ROW, f"{path.name}, line {number} {again} an earlier line"))
        else:
            found[key] = rest
    return found


def by_stem(folder: Path, suffixes: Iterable[str], on_problem: OnProblem) -> dict[str, str]:
    """File stem → file name, for the files of a folder with such an ending, by name.

    Two files of one stem (`7.jpg`, `7.png`) are one too many: the later one is reported.
    """
    suffixes, found = set(suffixes), dict[str, str]()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if path.stem in found:
            detail = f"{found[path.stem]} is there too: one image, one file"
            on_problem(Problem(path.name, Reason.DUPLICATE_ROW, detail))
        else:
            found[path.stem] = path.name
    return found


def images_by_stem(folder: Path, on_problem: OnProblem) -> dict[str, str]:
    """`by_stem` for images."""
    return by_stem(folder, IMAGE_SUFFIXES, on_problem)


def caption_lines_of(path: Path, on_problem: OnProblem) -> tuple[str, ...]:
    """The lines of a caption file, trimmed, empty ones left out; a file that is not UTF-8 is reported, not read."""
    try:
        return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    except InputError as error:
        on_problem(Problem(path.name, Reason.UNMATCHED_CAPTION, f"cannot be read: {error.found}"))
        return ()


def place(folder: Path, parent: Path, name: str) -> str:
    """The path of `parent / name` below the data set's folder, as records name it."""
    return (parent.relative_to(folder) / name).as_posix()


def paper_split(subjects: Iterable[str], train: int, valid: int) -> dict[str, str]:
    """Subject → `train`, `valid` or `test`: subjects in order of their number, the first ones train.

    The paper does not print its split; the numbers of subjects are those of its authors' code. The split depends on
    the subjects that a data set lists, not on the images that happen to be there.

    Args:
        subjects: Subject ids, repetitions allowed.
        train: How many subjects train.
        valid: How many of the next are for validation; the rest is the test.
    """
    ordered = sorted(set(subjects), key=lambda s: (0, int(s), s) if s.isdecimal() else (1, 0, s))
    parts = ["train"] * train + ["valid"] * valid
    return {s: parts[at] if at < len(parts) else "test" for at, s in enumerate(ordered)}
