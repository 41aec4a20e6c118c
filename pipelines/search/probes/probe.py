"""What is searched with, checked at the door: a photo in any form that is plainly meant, and lines of a description."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image as Pillow

from tgfr_search.errors import FaceError, InputError, Reason
from tgfr_search.faces.decode import upright_pixels
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.photo import Photo
from tgfr_search.model.probe import resolve_mode
from tgfr_search.types import AlignedFace, ByteArray
from tgfr_search.visible import says_something
from tgfr_search.words.english import language


class Readable(Protocol):
    """A file opened in binary mode, or `io.BytesIO`."""

    def read(self) -> bytes:
        """All of its bytes."""


Image = str | Path | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Pillow.Image | ByteArray
"""A path, the encoded bytes of a photo or an open file of them, a Pillow image, or pixels (uint8 [H, W, 3], RGB)."""

Caption = str | Sequence[str] | None

FORMS = "a path, bytes, a file opened as 'rb', a Pillow image, or uint8 [H, W, 3] RGB pixels"


def said_lines(caption: Caption) -> tuple[str, ...]:
    """The lines of a description that say something: at least a letter or a digit that can be seen.

    Raises:
        InputError: It is neither text nor several texts.
    """
    lines = (caption,) if caption is None or isinstance(caption, str) else caption
    if not isinstance(lines, Iterable) or isinstance(lines, bytes | bytearray | memoryview | dict):
        raise InputError("caption", found=_kind(caption), expected="a text, or a list of texts")
    found = list(lines)
    for line in found:
        if not (line is None or isinstance(line, str)):
            raise InputError("caption", found=f"a line that is {_kind(line)}", expected="a text, or a list of texts")
    said = (line.strip() for line in found if line and says_something(line))
    # Bytes of a command line that are not UTF-8, or half an emoji: no tokenizer and no page takes them.
    return tuple(line.encode("utf-8", "replace").decode() for line in said)


def require_english(lines: Sequence[str]) -> None:
    """Refuses a description in another language: its words would be read as English and rank anybody.

    Raises:
        InputError: It is in another language.
    """
    found = language(lines)
    if not found.english:
        raise InputError(
            "caption",
            found=f"words that look like {found.guess}",
            expected="a description in English",
            do="translate it into plain English, or search with the photo alone (--mode image)",
        )


def search_mode(mode: str, image: Image | None, caption: Caption, lines: tuple[str, ...]) -> str:
    """What is searched with.

    Raises:
        InputError: There is nothing to search with, or not what the mode asks for.
    """
    resolved = resolve_mode(mode, image is not None, bool(lines))
    if resolved:
        return resolved
    found = "neither an image nor a description" if image is None and not lines else f"no {mode}"
    if caption and not lines and any(caption):
        found += ": the description has no letter or digit that can be seen"
    raise InputError("query", found=found, expected="a probe image, --caption, or both, as --mode asks")


def probe_face(finder: FaceFinder, image: Image | None) -> AlignedFace:
    """The face of a probe in any form.

    Raises:
        FaceError: It gives no usable face.
        InputError: There is no image, or it is in no form that is known.
    """
    if image is None:
        raise InputError("probe", found="no image", expected="the image that was searched with")
    return finder.cut(load_probe(finder, image))


def mode_of_pictures(mode: str, image: Image, lines: tuple[str, ...], what: str) -> str:
    """How several pictures of one person are searched with: `image` or `fused`.

    Args:
        mode: As it was asked.
        image: One of them.
        lines: Of the description.
        what: They are, for the error.

    Raises:
        InputError: Words alone are asked for, or they cannot be used.
    """
    used = search_mode(mode, image, lines, lines)
    if used == "caption":
        raise InputError("mode", found=f"caption, and {what}", expected="auto, image or fused")
    if used == "fused":
        require_english(lines)
    return used


def load_probe(finder: FaceFinder, image: Image) -> Photo:
    """The decoded photo of a probe in any form.

    Raises:
        FaceError: It cannot be read or decoded.
        InputError: It is in no form that is known.
    """
    if isinstance(image, np.ndarray):
        return _photo(finder, _checked(image))
    if isinstance(image, Pillow.Image):
        return _photo(finder, upright_pixels(image))
    if isinstance(image, str | os.PathLike):
        return finder.load(os.fspath(image))
    if isinstance(image, bytes | bytearray | memoryview):
        return finder.load(bytes(image))
    if callable(getattr(image, "read", None)):
        return finder.load(_content(image))
    do = "query_many([(image, caption), …]) for several" if isinstance(image, list | tuple) else ""
    raise InputError("probe", found=_kind(image), expected=FORMS, do=do)


def _content(file: Any) -> bytes:
    if callable(getattr(file, "seekable", None)) and file.seekable():
        file.seek(0)
    data = file.read()
    if not isinstance(data, bytes):
        raise InputError("probe", found="a file opened as text", expected=FORMS, do="open(path, 'rb')")
    return data


def _checked(pixels: np.ndarray[Any, Any]) -> ByteArray:
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size:
        return pixels
    do = ""
    if not pixels.size:
        do = "give a picture that has pixels"
    elif np.issubdtype(pixels.dtype, np.floating):
        do = "(255 * pixels).round().astype('uint8') where they are from 0 to 1"
    elif pixels.ndim == 3 and pixels.shape[2] == 4:
        do = "Image.fromarray(pixels), which knows what transparency is"
    elif pixels.ndim == 2:
        do = "numpy.stack([pixels] * 3, axis=2)"
    raise InputError("probe pixels", found=f"{pixels.dtype} {pixels.shape}", expected="uint8 [H, W, 3], RGB", do=do)


def _photo(finder: FaceFinder, pixels: ByteArray) -> Photo:
    limit = finder.options.max_pixels
    if (count := pixels.shape[0] * pixels.shape[1]) > limit:
        raise FaceError(Reason.TOO_MANY_PIXELS, f"{count:,} pixels, the limit is {limit:,}")
    return Photo(pixels, hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest())


def _kind(value: object) -> str:
    size = f" of {len(value)}" if isinstance(value, list | tuple | dict | set | bytes | bytearray) else ""
    return f"{type(value).__name__}{size}"
