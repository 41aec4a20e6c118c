"""Which files a folder of photos holds, what of it cannot be read, and where an image lies that a table names."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tgfr_search.data.rows import OnProblem, Problem
from tgfr_search.data.tables import TABLE_SUFFIXES
from tgfr_search.errors import InputError, Reason
from tgfr_search.names import IMAGE_SUFFIXES, canonical, canonical_path, slashes

CAPTIONS = "captions"
_NO_NAME = {errno.ENAMETOOLONG, errno.ELOOP}
"""Errors of a name that no file can have."""
_FOREIGN_TABLES = (".json", ".txt", ".xls", ".xlsx", ".ods", ".xml")

SYSTEM_FOLDERS = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@tmp",
        "__macosx",
        "found.000",
        "lost+found",
        "recycled",
        "recycler",
        "system volume information",
        "~snapshot",
    }
)
"""Folders that operating systems and network storage make by themselves, in lower case: what was deleted, snapshots,
previews. Photos in them are not the gallery's."""


@dataclass(slots=True)
class Walk:
    """What a folder holds.

    Attributes:
        files: Images below the folder, sorted.
        passed_over: Other entries, sorted: hidden ones, folders of the system, links to folders, files that are no
            image by their name.
        unread: Folders below it that could not be opened.
        notes: Files that look as if they were meant to be read, for a person.
    """

    files: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def walk(folder: Path, captions: Path | None, on_problem: OnProblem) -> Walk:
    """All images of a folder and below. A folder below it that cannot be opened is reported and passed over.

    Args:
        folder: Where to look.
        captions: Its captions table, which is not counted among what is passed over.
        on_problem: Called for each folder that cannot be opened.

    Raises:
        OSError: The folder itself cannot be opened.
    """
    found = Walk()

    def refused(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        name = Path(error.filename).relative_to(folder).as_posix()
        found.unread.append(name)
        detail = f"a folder that cannot be opened: {error.strerror or error}; nothing in it was read"
        on_problem(Problem(shown(name), Reason.IO_ERROR, detail))

    for top, folders, names in os.walk(folder, onerror=refused):
        here = Path(top)
        # A link to a folder may lead round in a circle.
        passed = {name for name in folders if is_system_folder(name) or (here / name).is_symlink()}
        folders[:] = [name for name in folders if name not in passed]
        found.passed_over += [shown((here / name).relative_to(folder).as_posix()) for name in passed]
        for path in (here / name for name in names):
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
                found.files.append(path.relative_to(folder).as_posix())
            elif path != captions:
                found.passed_over.append(shown(path.relative_to(folder).as_posix()))
                found.notes += _meant(path, folder)
    found.files.sort()
    found.passed_over.sort()
    found.notes.sort()
    return found


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name is hidden (`.Trash-1000`, `.thumbnails`) or one of `SYSTEM_FOLDERS`."""
    return name.startswith((".", "@__")) or name.lower() in SYSTEM_FOLDERS


def _meant(path: Path, folder: Path) -> list[str]:
    """What to say of a file that is passed over and is named like a captions table."""
    if path.stem.lower() != CAPTIONS:
        return []
    name = shown(path.relative_to(folder).as_posix())
    if path.suffix.lower() in _FOREIGN_TABLES:
        return [f"{name} was not read: save it as {CAPTIONS}.csv (Excel: `CSV UTF-8`) in the gallery's own folder"]
    if path.suffix.lower() in TABLE_SUFFIXES and path.parent != folder:
        return [
            f"{name} was not read: one table in the gallery's own folder, or given by --captions, describes all photos"
        ]
    return []


def captions_in(folder: Path) -> Path | None:
    """The captions table of a folder of images, its name in any case; None where there is none.

    Raises:
        InputError: There are several, or the folder cannot be opened.
    """
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise InputError(
            str(folder), found=error.strerror or str(error), expected="a folder that can be opened"
        ) from error
    endings = {suffix: at for at, suffix in enumerate(TABLE_SUFFIXES)}
    paths = [folder / name for name in names if name.lower().startswith(f"{CAPTIONS}.")]
    there = [path for path in paths if path.stem.lower() == CAPTIONS and path.suffix.lower() in endings]
    if len(there) > 1:
        there.sort(key=lambda path: (endings[path.suffix.lower()], path.name))
        raise InputError(
            str(folder), found=" and ".join(path.name for path in there), expected="one captions file", do="keep one"
        )
    return there[0] if there else None


class Places:
    r"""Finds the images that a table names below a folder, in any spelling of their names, `\` for `/` too.

    Args:
        folder: Where they lie.
        files: Which files there are; None looks on the disk.
    """

    def __init__(self, folder: Path, files: Iterable[str] | None = None) -> None:
        self._folder = folder
        self._files = None if files is None else {canonical_path(file): file for file in reversed(list(files))}
        self._listings: dict[Path, dict[str, str]] = {}
        self.turned = 0

    def find(self, path: str) -> str | None:
        """The file that a table means; None where there is none."""
        if (own := self._at(path)) is not None or "\\" not in path:
            return own
        own = self._at(slashes(path))
        self.turned += own is not None
        return own

    def notes(self, table: str) -> list[str]:
        """What is to be told of the table's paths."""
        if not self.turned:
            return []
        return [f"{table}: the paths of {self.turned} rows are written with \\ and were read with /"]

    def _at(self, path: str) -> str | None:
        if self._files is not None:
            return self._files.get(canonical_path(path))
        if os.path.lexists(self._folder / path):
            return str(PurePosixPath(path))
        here, parts = self._folder, list[str]()
        for part in PurePosixPath(path).parts:
            own = self._listing(here).get(canonical(part))
            if own is None:
                return None
            here /= own
            parts.append(own)
        return "/".join(parts) or None

    def _listing(self, folder: Path) -> dict[str, str]:
        if folder not in self._listings:
            try:
                names = sorted(path.name for path in folder.iterdir())
            except OSError:
                names = []
            self._listings[folder] = {canonical(name): name for name in reversed(names)}
        return self._listings[folder]


def no_file(name: str, path: Path) -> Problem | None:
    """Why a listed image cannot be read; None where it is a regular file."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - says why where it cannot
    except (OSError, ValueError) as error:
        # Of a share that does not answer, or a folder that may not be entered, nobody knows what is there.
        if not isinstance(error, FileNotFoundError | NotADirectoryError | ValueError) and error.errno not in _NO_NAME:
            return Problem(name, Reason.IO_ERROR, f"{shown(str(path))} cannot be opened: {error.strerror}")
        link = os.path.islink(path)  # noqa: PTH114 - Path.is_symlink raises where the name is too long
        why = f"a link that leads nowhere ({getattr(error, 'strerror', error)})" if link else "no such file"
        return Problem(name, Reason.MISSING_IMAGE, f"{why}: {shown(str(path))}")
    return None if stat.S_ISREG(mode) else Problem(name, Reason.IO_ERROR, f"{shown(str(path))} is no regular file")


def shown(name: str) -> str:
    r"""A file's name as text: one that is not UTF-8 can be opened but not stored, its bytes are shown as \xe9."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
