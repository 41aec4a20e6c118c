"""What can be measured of one face: size, sharpness, exposure, and a coarse pose from the five points."""

from __future__ import annotations

import math

import cv2
import numpy as np

from tgfr_search.faces.schemes import EYE_CORNERS_NOSE, EYES_NOSE_MOUTH, eye_centres
from tgfr_search.types import ByteArray, FaceQuality, FloatArray

NOSE_DEPTH = 0.40
"""How far the base of the nose lies in front of the eye corners, in distances between the eye centres (24 of 61 mm)."""
NOSE_DROP = 0.773
"""How far it lies below them in a level, frontal face: the ratio in dlib's mean shape."""
NOSE = {EYE_CORNERS_NOSE: (4, NOSE_DEPTH, NOSE_DROP), EYES_NOSE_MOUTH: (2, 0.44, 0.62)}
"""Scheme → which point is the nose's, its depth and its drop. Those of the tip, as RetinaFace places it, are fitted to
the yaw and pitch by dlib's points on 167 valid photographs (correlation .88 and .72)."""


def inter_eye_px(landmarks: FloatArray, scheme: str = EYE_CORNERS_NOSE) -> float:
    """Distance between the eye centres, in pixels. `landmarks`: [5, 2] of the scheme."""
    left, right = eye_centres(landmarks, scheme)
    return float(np.linalg.norm(right - left))


def pose(landmarks: FloatArray, scheme: str = EYE_CORNERS_NOSE) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, coarse: one average head stands for everybody's, seen without perspective.

    Let e be the vector from the eye centre on the image's left to the one on its right, and (t, h) the base of the nose
    seen from their middle, along e and at right angles to it (down), in units of |e|. A head with the nose `NOSE_DEPTH`
    in front of and `NOSE_DROP` below the eyes, nodded by pitch θ, then turned by yaw ψ, then tilted by roll, shows
    t = (depth·cos θ − drop·sin θ)·tan ψ and h·cos ψ = drop·cos θ + depth·sin θ; roll is the angle of e. ψ is taken from
    t as if θ were 0, then θ from h: exact where either is 0, in the right order elsewhere. θ ends at 27°, where the
    nose is lowest. Eyes closer together than average look like a pitch: use it to sort out, not to measure.

    Args:
        landmarks: float [5, 2].
        scheme: What they are.

    Returns:
        (yaw, pitch, roll): positive when the nose points to the image's right, when it points down, when the head is
        turned clockwise in the image.
    """
    points = landmarks.astype(np.float64)
    left, right = eye_centres(points, scheme)
    which, depth, drop = NOSE[scheme]
    across = right - left
    nose = points[which] - (right + left) / 2
    square = max(float(across @ across), 1e-12)
    t = float(nose @ across) / square
    h = float(nose @ np.array([-across[1], across[0]])) / square
    yaw = math.atan(t / depth)
    # drop·cos θ + depth·sin θ = R·cos(θ − φ); the branch θ < φ, on which nodding down lowers the nose
    cosine = h * math.cos(yaw) / math.hypot(drop, depth)
    pitch = math.atan2(depth, drop) - math.acos(min(1.0, max(-1.0, cosine)))
    roll = math.atan2(across[1], across[0])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def measure(
    chip: ByteArray, landmarks: FloatArray, *, detector_score: float | None, scheme: str = EYE_CORNERS_NOSE
) -> FaceQuality:
    """The quality record of one face.

    Args:
        chip: uint8 [S, S, 3], RGB, aligned.
        landmarks: float [5, 2] in the source photo.
        detector_score: The detector's confidence; None for a ready chip, whose landmarks are the template's, not
            measured, and tell no pose.
        scheme: What the landmarks are.
    """
    luma = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    yaw, pitch, roll = (None, None, None) if detector_score is None else pose(landmarks, scheme)
    return FaceQuality(
        inter_eye_px=inter_eye_px(landmarks, scheme),
        sharpness=float(cv2.Laplacian(luma, cv2.CV_64F).var()),
        exposure=float(luma.mean()) / 255.0,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        detector_score=detector_score,
    )
