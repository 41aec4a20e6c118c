"""Whose photo it is, by the folders it lies in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tgfr_search.data.files import shown
from tgfr_search.errors import InputError
from tgfr_search.names import canonical

_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "gallery", "enrol"}
_PARTS |= {"enroll", "probe", "probes", "query", "queries", "images", "faces", "photos", "pictures", "data", "dataset"}
NAMED = 5
"""Names that a message shows."""


def subject_at(file: str, level: int) -> str | None:
    """The name of the folder at a level above a photo, 1 the first; None where it lies less deep.

    A photo that lies in no folder at all is, at level 1, its own subject: the name without its ending.
    """
    path = PurePosixPath(file)
    if len(path.parts) == 1 and level == 1:
        return canonical(path.stem) or None
    return canonical(path.parts[level - 1]) or None if len(path.parts) > level else None


def need_people(folder: Path, files: Iterable[str], level: int | None) -> None:
    """Refuse a tree whose first folders are parts of a data set, and the people's folders lie in them.

    Args:
        folder: The gallery.
        files: Photos whose subject nothing but their folder tells.
        level: What the user has said; None is nothing.

    Raises:
        InputError: The subjects would be `train` and `test`; or the level is no level.
    """
    if level is not None:
        if level < 1:
            raise InputError("--subject-level", found=str(level), expected="1 for the first folder, 2 for the next, …")
        return
    paths = [PurePosixPath(file) for file in files]
    tops = sorted({path.parts[0] for path in paths})
    people = {path.parts[1] for path in paths if len(path.parts) > 2}
    if not people or any(canonical(top).lower() not in _PARTS for top in tops):
        return
    inner = ", ".join(shown(name) for name in sorted(people)[:NAMED])
    found = f"the folders {', '.join(map(shown, tops))}, and folders in them: {inner}"
    raise InputError(
        str(folder),
        found=f"{found}{', …' if len(people) > NAMED else ''}",
        expected="a folder a subject, with the subject's photos in it",
        do="add `--subject-level 2` where the inner folders are named after subjects, `--subject-level 1` where the "
        "outer ones are; or name one of the outer folders alone",
    )


def spellings(files: Iterable[str], level: int) -> list[str]:
    """What is to be told of folders that are several spellings of one subject."""
    written = defaultdict[str, set[str]](set)
    for file in files:
        path = PurePosixPath(file)
        if len(path.parts) > level:
            written[canonical(shown(path.parts[level - 1]))].add(shown(path.parts[level - 1]))
    return [
        f"the folders {' and '.join(map(repr, sorted(own)))} are one subject, {name!r}"
        for name, own in sorted(written.items())
        if len(own) > 1
    ]
