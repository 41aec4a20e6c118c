"""What the demo face model is fitted to: near-frontal train faces of MM-CelebA-HQ, upright in one frame.

The data are for non-commercial research only and never enter the repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.faces.align import similarity
from tgfr_search.faces.detect import find_faces, find_landmarks
from tgfr_search.types import ByteArray, FloatArray

SIDE = 128
"""Side of the frame in pixels; the eyes are 31 px apart, hair and chin are inside."""
LEFT_OUT = ("attractive", "blurry")
"""Attributes the model does not learn: one judges, the other is about the photo."""
CONDITIONS = tuple(name for name in ATTRIBUTES if name not in LEFT_OUT)
LEAST_SCORE, MOST_YAW, MOST_PITCH, MOST_ROLL = 0.8, 0.16, 0.17, 6.0
POSE_SCALE = 0.07
"""One unit of pose: the nose moved by 7 % of the distance between the eyes, about one standard deviation."""


@dataclass(frozen=True)
class Faces:
    """Aligned train faces.

    Attributes:
        pixels: uint8 [N, SIDE, SIDE, 3], RGB.
        attributes: bool [N, len(CONDITIONS)].
        pose: float32 [N, 2], sideways and up-and-down shift of the nose in units of `POSE_SCALE`, mean 0.
        subjects: int64 [N].
        photos: int64 [N], row of the train split that each face came from.
        frame: float32 [5, 2], where dlib's five points lie in the pixels.
    """

    pixels: ByteArray
    attributes: npt.NDArray[np.bool_]
    pose: FloatArray
    subjects: npt.NDArray[np.int64]
    photos: npt.NDArray[np.int64]
    frame: FloatArray


def read_photos(data: Path) -> pd.DataFrame:
    """The train split: columns `image` (encoded bytes), `identity`, and the attributes."""
    columns = ["image", "identity", *ATTRIBUTES]
    return pd.DataFrame(pq.read_table(data, columns=columns, filters=[("split", "==", "train")]).to_pandas())


def decode(encoded: bytes) -> ByteArray:
    """One photo: uint8 [H, W, 3], RGB."""
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("the data set holds an image that does not decode")
    return np.ascontiguousarray(image[:, :, ::-1], np.uint8)


def load_faces(data: Path) -> Faces:
    """Reads, detects, selects and aligns; minutes on one core.

    Selected are photos with exactly one sure detection, nearly frontal, that are not labelled blurry.

    Args:
        data: `mmceleba_hq.parquet`.
    """
    photos = read_photos(data)
    points = np.stack([_landmarks(decode(image)) for image in photos["image"]])
    pose, roll = _pose(points)
    pose -= np.nanmean(pose, axis=0)
    found = (np.abs(pose) < [MOST_YAW, MOST_PITCH]).all(axis=1) & (np.abs(roll) < MOST_ROLL)
    rows = np.flatnonzero(found & ~photos["blurry"].to_numpy())
    frame = _frame(points[rows], photo_side=decode(photos["image"].iloc[0]).shape[0])
    pixels = np.stack([_upright(decode(photos["image"].iloc[row]), points[row], frame) for row in rows])
    return Faces(
        pixels=pixels,
        attributes=photos[list(CONDITIONS)].to_numpy()[rows],
        pose=np.asarray(pose[rows] / POSE_SCALE, np.float32),
        subjects=photos["identity"].to_numpy()[rows],
        photos=rows,
        frame=frame.astype(np.float32),
    )


def _landmarks(photo: ByteArray) -> FloatArray:
    boxes = find_faces(photo)
    if len(boxes) != 1 or boxes[0].score < LEAST_SCORE:
        return np.full((5, 2), np.nan, np.float32)
    return find_landmarks(photo, boxes[0])


def _pose(points: FloatArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where the nose is, seen from between the eyes ([N, 2], in distances of the eyes), and the roll in degrees."""
    right, left = points[:, :2].mean(axis=1), points[:, 2:4].mean(axis=1)
    across = right - left
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    nose = points[:, 4] - (right + left) / 2
    square = np.sum(across**2, axis=1)
    shift = np.stack([np.sum(nose * across, axis=1), np.sum(nose * down, axis=1)], axis=1) / square[:, None]
    return shift.astype(np.float64), np.degrees(np.arctan2(across[:, 1], across[:, 0])).astype(np.float64)


def _frame(points: FloatArray, photo_side: int) -> npt.NDArray[np.float64]:
    """Where the five points belong in the frame: their mean, made symmetric, so that a mirrored face fits too."""
    mean = points.mean(axis=0, dtype=np.float64) * SIDE / photo_side
    mirrored = mean[[2, 3, 0, 1, 4]] * [-1, 1] + [SIDE - 1, 0]
    return np.asarray((mean + mirrored) / 2)


def _upright(photo: ByteArray, points: FloatArray, frame: npt.NDArray[np.float64]) -> ByteArray:
    smooth = cv2.GaussianBlur(photo, (0, 0), 0.45)  # the frame is coarser than the photo; a warp alone would alias
    matrix, flags, border = similarity(points, frame), cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101
    return np.asarray(cv2.warpAffine(smooth, matrix, (SIDE, SIDE), flags=flags, borderMode=border), np.uint8)
