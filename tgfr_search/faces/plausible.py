"""Whether five points can be those of a face: a check on what a detector or a landmark model says, whichever it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tgfr_search.faces.schemes import EYES_NOSE_MOUTH, eye_centres
from tgfr_search.types import FloatArray

NOSE_LOWEST = 2.5
"""How far below the eyes the nose may be, in distances between the eyes: in a frontal face about 0.8, and the distance
between the eyes shrinks as a head turns."""
MOUTH_LOWEST = 4.0
"""As above, of the mouth: in a frontal face about 1.2."""
ASIDE = 1.5
"""How far beside the middle of the eyes nose and mouth may be, in the same unit."""
AROUND = 0.25
"""How far outside the box a point may lie, in widths and heights of the box."""
EYES_TO_BOX = (0.1, 0.9)
"""Distance between the eyes in widths of the box."""

Point = npt.NDArray[np.floating]


def implausible(points: FloatArray, scheme: str, box: tuple[float, ...]) -> str:
    """`implausible_parts` for the five points of a detector.

    Args:
        points: float32 [5, 2].
        scheme: What they are (`faces.schemes`).
        box: As `implausible_parts`.
    """
    left, right = eye_centres(points, scheme)
    if scheme == EYES_NOSE_MOUTH:
        return implausible_parts(left, right, points[2], box, points[3:].mean(axis=0))
    return implausible_parts(left, right, points[4], box)


def implausible_parts(
    left_eye: Point, right_eye: Point, nose: Point, box: tuple[float, ...], mouth: Point | None = None
) -> str:
    """Why these points are not those of a face, in words; empty where they can be.

    Judged in the face's own frame, so a face may be tilted or even upside down, as long as its parts are where they
    belong: nose below the eyes, mouth below the nose, all of them in or near the box.

    Args:
        left_eye: (x, y) of the centre of the eye that is on the left of the upright face.
        right_eye: (x, y) of the other one.
        nose: (x, y) of its tip or base.
        box: left, top, right, bottom of the detection in the same pixels; further values are ignored.
        mouth: (x, y) of its middle; None where the landmark model has none.
    """
    points = [left_eye, right_eye, nose] + ([] if mouth is None else [mouth])
    every = np.array(points, np.float64)
    if not np.isfinite(every).all():
        return "a point is not a number"
    low, high = np.array(box[:2], np.float64), np.array(box[2:4], np.float64)
    room = AROUND * (high - low)
    if ((every < low - room) | (every > high + room)).any():
        return "a point lies outside the box"
    across = every[1] - every[0]
    distance = float(np.hypot(*across))
    if not EYES_TO_BOX[0] <= distance / float(high[0] - low[0]) <= EYES_TO_BOX[1]:
        return f"the eyes are {distance:.0f} px apart in a box of {high[0] - low[0]:.0f}"
    middle, down = (every[0] + every[1]) / 2, np.array([-across[1], across[0]])
    above = 0.0
    for name, at, lowest in (("nose", 2, NOSE_LOWEST), ("mouth", 3, MOUTH_LOWEST))[: len(every) - 2]:
        below = float((every[at] - middle) @ down) / distance**2
        aside = float((every[at] - middle) @ across) / distance**2
        if not above < below <= lowest or abs(aside) > ASIDE:
            return f"the {name} is not where it is in a face"
        above = below
    return ""
