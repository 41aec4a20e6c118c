"""Pictures as a browser gets them: decoded and encoded anew, so that nothing but pixels leaves."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from PIL import Image

from pipelines.search.gallery import Gallery
from tgfr_search.errors import FaceError
from tgfr_search.faces.align import Alignment, align, similarity
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.schemes import eyes_in_chip, in_scheme
from tgfr_search.types import ByteArray, FloatArray, SeenFace

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


@dataclass(frozen=True)
class Placed:
    """Where a face lies in its photo, as the photo was received.

    Attributes:
        width: Of the upright photo in pixels.
        height: Of it.
        points: float32 [5, 2], centres of pixels of it.
        chip: The chip of the searched gallery, by such points.
    """

    width: int
    height: int
    points: FloatArray
    chip: Alignment

    def transform(self) -> tuple[float, ...]:
        """The similarity that lays the photo where its face lies as candidates' faces lie in their pictures.

        Returns:
            a, b, c, d, x, y for a photo that is as wide as the pane, as CSS has it: `matrix(a, b, c, d, 0, 0)`, then
            moved by parts x of its width and y of its height.
        """
        used = list(self.chip.used)
        found = similarity(self.points[used] + 0.5, self.chip.points[used] + 0.5) / self.chip.size
        (a, c, x), (b, d, y) = found
        width, tall = self.width, self.width / self.height
        return tuple(float(each) for each in (a * width, b * width, c * width, d * width, x, y * tall))


@dataclass(frozen=True)
class Eyes:
    """Where the centres of the eyes lie in the pictures of faces, in parts of their side.

    Attributes:
        left: x, y of the one on the image's left.
        right: Of the other.
    """

    left: tuple[float, float]
    right: tuple[float, float]

    def __str__(self) -> str:
        return " ".join(f"{each:.6g}" for each in (*self.left, *self.right))

    def place(self, point: Sequence[float]) -> tuple[float, float]:
        """Where a place in FACE coordinates (`pipelines.casework.review.marks`) lies in such a picture."""
        left, right = complex(*self.left), complex(*self.right)
        found = (left + right) / 2 + complex(*point) * (right - left)
        return found.real, found.imag


def eyes_of(gallery: Gallery) -> Eyes:
    """Where the eyes lie in the pictures of a gallery's faces, and in the probe's as it is shown beside them."""
    (a, b), (c, d) = eyes_in_chip(gallery.finder.options.alignment)
    return Eyes((a, b), (c, d))


class Places:
    """Where the faces of probes lie, found once: a page and its pictures ask for the same. No pixel is kept."""

    def __init__(self, most: int = 256) -> None:
        self._kept, self._most, self._lock = dict[Hashable, Placed | None](), most, Lock()

    def of(self, key: Hashable, find: Callable[[], Placed | None]) -> Placed | None:
        """The place under a key; found now where nobody asked before."""
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        place = find()
        with self._lock:
            if len(self._kept) >= self._most:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = place
        return place


def photo_jpeg(finder: FaceFinder, data: bytes, *, whole: bool = False) -> bytes:
    """A photo as JPEG, no larger than a screen needs.

    Args:
        finder: Decodes it.
        data: The photo.
        whole: With every pixel that was received.

    Raises:
        FaceError: It cannot be decoded.
    """
    picture = Image.fromarray(finder.load(data).pixels)
    if not whole:
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


def placed(gallery: Gallery, data: bytes, choice: FaceChoice | None = None) -> Placed | None:
    """Where the face of a probe lies; None where there is no usable one, or it is a chip already.

    Args:
        gallery: Which is searched.
        data: The photo.
        choice: Which face is meant; None is the largest.
    """
    try:
        photo = gallery.finder.load(data)
        face = gallery.finder.cut(photo, choice)
    except FaceError:
        return None
    if face.box is None:
        return None
    height, width = (side * photo.reduced for side in photo.pixels.shape[:2])
    return Placed(width, height, face.landmarks, in_scheme(gallery.finder.options.alignment, face.scheme))


def probe_chip(finder: FaceFinder, data: bytes, place: Placed) -> bytes:
    """The probe's face as JPEG, where it lies in its picture as candidates' faces lie in theirs, only finer.

    Args:
        finder: Decodes it.
        data: The photo.
        place: Of its face.

    Raises:
        FaceError: It cannot be decoded.
    """
    photo = finder.load(data)
    points = (place.points + 0.5) / np.float32(photo.reduced) - np.float32(0.5)
    pixels: ByteArray = align(photo.pixels, points, _finer(place.chip))
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
