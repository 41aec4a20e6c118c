"""dlib's HOG detector and 5-point model as a `Detector`."""

from __future__ import annotations

import hashlib
from functools import cache

from tgfr_search.faces.detect import find_faces, find_landmarks, landmark_model, turned_faces
from tgfr_search.faces.detectors.base import Detection, DetectorSpec
from tgfr_search.faces.schemes import EYE_CORNERS_NOSE
from tgfr_search.faces.search import least_side
from tgfr_search.types import ByteArray

NAME = "dlib"


@cache
def _digest() -> str:
    """Of the landmark model; the HOG detector itself is part of dlib's code."""
    return hashlib.sha256(landmark_model().read_bytes()).hexdigest()


class DlibHog:
    """The detector; it has no state of its own."""

    @property
    def spec(self) -> DetectorSpec:
        """What identifies it."""
        return DetectorSpec(NAME, EYE_CORNERS_NOSE, _digest())

    def find(self, photo: ByteArray) -> list[Detection]:
        """All faces of a photo (uint8 [H, W, 3], RGB), the largest first.

        Raises:
            MissingPartError: dlib or its model is not installed.
        """
        return [
            Detection(
                (float(box.left), float(box.top), float(box.right), float(box.bottom)),
                find_landmarks(photo, box),
                EYE_CORNERS_NOSE,
                box.score,
            )
            for box in find_faces(photo)
        ]

    def unseen(self, photo: ByteArray) -> tuple[str, int | None]:
        """See `Detector.unseen`; each turn costs one look at the reduced photo."""
        return f"frontal face of {least_side(photo)} pixels or more (brow to chin)", turned_faces(photo)
