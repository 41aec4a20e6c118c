from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from tgfr_search.faces.align import DLIB_CHIP
from tgfr_search.faces.quality import NOSE_DEPTH, NOSE_DROP, inter_eye_px, measure, pose
from tgfr_search.types import FloatArray


def head(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, *, scale: float = 50.0) -> FloatArray:
    """dlib's five points of the average head, turned in space and seen from afar: [5, 2] in pixels.

    x to the image's right, y down, z towards the camera; angles in degrees.
    """
    points = np.array([[0.75, 0, 0], [0.25, 0, 0], [-0.75, 0, 0], [-0.25, 0, 0], [0, NOSE_DROP, NOSE_DEPTH]])
    a, b, c = (math.radians(angle) for angle in (yaw, pitch, roll))
    turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    nod = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
    tilt = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return np.asarray((points @ (tilt @ turn @ nod).T)[:, :2] * scale + [200, 300], np.float32)


@pytest.mark.parametrize("yaw", [-50, -20, 0, 15, 40])
@pytest.mark.parametrize("roll", [-170, -30, 0, 25, 90])
def test_yaw_and_roll_of_a_known_head(yaw: float, roll: float) -> None:
    assert pose(head(yaw, 0, roll)) == pytest.approx((yaw, 0, roll), abs=1e-3)


@pytest.mark.parametrize("pitch", [-40, -15, 0, 10, 20])
def test_pitch_of_a_known_head(pitch: float) -> None:
    assert pose(head(0, pitch)) == pytest.approx((0, pitch, 0), abs=1e-3)


def test_signs_as_types_say() -> None:
    level = head()
    right, down, clockwise = (level.copy() for _ in range(3))
    right[4, 0] += 10  # the nose towards the image's right
    down[4, 1] += 3
    clockwise[:2, 1] += 10  # the eye on the image's right lower
    assert pose(right)[0] > 5
    assert pose(down)[1] > 1
    assert pose(clockwise)[2] > 5


def test_order_is_kept_and_extremes_stay_finite() -> None:
    for other in (-15, 0, 8):
        yaws = [pose(head(yaw, other, 5))[0] for yaw in range(-70, 71, 10)]
        pitches = [pose(head(other, pitch, -20))[1] for pitch in range(-60, 26, 5)]
        assert yaws == sorted(set(yaws))
        assert pitches == sorted(pitches)  # the last may be equal: 27° is the end of the scale
    for odd in (
        np.zeros((5, 2)),
        np.array([[0, 0]] * 4 + [[9, 9]]),
        np.array([[9, 0], [9, 0], [0, 0], [0, 0], [5, 99]]),
    ):
        assert np.isfinite(pose(odd.astype(np.float32))).all()


def test_the_templates_own_face_looks_straight_ahead() -> None:
    yaw, pitch, roll = pose(DLIB_CHIP.points)
    assert abs(yaw) < 1
    assert abs(pitch) < 1
    assert abs(roll) < 1


def test_inter_eye_distance() -> None:
    assert inter_eye_px(head(scale=61.0)) == pytest.approx(61.0, rel=1e-5)
    assert inter_eye_px(DLIB_CHIP.points) == pytest.approx(52.55, abs=0.005)  # (0.75281 − 0.22733) · 100


def test_measures_of_the_chip() -> None:
    chip = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    sharp = measure(chip, head(), detector_score=1.5)
    soft = measure(np.asarray(cv2.GaussianBlur(chip, (0, 0), 1.0), np.uint8), head(), detector_score=1.5)
    assert sharp.sharpness > 10 * soft.sharpness > 0
    assert sharp.exposure == pytest.approx(0.5, abs=0.01)
    assert sharp.detector_score == 1.5
    for value in (0, 51, 255):
        flat = measure(np.full_like(chip, value), head(), detector_score=1.5)
        assert (flat.sharpness, flat.exposure) == (0.0, pytest.approx(value / 255))


def test_laplacian_by_hand() -> None:
    """One white pixel on black: the kernel 1 −4 1 gives −4·255 once and 255 four times, and their variance."""
    chip = np.zeros((150, 150, 3), np.uint8)
    chip[70, 70] = 255
    expected = (16 + 4) * 255.0**2 / 150**2  # the mean is 0
    assert measure(chip, head(), detector_score=1.0).sharpness == pytest.approx(expected)


def test_a_ready_chip_has_no_measured_pose() -> None:
    quality = measure(np.zeros((150, 150, 3), np.uint8), DLIB_CHIP.points, detector_score=None)
    assert (quality.yaw, quality.pitch, quality.roll, quality.detector_score) == (None, None, None, None)
