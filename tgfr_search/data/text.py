"""Text files of strangers → text: which encoding, and where it is broken."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path

from tgfr_search.errors import InputError

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins like UTF-16, so it is looked for first
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_SAVE = "save the file as UTF-8 (Excel: `CSV UTF-8`)"


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file and its encoding: that of its byte order mark, UTF-8 without one.

    Raises:
        InputError: It cannot be opened, is no regular file, is not in that encoding, or holds a NUL; line and column
            are told.
    """
    data = read_data(path)
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    encoding = _MARKS.get(mark, "utf-8")
    body = data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(encoding)
        byte = f"the byte 0x{body[error.start]:02x}"
        name = encoding.removesuffix("-le").removesuffix("-be").upper()
        found = f"{byte}, not {name} ({error.reason})"
        raise InputError(f"{path}, {position(before, len(before))}", found=found, do=_SAVE) from error
    if (at := text.find("\0")) >= 0:
        found = "a NUL character" + ("" if mark else ", as in a damaged file, or UTF-16 without its mark")
        raise InputError(f"{path}, {position(text, at)}", found=found, expected="text", do=_SAVE)
    return text, encoding


def read_data(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        InputError: It cannot be opened, or is a folder, a pipe or a socket: opening a pipe would wait for ever.
    """
    try:
        need_regular(path)
        return path.read_bytes()
    except OSError as error:
        found = error.strerror or str(error)
        raise InputError(str(path), found=found, expected="a file that can be read") from error


def need_regular(path: Path) -> None:
    """Check that a path is a regular file, or a link to one.

    Raises:
        InputError: It is something else.
        OSError: It cannot be looked at.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116 - follows links, and says why where it cannot
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        found = kinds.get(stat.S_IFMT(mode), "no regular file")
        raise InputError(str(path), found=found, expected="a file that can be read")


def line_of(text: str, at: int, start: int = 0) -> int:
    r"""How many line ends (`\n`, `\r\n`, `\r`) lie between two places of a text."""
    return text.count("\n", start, at) + text.count("\r", start, at) - text.count("\r\n", start, at)


def position(text: str, at: int) -> str:
    """A place of a text for a person: `line 3, column 7`, both from 1."""
    begin = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    return f"line {line_of(text, at) + 1}, column {at - begin + 1}"
