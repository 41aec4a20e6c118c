"""The grammar of CSV, read strictly: a quote that is not where a quote belongs is an error with its line and column.

`csv` of the standard library takes a stray quote as a character and tells no place. A reader that guesses gives a
person somebody else's words. Here every quote opens a field, closes one, or stands doubled within one; so a table from
which one quote was lost, or in which one is too many, has an odd number of them and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tgfr_search.data.columns import Row, Table, known_columns
from tgfr_search.data.text import line_of, position, read_text
from tgfr_search.errors import InputError
from tgfr_search.names import COLUMNS, IMAGE_COLUMNS, IMAGE_SUFFIXES, column_name

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

_QUOTED = re.compile(r' *"([^"]*+(?:""[^"]*+)*+)" *')
_FIELDS = {
    d: re.compile(rf'(?: *"(?P<quoted>[^"]*+(?:""[^"]*+)*+)" *|(?P<plain>[^"{d}\r\n]*))(?P<end>{d}|\r\n|\n|\r|\Z)')
    for d in DELIMITERS
}
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])(?:\r\n|\n|\r)", re.IGNORECASE)
_DOUBLE = 'within a quoted field a quote is written twice: "the ""boss"" man"'


def read_csv(path: Path) -> Table:
    """A table of fields separated by commas, semicolons or tabs; its values stay text, an empty field is null.

    Raises:
        InputError: It is not one; the message tells line and column.
    """
    text, encoding = read_text(path)
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    delimiter, start = delimiter_of(text, usual)
    notes = [] if encoding == "utf-8" else [f"{path.name}: its encoding was read as {encoding.upper()}"]
    if delimiter != usual:
        notes.append(f"{path.name}: its fields were read as separated by {DELIMITERS[delimiter]}")
    lines = read_rows(path, text, delimiter, start)
    line, head = next(lines, (1, []))
    columns, changed = known_columns(path, head, f", line {line}")
    if nameless := [str(at) for at, name in enumerate(columns, 1) if not name]:
        notes.append(f"{path.name}: what has no name in line {line} was left out: column {', '.join(nameless)}")
    image = next((columns.index(name) for name in IMAGE_COLUMNS if name in columns), None)
    rows, numbers = list[Row](), list[int]()
    for line, fields in lines:
        if len(fields) != len(columns):
            raise _miscounted(path, line, fields, len(columns), delimiter)
        if any("\n" in field or "\r" in field for field in fields):
            _refuse_swallowed(path, line, fields, image, delimiter)
        rows.append({name: value or None for name, value in zip(columns, fields, strict=True) if name})
        numbers.append(line)
    return Table([name for name in columns if name], rows, numbers, notes=(*notes, *changed))


def _miscounted(path: Path, line: int, fields: list[str], expected: int, delimiter: str) -> InputError:
    # An unquoted comma in a caption would cut the caption short, a missing field shift the ones behind it.
    if len(fields) > expected:
        do = {",": 'quote captions that contain a comma: "a man, with a beard"'}.get(
            delimiter, f"quote fields that contain what separates them ({DELIMITERS[delimiter]})"
        )
    else:
        do = "write every field, an empty one too"
    more = "more" if len(fields) > expected else "fewer"
    found = f"{more} than {expected} fields: {len(fields)}"
    return InputError(f"{path}, line {line}", found=found, expected=f"the {expected} of its first line", do=do)


def _refuse_swallowed(path: Path, line: int, fields: list[str], image: int | None, delimiter: str) -> None:
    """A field of several lines, one of which is a row of the table: two quotes are missing, and an even number is."""
    for field in fields:
        for inner in field.splitlines()[1:]:
            parts = inner.split(delimiter)
            if image is None or len(parts) <= max(image, 1):
                continue
            if PurePosixPath(parts[image].strip(' "')).suffix.lower() in IMAGE_SUFFIXES:
                raise InputError(
                    f"{path}, line {line}",
                    found=f"a field that goes on over {inner[:60]!r}, which looks like a row of its own",
                    do="close the quote at the end of the field's own line",
                )


def delimiter_of(text: str, preferred: str) -> tuple[str, int]:
    """What separates the fields, told by Excel's line `sep=;` or by the names of the columns; where the table begins.

    Args:
        text: The whole table.
        preferred: What separates them where several would do.
    """
    if told := _SEPARATOR_LINE.match(text):
        return told[1], told.end()
    head = text.lstrip("\r\n").split("\n", 1)[0].split("\r", 1)[0]

    def likelihood(delimiter: str) -> tuple[int, int, bool]:
        names = [column_name(name.strip().strip('"')) for name in head.split(delimiter)]
        return sum(name in COLUMNS for name in names), len(names), delimiter == preferred

    return max(DELIMITERS, key=likelihood), 0


def read_rows(path: Path, text: str, delimiter: str, start: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Each row's line (from 1) and fields; lines without anything are passed over.

    Args:
        path: For messages.
        text: The whole table.
        delimiter: One of `DELIMITERS`.
        start: Where to begin.

    Raises:
        InputError: A quote is never closed, or stands where none may.
    """
    pattern, at, line = _FIELDS[delimiter], start, 1 + line_of(text, start)
    while at < len(text):
        begin, fields, quoted = at, list[str](), False
        while True:
            match = pattern.match(text, at)
            if match is None:
                raise _misplaced(path, text, at, delimiter)
            field = match["quoted"]
            quoted = quoted or field is not None
            fields.append(match["plain"] if field is None else field.replace('""', '"'))
            at = match.end()
            if match["end"] != delimiter:
                break
        if quoted or len(fields) > 1 or fields[0].strip():
            yield line, fields
        line += line_of(text, at, begin)


def _misplaced(path: Path, text: str, at: int, delimiter: str) -> InputError:
    """What is wrong with the field that begins at a place and does not read."""
    whole = _QUOTED.match(text, at)
    if whole is not None:
        after = text[whole.end() : whole.end() + 20].splitlines()[0]
        found = f"{after!r} after the closing quote of {_shown(whole[1])}"
        if "\n" in whole[1] or "\r" in whole[1]:
            found += f", which would end in {position(text, whole.end())}"
            return InputError(f"{path}, {position(text, at)}", found=found, do=f"close the quote; {_DOUBLE}")
        return InputError(f"{path}, {position(text, whole.end())}", found=found, do=_DOUBLE)
    if text[at:].lstrip(" ").startswith('"'):
        found = f"a quote that is never closed: {_shown(text[at : at + 60])}"
        return InputError(f"{path}, {position(text, at)}", found=found, do=f"close the quote; {_DOUBLE}")
    quote = text.index('"', at)
    return InputError(
        f"{path}, {position(text, quote)}",
        found=f"a quote within a field that does not begin with one: {_shown(text[at : quote + 20])}",
        expected=f"fields separated by {DELIMITERS[delimiter]}",
        do=f"quote the whole field; {_DOUBLE}",
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
