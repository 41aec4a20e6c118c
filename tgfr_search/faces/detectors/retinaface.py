"""RetinaFace as a `Detector`: how often a photo is looked at, in which sizes and turns, and which boxes are faces.

A first look at no more than `FIRST_SIDE` pixels finds the faces of nearly every photo. One that is not sure is
compared with looks at the other three quarter turns (a face that hangs upside down is told by its mouth). Where none
shows a face, a small photo is looked at enlarged, a large one in tiles. A face that lies askew or was seen much reduced
is looked at once more, upright and alone, for better points. Every look is at a bounded picture, so the time a photo
takes is bounded too.

The numbers below were set on valid photographs (`benchmarks/accuracy/detection.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from tgfr_search.faces.detectors.base import Detection, DetectorSpec, roll
from tgfr_search.faces.schemes import EYES_NOSE_MOUTH
from tgfr_search.shipped import DIGEST, read_shipped
from tgfr_search.types import ByteArray, FloatArray

NAME = "retinaface"
FIRST_SIDE = 640
"""Longer side to which a larger photo is reduced for the first look."""
TILE, TILE_OVERLAP = 640, 160
"""Side of the tiles of a further look, and how much neighbours share."""
LAST_SIDE = 2560
"""Longer side at which tiles are looked at; a larger photo is reduced to it."""
ENLARGED_SIDE = 1280
"""Longer side up to which a small photo is enlarged, twofold and fourfold."""
LEAST = 0.8
"""Least score of a face in the first look or one of its quarter turns."""
CONFIDENT = 0.99
"""A first look this sure is believed. Below it the photo may lie on its side or stand on its head: the net sees an
upright face in half of all upside-down ones, up to this score."""
FURTHER = 0.95
"""Least score in the enlarged picture and in tiles, where there are many more places to be wrong in."""
MOST_ROLL = 65.0
"""Degrees: a face that is turned further is left to the look in another quarter turn."""
ASKEW = 15.0
"""Degrees from which a face is looked at once more upright."""
AGAIN = 0.5
"""Least score in that second look, which is at a face that was found already."""
FINE_WIDTH = 96
"""Width of the face in that second look; also where the first look saw it this much smaller than the photo has it."""
SIDE_FACE, SIDE_SCORE = 0.35, 0.9
"""A face less than this share as wide as the widest needs the higher score."""
Matrix = npt.NDArray[np.float64]


class RetinaFace:
    """The detector; it has no state of its own."""

    @property
    def spec(self) -> DetectorSpec:
        """What identifies it."""
        return DetectorSpec(NAME, EYES_NOSE_MOUTH, read_shipped(NAME)[1][DIGEST])

    def find(self, photo: ByteArray) -> list[Detection]:
        """All faces of a photo, the largest first.

        Args:
            photo: uint8 [H, W, 3], RGB.

        Returns:
            Faces of the first way of looking that shows any; empty where none does.
        """
        first, back = _resized(photo, min(1.0, FIRST_SIDE / max(photo.shape[:2])))
        found = _look(first, back, LEAST)
        if not found or _best(found) < CONFIDENT:
            turned = (
                _look(np.ascontiguousarray(np.rot90(first, turn)), back @ _quarter(first, turn), LEAST)
                for turn in (1, 2, 3)
            )
            found = max((found, *turned), key=_best)
        found = found or _enlarged(photo) or _tiled(photo)
        faces = _distinct([_refined(photo, face) for face in found])
        return _without_side_faces(faces) if faces else []

    def unseen(self, photo: ByteArray) -> tuple[str, int | None]:
        """See `Detector.unseen`; `find` has looked in every quarter turn already."""
        return "face", None


def _best(faces: list[Detection]) -> float:
    return max((face.score for face in faces), default=0.0)


def _look(picture: ByteArray, to_photo: Matrix, threshold: float) -> list[Detection]:
    """Faces of one picture that stand upright in it, in the photo's pixels."""
    return [_moved(face, to_photo) for face in _faces(picture, threshold) if abs(roll(face.points)) <= MOST_ROLL]


def _enlarged(photo: ByteArray) -> list[Detection]:
    side = max(photo.shape[:2])
    for magnification in (2, 4):
        if side <= FIRST_SIDE and magnification * side <= ENLARGED_SIDE:
            found = _look(*_resized(photo, magnification), FURTHER)
            if found:
                return found
    return []


