"""One form for every name that identifies: subjects, images, columns. Two spellings of one name are one name.

Names come from file systems (macOS writes é as two characters), from tables and from keyboards. Wherever one comes in
it is brought into this form, and names are compared in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

IMAGE_COLUMNS, SUBJECT_COLUMNS, CAPTION_COLUMNS = ("image", "path"), ("subject_id", "identity"), ("caption", "captions")
COLUMNS = frozenset({*IMAGE_COLUMNS, *SUBJECT_COLUMNS, *CAPTION_COLUMNS, "file", "split"})
"""The columns of a table that mean something; every other one is metadata."""

_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".jpf", ".jpx"}
IMAGE_SUFFIXES = frozenset(_JPEG | {".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif"})
"""What a folder is searched for. Photos that do not decode are among them, to be reported rather than passed over."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Zero-width blanks, byte order marks and marks of direction; the joiners of Persian and Indic words stay.
_UNSEEN = re.compile(r"[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")


def canonical(name: str) -> str:
    """A name as it is stored and compared: Unicode NFC, no control or invisible characters, no blanks at its ends."""
    if name.isascii() and name.isprintable():
        return name.strip()
    return _UNSEEN.sub("", _CONTROL.sub(" ", unicodedata.normalize("NFC", name))).strip()


def canonical_path(path: str) -> str:
    """A relative path in the form of `canonical`, each of its parts, separated by `/`, without `./`; may be empty."""
    parts = [own for part in PurePosixPath(path).parts if (own := canonical(part))]
    return str(PurePosixPath(*parts)) if parts else ""


def windows_path(path: str) -> bool:
    r"""Whether a path can only be one of Windows: `C:\photos\a.jpg`."""
    return re.match(r"[A-Za-z]:[\\/]", path) is not None


def slashes(path: str) -> str:
    r"""A path with `/` where Windows writes `\`. A file's own name may hold a `\` elsewhere: ask for that one first."""
    return path.replace("\\", "/")


def column_name(name: str) -> str:
    """A column's name in the form of `canonical`; those of `COLUMNS` are known in any case, `Subject ID` too."""
    own = canonical(name)
    known = re.sub(r"[\s-]+", "_", own.lower())
    return known if known in COLUMNS else own


def same_names(name: str, stored: Iterable[str]) -> list[str]:
    """Those of the stored names that are this name, in any spelling: older indexes have such as are not canonical.

    Returns:
        Distinct names as they are stored, the one that is written exactly so first, the others in order.
    """
    own = canonical(name)
    found = {one for one in stored if one == name or canonical(one) == own}
    return sorted(found, key=lambda one: (one != name, one))
