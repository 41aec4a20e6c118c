"""Five points that can be those of a face, and some that cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tgfr_search.faces.plausible import implausible, implausible_parts
from tgfr_search.faces.schemes import EYE_CORNERS_NOSE, EYES_NOSE_MOUTH

FACE: dict[str, Any] = {
    "left_eye": np.array([38.0, 45.0]),
    "right_eye": np.array([62.0, 45.0]),
    "nose": np.array([50.0, 62.0]),
    "mouth": np.array([50.0, 75.0]),
    "box": (20, 20, 80, 90),
}


def turned(degrees: float) -> dict[str, Any]:
    """The face turned about the centre of a square box."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    points = {k: turn @ (v - [50, 55]) + [50, 55] for k, v in FACE.items() if k != "box"}
    return points | {"box": (15, 20, 85, 90)}


@pytest.mark.parametrize("degrees", [0, 20, 90, 180, 250])
def test_a_face_in_any_position_is_one(degrees: float) -> None:
    assert implausible_parts(**turned(degrees)) == ""
    assert implausible_parts(**(turned(degrees) | {"mouth": None})) == ""


def test_a_face_in_half_profile_is_one() -> None:
    narrow = FACE | {"left_eye": np.array([30.0, 45.0]), "right_eye": np.array([42.0, 45.0])}
    assert implausible_parts(**(narrow | {"nose": np.array([28.0, 62.0]), "mouth": np.array([33.0, 75.0])})) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"nose": FACE["left_eye"] - [0, 5]}, "nose"),  # above the eyes
        ({"mouth": np.array([50.0, 55.0])}, "mouth"),  # above the nose
        ({"left_eye": FACE["right_eye"], "right_eye": FACE["left_eye"]}, "nose"),  # mirrored
        ({"nose": np.array([50.0, 140.0])}, "outside the box"),
        ({"left_eye": np.array([49.5, 45.0]), "right_eye": np.array([50.5, 45.0])}, "eyes"),
        ({"left_eye": np.array([8.0, 45.0]), "right_eye": np.array([92.0, 45.0])}, "eyes"),
        ({"nose": np.array([np.nan, 60.0])}, "number"),
        ({"left_eye": FACE["right_eye"]}, "eyes"),  # one point twice
    ],
)
def test_what_is_no_face(change: dict[str, Any], why: str) -> None:
    assert why in implausible_parts(**(FACE | change))


def test_the_points_of_either_detector() -> None:
    points = np.array([[68, 45], [56, 45], [32, 45], [44, 45], [50, 65]], np.float32)
    assert implausible(points, EYE_CORNERS_NOSE, (20, 20, 80, 90)) == ""
    assert implausible(points[::-1].copy(), EYE_CORNERS_NOSE, (20, 20, 80, 90))
    points = np.array([[38, 45], [62, 45], [50, 62], [42, 75], [58, 75]], np.float32)
    assert implausible(points, EYES_NOSE_MOUTH, (20, 20, 80, 90)) == ""
    assert "mouth" in implausible(
        points - [[0, 0], [0, 0], [0, 0], [0, 25], [0, 25]], EYES_NOSE_MOUTH, (20, 20, 80, 90)
    )