def _tiled(photo: ByteArray) -> list[Detection]:
    side = max(photo.shape[:2])
    if side <= FIRST_SIDE:
        return []
    whole, back = _resized(photo, min(1.0, LAST_SIDE / side))
    found: list[Detection] = []
    for left, top in _tiles(whole.shape[1], whole.shape[0]):
        tile = np.ascontiguousarray(whole[top : top + TILE, left : left + TILE])
        found += _look(tile, back @ _shift(left, top), FURTHER)
    return found


def _tiles(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Upper left corners, so that every place lies in a tile."""

    def starts(length: int) -> list[int]:
        last = max(0, length - TILE)
        count = -(-last // (TILE - TILE_OVERLAP))
        return [round(last * k / count) for k in range(count + 1)] if count else [0]

    yield from ((left, top) for top in starts(height) for left in starts(width))


def _faces(picture: ByteArray, threshold: float) -> list[Detection]:
    # Imported here: a process that finds faces by dlib never loads torch.
    from tgfr_search.faces.detectors.retinaface_net import look

    raw = look(picture, threshold)
    return [
        Detection((float(b[0]), float(b[1]), float(b[2]), float(b[3])), points, EYES_NOSE_MOUTH, float(score))
        for b, points, score in zip(raw.boxes, raw.points, raw.scores, strict=True)
    ]


def _resized(photo: ByteArray, scale: float) -> tuple[ByteArray, Matrix]:
    if scale == 1:
        return photo, np.eye(3)
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    factor = np.array([photo.shape[1] / size[0], photo.shape[0] / size[1]])
    # The middle of the first pixel is half a pixel from the corner, in either picture.
    back = np.array([[factor[0], 0, factor[0] / 2 - 0.5], [0, factor[1], factor[1] / 2 - 0.5], [0, 0, 1]])
    return np.asarray(cv2.resize(photo, size, interpolation=how), np.uint8), back


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _quarter(picture: ByteArray, quarter: int) -> Matrix:
    """Pixels of `np.rot90(picture, quarter)` to the picture's."""
    height, width = picture.shape[:2]
    turns = {
        1: [[0, -1, width - 1], [1, 0, 0], [0, 0, 1]],
        2: [[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]],
        3: [[0, 1, 0], [-1, 0, height - 1], [0, 0, 1]],
    }
    return np.array(turns[quarter], np.float64)


def _apply(matrix: Matrix, points: npt.NDArray[np.floating]) -> FloatArray:
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2], np.float32)


def _moved(face: Detection, matrix: Matrix) -> Detection:
    """A face of one picture in the pixels of another; its box stays level."""
    left, top, right, bottom = face.box
    corners = _apply(matrix, np.array([[left, top], [right, top], [left, bottom], [right, bottom]]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return face._replace(box=box, points=_apply(matrix, face.points))


def _refined(photo: ByteArray, face: Detection) -> Detection:
    """The face looked at once more, upright and alone, where that can make its points better."""
    reduced = max(photo.shape[:2]) > FIRST_SIDE and face.width * FIRST_SIDE / max(photo.shape[:2]) < FINE_WIDTH
    angle = roll(face.points)
    if abs(angle) < ASKEW and not reduced:
        return face
    middle = face.points.astype(np.float64).mean(axis=0)
    size = max(face.width, face.box[3] - face.box[1])
    width = min(FINE_WIDTH, 2 * size)
    scale, side = size / width, 2 * round(width) + 1
    turn = np.radians(angle)
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    back = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ _shift(-(side - 1) / 2, -(side - 1) / 2)
    back[:2, 2] += middle
    patch = photo
    if scale > 2:  # a bilinear warp alone would skip pixels
        patch, reduction = _resized(photo, 2 / scale)
        to_patch = np.linalg.inv(reduction) @ back
    else:
        to_patch = back
    crop = cv2.warpAffine(patch, to_patch[:2], (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    again = [other for other in _faces(np.asarray(crop, np.uint8), AGAIN) if abs(roll(other.points)) <= MOST_ROLL]
    same = [other for other in (_moved(other, back) for other in again) if _overlap(other.box, face.box) > 0.3]
    if not same:
        return face
    best = max(same, key=lambda other: other.score)
    return best._replace(box=face.box, score=max(face.score, best.score))


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return both / max(1e-9, sum(areas) - both)


def _distinct(faces: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(face.box, other.box) <= 0.4 for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: (-face.area, -face.score))


def _without_side_faces(faces: list[Detection]) -> list[Detection]:
    """Leaves out what is small beside the widest face and not sure: strangers behind, and patterns."""
    widest = max(face.width for face in faces)
    return [face for face in faces if face.width >= SIDE_FACE * widest or face.score >= SIDE_SCORE]
