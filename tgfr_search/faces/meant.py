"""The faces of a photo, and which of them is meant."""

from __future__ import annotations

import numpy as np

from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.align import Alignment
from tgfr_search.faces.choice import BY_HAND, FaceChoice, by_hand, nearest
from tgfr_search.faces.detectors.base import Detection, Detector
from tgfr_search.faces.photo import Photo
from tgfr_search.faces.plausible import implausible

WHOLE_FILE = "get the whole file"
NEXT_STEP = f"turn the photo upright, crop it to the face, {BY_HAND}, or give an aligned crop with --aligned"


def faces_of(photo: Photo, detector: Detector) -> list[Detection]:
    """The faces of a photo, the largest first.

    Raises:
        FaceError: NO_FACE, or TRUNCATED where none is whole.
    """
    found = detector.find(photo.pixels)
    wrong = [implausible(face.points, face.scheme, face.box) for face in found]
    faces = [face for face, why in zip(found, wrong, strict=True) if not why]
    if not faces and photo.there is not None:
        detail = f"the file is cut off, no face in what is there of {photo.size}"
        raise FaceError(Reason.TRUNCATED, detail, do=WHOLE_FILE)
    if found and not faces:
        raise FaceError(Reason.NO_FACE, f"what was taken for a face is none: {wrong[0]}", do=NEXT_STEP)
    if faces and not (faces := [face for face in faces if photo.holds(face.box)]):
        raise FaceError(Reason.TRUNCATED, f"the file is cut off within the face, in {photo.size}", do=WHOLE_FILE)
    if not faces:
        wanted, turn = detector.unseen(photo.pixels)
        detail = f"no {wanted} found in {photo.size}"
        if turn is None:
            raise FaceError(Reason.NO_FACE, detail, do=NEXT_STEP)
        detail += f"; one shows when the photo is turned by {turn}°"
        raise FaceError(Reason.NO_FACE, detail, do=f"turn the photo clockwise by {turn}°, then try again")
    return faces


def chosen_face(
    photo: Photo, detector: Detector, choice: FaceChoice, alignment: Alignment
) -> tuple[list[Detection], int]:
    """The faces of a photo, and the place of the one that is meant.

    Args:
        photo: Decoded.
        detector: What finds faces; not asked where the points are given.
        choice: Which is meant.
        alignment: The chip that is to be cut.

    Raises:
        FaceError: NO_SUCH_FACE, BAD_POINTS, or as `faces_of`.
    """
    wanted = choice.in_pixels(photo.reduced)
    if wanted.points is not None:
        return [by_hand(wanted.points, (photo.pixels.shape[1], photo.pixels.shape[0]), alignment)], 0
    if wanted.box is not None:
        return _in_box(photo, detector, wanted.box, "the box " + ",".join(f"{edge:g}" for edge in choice.box or ()))
    assert wanted.number is not None
    faces = faces_of(photo, detector)
    if wanted.number > len(faces):
        do = f"--face 1 to {len(faces)}, largest first; or {BY_HAND}"
        raise FaceError(Reason.NO_SUCH_FACE, f"face {wanted.number} is meant, of {len(faces)} found", do=do)
    return faces, wanted.number - 1


def _in_box(
    photo: Photo, detector: Detector, box: tuple[float, float, float, float], said: str
) -> tuple[list[Detection], int]:
    """The face in a box: one of the photo's, else one that shows when only what is in and near the box is looked at."""
    height, width = photo.pixels.shape[:2]
    if min(box[0] + box[2], width) <= max(box[0], 0) or min(box[1] + box[3], height) <= max(box[1], 0):
        detail = f"{said} lies outside the photo, which is {width * photo.reduced} × {height * photo.reduced}"
        raise FaceError(Reason.NO_SUCH_FACE, detail, do="--box X,Y,WIDTH,HEIGHT, from the upper left corner")
    try:
        faces = faces_of(photo, detector)
    except FaceError as error:
        if error.reason != Reason.NO_FACE:
            raise
        faces = []
    if (at := nearest(faces, box)) is not None:
        return faces, at
    left, top = max(0, int(box[0] - box[2] / 2)), max(0, int(box[1] - box[3] / 2))
    right, bottom = int(box[0] + 1.5 * box[2]) + 1, int(box[1] + 1.5 * box[3]) + 1
    patch = np.ascontiguousarray(photo.pixels[top:bottom, left:right])
    near = [
        face._replace(
            box=(face.box[0] + left, face.box[1] + top, face.box[2] + left, face.box[3] + top),
            points=face.points + np.array([left, top], np.float32),
        )
        for face in detector.find(patch)
        if not implausible(face.points, face.scheme, face.box)
    ]
    if (found := nearest(near, box)) is None:
        raise FaceError(Reason.NO_SUCH_FACE, f"no face found in {said}", do=BY_HAND)
    return [*faces, near[found]], len(faces)
