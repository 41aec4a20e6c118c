"""Which face of a photo is meant: by its number, by a box, or by points that somebody set by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tgfr_search.errors import FaceError, InputError, Reason
from tgfr_search.faces.align import Alignment
from tgfr_search.faces.detectors.base import Detection
from tgfr_search.faces.plausible import implausible
from tgfr_search.faces.schemes import EYES_NOSE_MOUTH, in_scheme
from tgfr_search.types import FloatArray

BOX_COLUMN, EYES_COLUMN, POINTS_COLUMN = "face_box", "face_eyes", "face_points"
"""Columns of a gallery's table: as `--box` and `--eyes`."""
BY_HAND = "give its eyes by hand: --eyes X1,Y1,X2,Y2"
AROUND = 1.1
"""Half of the side of the square that stands for the box of a face by hand, in distances between the eyes."""


@dataclass(frozen=True, slots=True)
class FaceChoice:
    """Which face is meant; exactly one of these. Coordinates are pixels of the upright photo as its file has them.

    Attributes:
        number: 1 is the first of those that are listed, the largest.
        box: (x, y, width, height) that holds it.
        points: Two (x, y), the eye centres, or five: eye centres, tip of the nose, corners of the mouth; of each pair
            the one on the image's left first.

    Raises:
        InputError: None or several are given, or a value is none that can be meant in any photo.
    """

    number: int | None = None
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("number", "box", "points") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                "the face that is meant", found=" and ".join(given) or "nothing", expected="one way to say it"
            )
        if self.number is not None and (isinstance(self.number, bool) or self.number < 1):
            raise InputError("--face", found=str(self.number), expected="1 for the first face, 2 for the next, …")
        if self.box is not None and not (all(map(math.isfinite, self.box)) and min(self.box[2:]) > 0):
            raise InputError("--box", found=_said(self.box), expected="X,Y,WIDTH,HEIGHT with an area")
        if self.points is not None:
            self._check_points(self.points)

    @staticmethod
    def _check_points(points: Sequence[Sequence[float]]) -> None:
        flat = [value for point in points for value in point]
        expected = "X1,Y1,X2,Y2, the centres of the eyes, or five such points: eyes, nose, corners of the mouth"
        if len(points) not in (2, 5) or not all(map(math.isfinite, flat)):
            raise InputError("--eyes", found=_said(flat), expected=expected)
        (x1, y1), (x2, y2) = points[:2]
        if math.hypot(x2 - x1, y2 - y1) < 1:
            raise InputError("--eyes", found=f"one place twice: {_said(flat[:4])}", expected=expected)
        if x2 < x1:
            do = "swap them; or turn the photo, where the face lies upside down in it"
            raise InputError("--eyes", found=_said(flat[:4]), expected="the eye on the image's left first", do=do)

    @classmethod
    def of(
        cls, face: int | None = None, box: Sequence[float] | str | None = None, eyes: Sequence[Any] | str | None = None
    ) -> Self | None:
        """A choice as a command or a call gives it; None where nothing is given.

        Args:
            face: Number.
            box: `X,Y,W,H`, or four numbers.
            eyes: `X1,Y1,X2,Y2` or ten numbers so, or two or five points.

        Raises:
            InputError: As the class.
        """
        if face is None and box is None and eyes is None:
            return None
        edges = None if box is None else _numbers("--box", box)
        if edges is not None and len(edges) != 4:
            raise InputError("--box", found=_said(edges), expected="X,Y,WIDTH,HEIGHT")
        flat = None if eyes is None else _numbers("--eyes", eyes)
        points = None if flat is None else tuple(zip(flat[::2], flat[1::2], strict=False))
        if flat is not None and len(flat) not in (4, 10):
            raise InputError("--eyes", found=_said(flat), expected="four numbers, or ten for five points")
        return cls(face, None if edges is None else (edges[0], edges[1], edges[2], edges[3]), points)

    @classmethod
    def of_row(cls, metadata: Mapping[str, Any]) -> Self | None:
        """What a gallery's table says of a photo, in the columns `face_box`, `face_eyes` and `face_points`.

        Raises:
            FaceError: BAD_POINTS: it is none of that.
        """
        box, eyes, points = (metadata.get(name) or None for name in (BOX_COLUMN, EYES_COLUMN, POINTS_COLUMN))
        try:
            if eyes is not None and points is not None:
                raise InputError(f"{EYES_COLUMN} and {POINTS_COLUMN}", found="both", expected="one of them")
            return cls.of(None, box, eyes if points is None else points)
        except InputError as error:
            raise FaceError(Reason.BAD_POINTS, str(error), do="correct the row of the table") from error

    def in_pixels(self, reduced: int) -> Self:
        """The same in pixels of a photo that was reduced while it was decoded."""
        if reduced == 1 or self.number is not None:
            return self
        if self.box is not None:
            x, y, width, height = (edge / reduced for edge in self.box)
            return type(self)(box=(x, y, width, height))
        assert self.points is not None
        return type(self)(points=tuple(((x + 0.5) / reduced - 0.5, (y + 0.5) / reduced - 0.5) for x, y in self.points))


