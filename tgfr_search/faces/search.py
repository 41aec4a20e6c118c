"""Where a detector looks in a photo of any size, and its second look at what it is not sure of.

A detector with a fixed window sees faces of that size and more. So a photo is looked at reduced first, then enlarged,
and where that shows no face, once more in overlapping tiles as fine as the budget allows. What was found weakly is
looked at again, upright and turned by 180°: a face that is upside down passes now and then for another one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import cv2
import numpy as np

from tgfr_search.types import ByteArray

WINDOW = 80
"""Pixels from brow to chin of the smallest face that the detector sees in a view."""
FIRST_SIDE = 1280
"""Longer side to which a large photo is reduced for the first look."""
LAST_SIDE = 2560
"""Longer side up to which a photo without a face is enlarged as a whole."""
TILE_SIDE = 2048
"""Side of a tile of the last look, in pixels of the view."""
TILED_PIXELS = 24_000_000
"""Pixels of the view of the last look: some seconds of a core, and only where no other look showed a face."""
MOST_ENLARGED = 4.0

SURE = 1.2
"""A detection of this score needs no second look. Set on LFW: of its portraits turned by 180° none came near it."""
FAINT = 0.15
"""A detection below this score counts only where the second look finds it again."""
MARGIN = 0.2
"""How much better the turned second look must be for a face to count as upside down."""
WEAK = 0.3
"""Where no detection of a photo reaches this score, the whole photo is looked at once more, turned by 180°."""
STRONGER = 0.5
"""How much better a face of that look must be."""
CLOSE_WIDTH = 110
"""Width of the face in the second look: above the window, so that it may come out somewhat smaller."""
SAME = 0.4
"""Detections of two tiles whose overlap is this part of their union are one."""


class Box(NamedTuple):
    """One detection, in pixels of the photo; it may reach past the photo's edge."""

    left: int
    top: int
    right: int
    bottom: int
    score: float

    @property
    def area(self) -> int:
        """Square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)


class Verdict(Enum):
    """What the second look says of a detection."""

    FACE, UPSIDE_DOWN, DOUBTFUL = range(3)


Look = Callable[[ByteArray], list[Box]]
"""uint8 [H, W, 3], RGB → the faces of `WINDOW` pixels and more, in pixels of that view."""


def search(photo: ByteArray, look: Look) -> list[Box]:
    """All faces of the first look that shows any, the largest first.

    Args:
        photo: uint8 [H, W, 3], RGB.
        look: The detector.
    """
    scales = _scales(photo)
    for at, scale in enumerate(scales):
        tiled = at > 0 and scale * max(photo.shape[:2]) > LAST_SIDE
        seen = _tiles(photo, scale, scales[at - 1], look) if tiled else _whole(photo, scale, look)
        verdicts = [_second_look(photo, box, look) for box in seen]
        kept = [box for box, verdict in zip(seen, verdicts, strict=True) if verdict is Verdict.FACE]
        # Where one hangs upside down, another look would only find it once more, or what is beside it.
        if kept or Verdict.UPSIDE_DOWN in verdicts:
            turned_is_better = bool(kept) and _is_better_turned(photo, kept, look)
            return [] if turned_is_better else sorted(kept, key=lambda box: (-box.area, -box.score))
    return []


def least_side(photo: ByteArray) -> int:
    """Pixels from brow to chin of the smallest face that any look at this photo could show."""
    return round(WINDOW / _scales(photo)[-1])


def turned(photo: ByteArray, look: Look) -> int | None:
    """By how many degrees a photo without a face must be turned clockwise to show one; None where no turn helps.

    One look each, so that the hint costs little: the photo reduced as for a first look, turned by 180°, 90° and 270°.
    """
    scale = min(1.0, FIRST_SIDE / max(photo.shape[:2]))
    view = _resized(photo, scale)
    best = {
        degrees: max((box.score for box in look(_turned(view, -degrees // 90))), default=0.0)
        for degrees in (180, 90, 270)
    }
    degrees = max(best, key=lambda each: best[each])
    return degrees if best[degrees] > 0.0 else None


def _is_better_turned(photo: ByteArray, boxes: list[Box], look: Look) -> bool:
    """Whether all of these are faint, and the photo turned by 180° shows a clear face."""
    best = max(box.score for box in boxes)
    if best >= WEAK:
        return False
    view = _resized(photo, min(1.0, FIRST_SIDE / max(photo.shape[:2])))
    return max((box.score for box in look(_turned(view, 2))), default=-1.0) > best + STRONGER


def _turned(view: ByteArray, quarters: int) -> ByteArray:
    """Anticlockwise by quarters of a turn; a copy, since dlib minds strides that NumPy calls contiguous."""
    return np.rot90(view, quarters).copy()


def _scales(photo: ByteArray) -> list[float]:
    """As it is or reduced, then two, then four times as large, then as large as the budget of the tiles allows."""
    side = max(photo.shape[:2])
    first = min(1.0, FIRST_SIDE / side)
    scales = [first, *(first * more for more in (2, 4) if first * more * side <= LAST_SIDE)]
    finest = min(MOST_ENLARGED, (TILED_PIXELS / (photo.shape[0] * photo.shape[1])) ** 0.5)
    if finest > 1.2 * scales[-1] and finest * side > LAST_SIDE:
        scales.append(finest)
    return scales


def _whole(photo: ByteArray, scale: float, look: Look) -> list[Box]:
    return [_moved(box, scale, 0, 0) for box in look(_resized(photo, scale))]


def _tiles(photo: ByteArray, scale: float, before: float, look: Look) -> list[Box]:
    """The faces of overlapping tiles; a face that the look `before` could not see lies whole in one of them."""
    overlap = round(1.5 * WINDOW / before)  # in pixels of the photo; brow to chin is not the whole head
    side = max(round(TILE_SIDE / scale), 2 * overlap)
    found: list[Box] = []
    for top in _starts(photo.shape[0], side, overlap):
        for left in _starts(photo.shape[1], side, overlap):
            view = _resized(photo[top : top + side, left : left + side], scale)
            found += [_moved(box, scale, left, top) for box in look(view)]
    kept: list[Box] = []
    for box in sorted(found, key=lambda box: -box.score):
        if all(_overlap(box, other) < SAME for other in kept):
            kept.append(box)
    return kept


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles begin: evenly spread, the last one ends with the photo."""
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [round(at * (length - side) / (count - 1)) for at in range(count)]


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    shared = max(0, width) * max(0, height)
    return shared / (a.area + b.area - shared)


