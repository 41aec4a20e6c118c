"""A face that the test draws itself: no real person's photograph is in the repository."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from tgfr_search.types import ByteArray


def draw(size: int = 400) -> ByteArray:
    """A drawn face, uint8 [size, size, 3]: the eyes at 41 % and 59 % of the width, 48 % of the height.

    The detector finds it with a score of about 1.4.
    """
    s = size / 400
    picture = np.full((size, size, 3), (120, 140, 160), np.uint8)

    def oval(x: int, y: int, a: int, b: int, colour: tuple[int, int, int]) -> None:
        centre, axes = (round(x * s), round(y * s)), (round(a * s), round(b * s))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    def arc(x: int, y: int, a: int, b: int, start: int, end: int, colour: tuple[int, int, int]) -> None:
        centre, axes = (round(x * s), round(y * s)), (round(a * s), round(b * s))
        cv2.ellipse(picture, centre, axes, 0, start, end, colour, max(1, round(6 * s)), cv2.LINE_AA)

    oval(200, 180, 105, 130, (60, 45, 35))  # hair
    oval(200, 215, 85, 115, (224, 180, 150))  # skin
    for x in (165, 235):
        arc(x, 170, 24, 8, 200, 340, (70, 50, 40))  # brow
        oval(x, 192, 22, 14, (180, 135, 115))
        oval(x, 193, 17, 8, (245, 240, 235))
        oval(x, 193, 8, 8, (50, 35, 30))
    arc(200, 235, 17, 12, 20, 160, (190, 140, 115))  # base of the nose
    oval(200, 275, 32, 11, (165, 80, 80))  # mouth
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.5 * s), np.uint8)


@pytest.fixture(scope="session")
def draw_face() -> Callable[[int], ByteArray]:
    return draw
