"""Pictures as a browser gets them: decoded and encoded anew, so that nothing but pixels leaves."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pipelines.search.gallery import Gallery
from tgfr_search.errors import FaceError
from tgfr_search.faces.align import Alignment, align
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.schemes import in_scheme
from tgfr_search.types import ByteArray, SeenFace

LONGEST_SIDE = 1600
FINER = 4
"""Pixels of the probe's picture along a side of one of the chip that is encoded: there is more in a good photo."""


@dataclass(frozen=True)
class FaceSeen:
    """The faces of a photo, one of which is searched with.

    Attributes:
        width: Of the photo in pixels.
        height: Of it.
        faces: All that were seen, the largest first: as `--face` numbers them.
        why: Reason code where there is none.
    """

    width: int
    height: int
    faces: tuple[SeenFace, ...] = ()
    why: str = ""


def photo_jpeg(finder: FaceFinder, data: bytes) -> bytes:
    """A photo as JPEG, no larger than a screen needs.

    Raises:
        FaceError: It cannot be decoded.
    """
    picture = Image.fromarray(finder.load(data).pixels)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return _jpeg(picture)


def face_seen(finder: FaceFinder, data: bytes) -> FaceSeen | None:
    """Where the face of a photo is; None of what is no photo."""
    try:
        photo = finder.load(data)
    except FaceError:
        return None
    height, width = (side * photo.reduced for side in photo.pixels.shape[:2])
    try:
        face = finder.cut(photo)
    except FaceError as error:
        return FaceSeen(width, height, why=error.reason.value)
    return FaceSeen(width, height, face.seen)


def probe_chip(gallery: Gallery, data: bytes, choice: FaceChoice | None = None) -> bytes:
    """The probe's face as JPEG, where it lies in its picture as candidates' faces lie in theirs, only finer.

    Args:
        gallery: Which is searched.
        data: The photo.
        choice: Which face is meant; None is the largest.

    Raises:
        FaceError: The photo gives no usable face.
    """
    photo = gallery.finder.load(data)
    face = gallery.finder.cut(photo, choice)
    if face.box is None:
        return _jpeg(Image.fromarray(face.pixels))
    points = (face.landmarks + 0.5) / np.float32(photo.reduced) - np.float32(0.5)
    fine = _finer(in_scheme(gallery.finder.options.alignment, face.scheme))
    pixels: ByteArray = align(photo.pixels, points, fine)
    return _jpeg(Image.fromarray(pixels))


def row_chip(gallery: Gallery, row: int) -> bytes | None:
    """A gallery row's face as JPEG, encoded anew; None where the index keeps none."""
    chip = gallery.store.rows([row])[0].chip
    return None if chip is None else _jpeg(Image.open(io.BytesIO(chip)).convert("RGB"))


def _finer(alignment: Alignment) -> Alignment:
    template = tuple(((x + 0.5) * FINER - 0.5, (y + 0.5) * FINER - 0.5) for x, y in alignment.template)
    return replace(alignment, size=alignment.size * FINER, template=template)


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
