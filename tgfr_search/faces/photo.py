"""A decoded photo, and the way from its pixels to those of its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tgfr_search.faces.detectors.base import Detection
from tgfr_search.types import ByteArray, FloatArray, SeenFace


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo.

    Attributes:
        pixels: uint8 [H, W, 3], RGB, upright.
        sha256: Hex SHA-256 of the encoded bytes.
        reduced: Pixels of the file along a side of one of `pixels`: 2, 4 or 8 where a large JPEG was reduced while it
            was decoded.
        there: (left, top, right, bottom) of what is there of a file that was cut off; None of a whole one.
    """

    pixels: ByteArray
    sha256: str
    reduced: int = 1
    there: tuple[int, int, int, int] | None = None

    def holds(self, box: tuple[float, float, float, float]) -> bool:
        """Whether a face's box, with a tenth around it, lies in what is there; the photo's own edge takes nothing."""
        if self.there is None:
            return True
        height, width = self.pixels.shape[:2]
        around = 0.1 * (box[2] - box[0])
        low = max(0.0, box[0] - around), max(0.0, box[1] - around)
        high = min(float(width), box[2] + around), min(float(height), box[3] + around)
        left, top, right, bottom = self.there
        return left <= low[0] and top <= low[1] and high[0] <= right and high[1] <= bottom

    @property
    def size(self) -> str:
        """For a person."""
        size = f"{self.pixels.shape[1]}×{self.pixels.shape[0]} pixels"
        return f"{size} (the file reduced to 1/{self.reduced})" if self.reduced > 1 else size

    def in_file(self, points: FloatArray) -> FloatArray:
        """Points in pixels of the file; the centre of a box of pixels is not that of its first one."""
        return (points + 0.5) * np.float32(self.reduced) - np.float32(0.5)

    def in_pixels(self, points: FloatArray) -> FloatArray:
        """Points in pixels of the file, in those of `pixels`: `in_file` turned round."""
        return (points + np.float32(0.5)) / np.float32(self.reduced) - np.float32(0.5)

    def seen(self, face: Detection, *, chosen: bool, by_hand: bool) -> SeenFace:
        """A face as an answer tells it."""
        left, top, right, bottom = (round((edge + 0.5) * self.reduced - 0.5) for edge in face.box)
        points = tuple((round(float(x), 2), round(float(y), 2)) for x, y in self.in_file(face.points))
        score = None if by_hand else round(float(face.score), 4)
        return SeenFace((left, top, right - left, bottom - top), points, score, chosen)
