"""Files that are written for a person: checked before the work, written whole or not at all, never over another's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tgfr_search.errors import InputError, TgfrError
from tgfr_search.files import replacing

MARK = "tgfr-search"
"""In what we write, so that it is known again: HTML has it as generator, PNG and JPEG as a comment near the start, PDF
as author."""
GENERATOR = f'<meta name="generator" content="{MARK}">'
SOFTWARE = "Software"
"""The key of a PNG's text that holds the mark."""
_MARKS = (
    GENERATOR.encode(),
    f"tEXt{SOFTWARE}\0{MARK}".encode(),
    b"\xff\xfe" + (len(MARK) + 2).to_bytes(2, "big") + MARK.encode(),  # a JPEG's comment segment
)
"""The mark as each kind of file holds it: a page that only speaks of the program is somebody else's."""
LOOKED_AT = 4096
PDF, AUTHOR = b"%PDF-", f"/Author({MARK})".encode()
"""Who made a PDF is told anywhere in it."""


class WriteError(TgfrError):
    """The system refused to write an output."""


def check_file(
    path: Path,
    *,
    endings: Sequence[str] = (),
    inputs: Sequence[Path] = (),
    outside: Sequence[Path] = (),
    force: bool = False,
) -> None:
    """Refuses a file that could not, or must not, be written.

    Args:
        path: To be written.
        endings: Those that it may have, lower case.
        inputs: Files that it must not be.
        outside: Folders that it must not be in, an index for instance.
        force: Also over a file that is not known as an earlier output.

    Raises:
        InputError: Says what is in the way.
    """
    if endings and path.suffix.lower() not in endings:
        raise InputError(str(path), found=f"ending {path.suffix!r}", expected=" or ".join(endings))
    if path.is_dir():
        raise InputError(str(path), found="a folder", expected="a file to write", do=f"{path / 'NAME'}{path.suffix}")
    _check_place(path, inputs, outside)
    if path.exists() and not force and not is_ours(path):
        do = "give another name, or --force to overwrite it"
        raise InputError(str(path), found="a file that tgfr-search did not write", expected="a new file", do=do)


def check_folder(
    path: Path, *, inputs: Sequence[Path] = (), outside: Sequence[Path] = (), known_by: Sequence[str] = ()
) -> None:
    """Refuses a folder that could not, or must not, be written to.

    Args:
        path: To be made, or an earlier output to go on with.
        inputs: Files and folders that it must not be.
        outside: Folders that it must not be in.
        known_by: Names, one of which an earlier output has; empty where any folder will do.

    Raises:
        InputError: Says what is in the way.
    """
    if path.exists() and not path.is_dir():
        raise InputError(str(path), found="a file", expected="a folder to write")
    _check_place(path, inputs, outside)
    if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
        raise InputError(str(path), found="a folder without permission to write", expected="a folder to write")
    names = sorted(entry.name for entry in path.iterdir()) if known_by and path.is_dir() else []
    if names and not set(known_by) & set(names):
        found = f"a folder with {', '.join(names[:5])}" + (", …" if len(names) > 5 else "")
        raise InputError(str(path), found=found, expected="a new or empty folder, or an earlier output")


def is_ours(path: Path) -> bool:
    """Whether a file was written by this program, judged by its mark."""
    try:
        with path.open("rb") as file:
            head = file.read(LOOKED_AT)
            if head.startswith(PDF):
                return AUTHOR in head + file.read()
            return any(mark in head for mark in _MARKS)
    except OSError:
        return False


def marked_jpeg(data: bytes) -> bytes:
    """A JPEG with the mark as its comment; its pixels stay as they are coded."""
    return data[:2] + _MARKS[2] + data[2:]


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file under another name, then renames it; folders above are made.

    Raises:
        WriteError: The system refused; what was there is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        found = os.strerror(error.errno) if error.errno else str(error)
        raise WriteError(str(path), found=found, expected="a place that can be written") from error


def _check_place(path: Path, inputs: Sequence[Path], outside: Sequence[Path]) -> None:
    place = path.resolve()
    for source in inputs:
        if source.resolve() == place or (path.exists() and source.exists() and path.samefile(source)):
            raise InputError(str(path), found="an input of this command", expected="another place to write")
    for folder in outside:
        if place.is_relative_to(folder.resolve()):
            raise InputError(str(path), found=f"a path in {folder}", expected="a place outside it")
    above = place.parent
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise InputError(str(path), found=f"{above}, which is a file", expected="a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(str(path), found=f"no permission to write in {above}", expected="a place that can be written")