def _second_look(photo: ByteArray, box: Box, look: Look) -> Verdict:
    """What a detection is: a weak one is looked at again from near, upright and turned by 180°."""
    if box.score >= SURE:
        return Verdict.FACE
    width, height = box.right - box.left, box.bottom - box.top
    top, left = max(0, box.top - height), max(0, box.left - width)
    near = _resized(photo[top : box.bottom + height, left : box.right + width], CLOSE_WIDTH / width)
    upright = max((each.score for each in look(near)), default=-1.0)
    down = max((each.score for each in look(_turned(near, 2))), default=-1.0)
    if down > max(0.0, upright + MARGIN):
        return Verdict.UPSIDE_DOWN
    return Verdict.DOUBTFUL if box.score < FAINT and upright < 0 else Verdict.FACE


def _resized(photo: ByteArray, scale: float) -> ByteArray:
    if scale == 1.0:
        return np.ascontiguousarray(photo)
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(photo, size, interpolation=how), np.uint8)


def _moved(box: Box, scale: float, left: int, top: int) -> Box:
    """A detection in a view, in pixels of the photo."""

    def back(edge: int, origin: int) -> int:
        return round((edge + 0.5) / scale - 0.5) + origin

    return Box(back(box.left, left), back(box.top, top), back(box.right, left), back(box.bottom, top), box.score)
