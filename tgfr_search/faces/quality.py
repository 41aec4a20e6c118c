"""What can be measured of one face: size, sharpness, exposure, and a coarse pose from the five points."""

from __future__ import annotations

import math

import cv2
import numpy as np

from tgfr_search.types import ByteArray, FaceQuality, FloatArray

NOSE_DEPTH = 0.40
"""How far the base of the nose lies in front of the eye corners, in distances between the eye centres (24 of 61 mm)."""
NOSE_DROP = 0.773
"""How far it lies below them in a level, frontal face: the ratio in dlib's mean shape."""


def inter_eye_px(landmarks: FloatArray) -> float:
    """Distance between the eye centres, each the middle of its two corners, in pixels. `landmarks`: [5, 2]."""
    return float(np.linalg.norm(landmarks[:2].mean(axis=0) - landmarks[2:4].mean(axis=0)))


def pose(landmarks: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, coarse: one average head stands for everybody's, seen without perspective.

    Let e be the vector from the eye centre on the image's left to the one on its right, and (t, h) the base of the nose
    seen from their middle, along e and at right angles to it (down), in units of |e|. A head with the nose `NOSE_DEPTH`
    in front of and `NOSE_DROP` below the eyes, nodded by pitch θ, then turned by yaw ψ, then tilted by roll, shows
    t = (depth·cos θ − drop·sin θ)·tan ψ and h·cos ψ = drop·cos θ + depth·sin θ; roll is the angle of e. ψ is taken from
    t as if θ were 0, then θ from h: exact where either is 0, in the right order elsewhere. θ ends at 27°, where the
    nose is lowest. Eyes closer together than average look like a pitch: use it to sort out, not to measure.

    Args:
        landmarks: float [5, 2], dlib's order.

    Returns:
        (yaw, pitch, roll): positive when the nose points to the image's right, when it points down, when the head is
        turned clockwise in the image.
    """
    points = landmarks.astype(np.float64)
    right, left = points[:2].mean(axis=0), points[2:4].mean(axis=0)
    across = right - left
    nose = points[4] - (right + left) / 2
    square = max(float(across @ across), 1e-12)
    t = float(nose @ across) / square
    h = float(nose @ np.array([-across[1], across[0]])) / square
    yaw = math.atan(t / NOSE_DEPTH)
    # drop·cos θ + depth·sin θ = R·cos(θ − φ); the branch θ < φ, on which nodding down lowers the nose
    cosine = h * math.cos(yaw) / math.hypot(NOSE_DROP, NOSE_DEPTH)
    pitch = math.atan2(NOSE_DEPTH, NOSE_DROP) - math.acos(min(1.0, max(-1.0, cosine)))
    roll = math.atan2(across[1], across[0])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def measure(chip: ByteArray, landmarks: FloatArray, *, detector_score: float | None) -> FaceQuality:
    """The quality record of one face.

    Args:
        chip: uint8 [S, S, 3], RGB, aligned.
        landmarks: float [5, 2] in the source photo.
        detector_score: The detector's confidence; None for a ready chip, whose landmarks are the template's, not
            measured, and tell no pose.
    """
    luma = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    yaw, pitch, roll = (None, None, None) if detector_score is None else pose(landmarks)
    return FaceQuality(
        inter_eye_px=inter_eye_px(landmarks),
        sharpness=float(cv2.Laplacian(luma, cv2.CV_64F).var()),
        exposure=float(luma.mean()) / 255.0,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        detector_score=detector_score,
    )
