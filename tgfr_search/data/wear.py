"""What else happens to a picture on its way to an investigator: for training, beyond the quality ladder.

The ladder (`degrade`) is the measure: one camera, few numbers. A net that is to read poor pictures must see more than
what it is measured by: focus and motion blur, other ways of scaling, lost colour, compression of the small and of the
enlarged picture, interlaced video, things before the face. Everything random is drawn from (key, seed) alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tgfr_search.data.degrade import CHIP_PER_EYES, generator, jpeg, motion_path
from tgfr_search.types import ByteArray, FloatArray

SHRINKING = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
"""Ways of scaling down; all but the first alias, as cheap cameras and web sites do."""
ENLARGING = (cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_LANCZOS4, cv2.INTER_NEAREST)
GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Wear:
    """What happens to one picture. Lengths are in pixels of the coarse picture.

    Attributes:
        side: Pixels along the side of the 25 %-padded face chip; None leaves the resolution as it is.
        shrink: OpenCV's way of scaling down.
        enlarge: And of scaling up again.
        blur: Gaussian sigma of the optics.
        focus: Radius of the disc that a point becomes out of focus.
        motion: Length of the straight path that the picture moves along.
        angle: Direction of that path, degrees.
        exposure: In stops.
        gamma: Exponent of the tone curve.
        colour: Saturation, 1 as it is, 0 grey.
        tint: Gain of red and of blue.
        noise: Gaussian sigma of the sensor, on the 0–255 scale.
        grain: Whether the noise is one for all channels.
        jpeg: Quality of the coarse picture's JPEG; None is without loss.
        again: Quality of a second JPEG, of the enlarged picture.
        interlace: How far the odd lines were taken later, in pixels of the coarse picture; 0 is progressive.
        cover: (x, y, width, height, grey) of a box before the face, in distances between the eyes from their middle;
            None covers nothing.
    """

    side: int | None = None
    shrink: int = cv2.INTER_AREA
    enlarge: int = cv2.INTER_CUBIC
    blur: float = 0.0
    focus: float = 0.0
    motion: float = 0.0
    angle: float = 0.0
    exposure: float = 0.0
    gamma: float = 1.0
    colour: float = 1.0
    tint: tuple[float, float] = (1.0, 1.0)
    noise: float = 0.0
    grain: bool = False
    jpeg: int | None = None
    again: int | None = None
    interlace: float = 0.0
    cover: tuple[float, float, float, float, float] | None = None


def random_wear(key: str, seed: int = 0) -> Wear:
    """One draw: every hardship is rare enough that most pictures have two or three.

    Args:
        key: What identifies the picture and the view.
        seed: Another seed gives another draw.
    """
    draw = generator(key, "wear", seed)

    def chance(share: float) -> bool:
        return bool(draw.random() < share)

    def of(low: float, high: float) -> float:
        return float(draw.uniform(low, high))

    blurred = draw.random()
    grey = chance(0.2)
    return Wear(
        side=round(math.exp(of(math.log(10), math.log(64)))) if chance(0.9) else None,
        shrink=SHRINKING[int(draw.choice(4, p=[0.55, 0.25, 0.12, 0.08]))],
        enlarge=ENLARGING[int(draw.choice(4, p=[0.45, 0.35, 0.1, 0.1]))],
        blur=of(0.0, 1.0) if blurred < 0.5 else 0.2,
        focus=of(0.5, 1.6) if blurred > 0.8 else 0.0,
        motion=of(1.0, 3.5) if chance(0.3) else 0.0,
        angle=of(0.0, 180.0),
        exposure=of(-1.5, 0.8) if chance(0.6) else 0.0,
        gamma=math.exp(of(-0.45, 0.45)) if chance(0.6) else 1.0,
        colour=0.0 if grey else of(0.3, 1.2) if chance(0.4) else 1.0,
        tint=(math.exp(of(-0.2, 0.2)), math.exp(of(-0.2, 0.2))) if chance(0.3) else (1.0, 1.0),
        noise=of(0.0, 16.0) if chance(0.8) else 0.0,
        grain=grey or chance(0.2),
        jpeg=round(of(20, 97)) if chance(0.7) else None,
        again=round(of(25, 95)) if chance(0.3) else None,
        interlace=of(0.5, 1.5) if chance(0.06) else 0.0,
        cover=_cover(draw) if chance(0.1) else None,
    )


def wear_photo(photo: ByteArray, eyes: FloatArray, wear: Wear, *, key: str, seed: int = 0) -> ByteArray:
    """A whole photo after `wear`, enlarged again to its own size.

    Args:
        photo: uint8 [H, W, 3], RGB.
        eyes: float [2, 2], the eye centres in it, (x, y).
        wear: What happens to it.
        key: What the noise depends on besides the seed.
        seed: Another seed gives another noise.

    Returns:
        uint8 [H, W, 3].
    """
    noise = generator(key, "noise", seed)
    height, width = photo.shape[:2]
    distance = max(float(np.linalg.norm(eyes[1] - eyes[0])), 1e-3)
    chip = CHIP_PER_EYES * distance
    scale = min(1.0, (wear.side or chip) / chip)
    light: npt.NDArray[Any] = photo.astype(np.float32)
    if wear.cover is not None:
        light = _covered(light, wear.cover, eyes.mean(axis=0), distance)
    for kernel in _kernels(wear, scale):
        light = cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    if wear.blur:
        light = cv2.GaussianBlur(light, (0, 0), wear.blur / scale, borderType=cv2.BORDER_REPLICATE)
    if scale < 1:
        coarse = (max(1, round(width * scale)), max(1, round(height * scale)))
        light = cv2.resize(light, coarse, interpolation=wear.shrink)
    if wear.interlace:
        light = _interlaced(light, wear.interlace)
    stored = _developed(light, wear, noise)
    if wear.jpeg is not None:
        stored = jpeg(stored, wear.jpeg)
    if scale < 1:
        stored = np.asarray(cv2.resize(stored, (width, height), interpolation=wear.enlarge), np.uint8)
    return stored if wear.again is None else jpeg(stored, wear.again)


def _developed(light: npt.NDArray[Any], wear: Wear, noise: np.random.Generator) -> ByteArray:
    """Colour, exposure, tone curve, noise: float light to stored 8-bit values."""
    if wear.colour != 1.0:
        grey = (light @ GREY)[..., None]
        light = grey + wear.colour * (light - grey)
    light = light * np.array([wear.tint[0], 1.0, wear.tint[1]], np.float32)
    light = 255.0 * np.clip(light / 255.0 * 2.0 ** (wear.exposure / 2.2), 0.0, 1.0) ** wear.gamma
    if wear.noise:
        shape = (*light.shape[:2], 1 if wear.grain else 3)
        light = light + wear.noise * noise.standard_normal(shape, np.float32)
    out: ByteArray = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    return out


def _kernels(wear: Wear, scale: float) -> list[npt.NDArray[np.float32]]:
    out = [motion_path(wear.motion / scale, wear.angle)] if wear.motion else []
    if wear.focus:
        radius = wear.focus / scale
        reach = max(1, math.ceil(radius))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        # A pixel on the rim counts by how much of it lies inside.
        disc = np.clip(radius + 0.5 - np.hypot(x, y), 0.0, 1.0)
        out.append(np.asarray(disc / disc.sum(), np.float32))
    return out


def _interlaced(light: npt.NDArray[Any], shift: float) -> npt.NDArray[Any]:
    """Odd lines from a picture that has moved on sideways."""
    height, width = light.shape[:2]
    moved = cv2.warpAffine(
        light, np.array([[1, 0, shift], [0, 1, 0]], np.float64), (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    out = light.copy()
    out[1::2] = moved[1::2]
    return out


def _cover(draw: np.random.Generator) -> tuple[float, float, float, float, float]:
    """A bar across the eyes or the mouth, or a patch from a side, about a quarter of the face at most."""
    grey = float(draw.uniform(0, 255))
    if draw.random() < 0.5:
        y = float(draw.choice([-0.25, 0.75])) + float(draw.uniform(-0.15, 0.15))
        return (-1.2, y, 2.4, float(draw.uniform(0.3, 0.6)), grey)
    width, height = float(draw.uniform(0.4, 1.0)), float(draw.uniform(0.4, 1.4))
    return (float(draw.uniform(-1.1, 0.6)), float(draw.uniform(-0.8, 1.2)), width, height, grey)


def _covered(
    light: npt.NDArray[Any], cover: tuple[float, float, float, float, float], middle: FloatArray, distance: float
) -> npt.NDArray[Any]:
    x, y, width, height, grey = cover
    low = np.array([x, y]) * distance + middle
    first = np.clip(np.rint(low), 0, None).astype(int)
    last = np.clip(np.rint(low + np.array([width, height]) * distance), 0, None).astype(int)
    light[first[1] : last[1], first[0] : last[0]] = grey
    return light
