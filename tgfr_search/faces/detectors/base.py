"""What is asked of a face detector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from tgfr_search.types import ByteArray, FloatArray


class Detection(NamedTuple):
    """One face, in pixels of the photo.

    Attributes:
        box: (left, top, right, bottom); may reach past the photo's edge.
        points: float32 [5, 2], (x, y).
        scheme: What the five points are (`faces.schemes`).
        score: The detector's confidence; its scale is the detector's own.
    """

    box: tuple[float, float, float, float]
    points: FloatArray
    scheme: str
    score: float

    @property
    def width(self) -> float:
        """Of the box, pixels."""
        return self.box[2] - self.box[0]

    @property
    def area(self) -> float:
        """Of the box, square pixels."""
        return self.width * (self.box[3] - self.box[1])


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What of a detector is part of an index's contract.

    Attributes:
        name: Registry name.
        scheme: Of the points it gives.
        sha256: Of its weights.
    """

    name: str
    scheme: str
    sha256: str


class Detector(Protocol):
    """Finds faces. Holds no state that a thread or a fork could trip over."""

    @property
    def spec(self) -> DetectorSpec:
        """What identifies it."""
        ...

    def find(self, photo: ByteArray) -> list[Detection]:
        """All faces of a photo (uint8 [H, W, 3], RGB), the largest first; empty where there is none."""
        ...

    def unseen(self, photo: ByteArray) -> tuple[str, int | None]:
        """Of a photo in which `find` showed no face: what was looked for, and the turn that would show one.

        Returns:
            What, in words (`frontal face of 20 pixels or more`), and degrees clockwise; None where no turn helps.
        """
        ...


def roll(points: FloatArray) -> float:
    """How far a face is turned in the picture's plane, degrees clockwise, from −180 to 180.

    By the direction from the middle of the eyes to the middle of the mouth, so that an upside-down face is told.

    Args:
        points: float32 [5, 2], `schemes.EYES_NOSE_MOUTH`.
    """
    down = points[3:].astype(np.float64).mean(axis=0) - points[:2].astype(np.float64).mean(axis=0)
    return math.degrees(math.atan2(-down[0], down[1]))