def by_hand(points: Sequence[tuple[float, float]], size: tuple[int, int], alignment: Alignment) -> Detection:
    """The face whose points somebody set; of two eyes the other points are where the chip's template has them.

    Args:
        points: As `FaceChoice.points`, in pixels of the photo.
        size: (width, height) of the photo.
        alignment: The chip that is to be cut.

    Raises:
        FaceError: BAD_POINTS: one lies outside the photo, or they cannot be those of a face.
    """
    own = np.asarray(points, np.float64)
    outside = [point for point in points if not (0 <= point[0] <= size[0] - 1 and 0 <= point[1] <= size[1] - 1)]
    if outside:
        detail = f"the point {_said(outside[0])} lies outside the photo, which is {size[0]} × {size[1]}"
        raise FaceError(Reason.BAD_POINTS, detail, do="points are pixels of the photo, from its upper left corner")
    five = own if len(own) == 5 else _on_template(own, np.asarray(in_scheme(alignment, EYES_NOSE_MOUTH).points))
    middle, around = own[:2].mean(axis=0), AROUND * float(np.hypot(*(own[1] - own[0])))
    middle = middle + 0.35 * (five[3:].mean(axis=0) - middle)  # of a face's box, a little above the nose
    box = (middle[0] - around, middle[1] - around, middle[0] + around, middle[1] + around)
    found = np.asarray(five, np.float32)
    if why := implausible(found, EYES_NOSE_MOUTH, box):
        raise FaceError(
            Reason.BAD_POINTS, f"these are no points of a face: {why}", do="set them anew, or the eyes alone"
        )
    return Detection(box, found, EYES_NOSE_MOUTH, 0.0)


def nearest(faces: Sequence[Detection], box: Sequence[float]) -> int | None:
    """Which of these faces a box means: that with the largest share in it, more than half; None where none has."""
    x, y, width, height = box

    def share(face: Detection) -> float:
        left, top, right, bottom = face.box
        across = min(right, x + width) - max(left, x)
        down = min(bottom, y + height) - max(top, y)
        return max(0.0, across) * max(0.0, down) / max(face.area, 1e-9)

    shares = [share(face) for face in faces]
    best = max(range(len(faces)), key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] > 0.5 else None


def _on_template(eyes: FloatArray | Any, template: Any) -> Any:
    """The template's five points, moved, turned and enlarged so that its eyes lie on these: float [5, 2]."""
    here, there = (complex(*(pair[1] - pair[0])) for pair in (template[:2], eyes))
    factor = there / here
    moved = (template - template[0]) @ np.array([[factor.real, factor.imag], [-factor.imag, factor.real]])
    return moved + eyes[0]


def _numbers(what: str, given: Sequence[Any] | str) -> list[float]:
    parts: list[Any] = given.replace(";", ",").replace(" ", ",").split(",") if isinstance(given, str) else [*given]
    flat = [value for part in parts for value in (part if isinstance(part, list | tuple | np.ndarray) else [part])]
    try:
        return [float(value) for value in flat if value != ""]
    except (TypeError, ValueError) as error:
        raise InputError(what, found=f"{given!r:.60}", expected="numbers, separated by commas") from error


def _said(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
