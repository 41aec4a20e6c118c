"""The quality ladder of docs/protocol.md (point 6): good faces made as poor as those of a distant camera, repeatably.

Light passes the same stations as in a camera: motion and optics blur → coarse pixels → exposure → sensor noise → JPEG →
enlarged again to working size. Everything random is drawn from (image key, level, seed) alone, so an image degrades the
same way whatever the order or the number of workers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tgfr_search.types import ByteArray


@dataclass(frozen=True, slots=True)
class Degradation:
    """What happens to one face. Lengths are in pixels of the coarse picture, so they do not depend on the chip's size.

    Attributes:
        name: Level; part of the seed.
        side: Pixels along the side of the whole chip (25 % padding included); None leaves the resolution as it is.
        blur: Gaussian sigma of the optics.
        motion: Length of the straight path that the picture moves along.
        angle: Direction of that path, degrees.
        exposure: In stops; −1 halves the light.
        gamma: Exponent of the tone curve; above 1 darkens the middle.
        noise: Gaussian sigma of the sensor, on the 0–255 scale.
        jpeg: Quality of the JPEG that the coarse picture is stored in; None stores it without loss.
    """

    name: str
    side: int | None = None
    blur: float = 0.0
    motion: float = 0.0
    angle: float = 0.0
    exposure: float = 0.0
    gamma: float = 1.0
    noise: float = 0.0
    jpeg: int | None = None


LADDER: Mapping[str, Degradation] = MappingProxyType(
    {
        level.name: level
        for level in (
            Degradation("normal"),
            Degradation("poor", side=28, blur=0.25, noise=3.0, jpeg=97),
            Degradation("bad", side=20, blur=0.25, noise=6.0, jpeg=95),
            Degradation("very_bad", side=14, blur=0.25, noise=10.0, jpeg=93),
        )
    }
)
"""The levels of every evaluation: change a number only together with the protocol version.

Calibrated on MM-CelebA-HQ valid so that the frozen dlib encoder loses as much as under the protocol's reference ladder
(28, 20, 14 px box-reduced, noise σ 4, 8, 12, enlarged, JPEG 60, 40, 30 at working size): Rank-1 70.1, 32.5, 7.8 % here,
71.4, 33.5, 7.4 % there. JPEG acts on the coarse picture, as the protocol orders, and there costs far more.
"""

CHIP_PER_EYES = 2.855
"""Side of the 25 %-padded dlib chip over the distance between the eye centres in it."""


def degrade(
    chip: ByteArray, level: str | Degradation, *, key: str, seed: int = 0, side: float | None = None
) -> ByteArray:
    """One face at one level.

    Args:
        chip: uint8 [S, S, 3], RGB, aligned.
        level: A name of `LADDER`, or parameters of one's own.
        key: What identifies the image, for instance its SHA-256.
        seed: Another seed gives another noise.
        side: Pixels here of the side of dlib's chip with 25 % padding, which is what the ladder's sides count
            (`Alignment.ladder_side`); None says that `chip` is that one.

    Returns:
        uint8 [S, S, 3].

    Raises:
        KeyError: No such level.
    """
    level = LADDER[level] if isinstance(level, str) else level
    side = side or chip.shape[0]
    return _apply(chip, level, (level.side or side) / side, generator(key, level.name, seed))


def degrade_photo(
    photo: ByteArray, inter_eye_px: float, level: str | Degradation, *, key: str, seed: int = 0
) -> ByteArray:
    """A whole photo, taken so that the chip of its face would have the level's side. Never enlarges a smaller face.

    Args:
        photo: uint8 [H, W, 3], RGB.
        inter_eye_px: Distance between the eye centres in the photo in pixels, by dlib's points
            (`faces.schemes.corner_eyes_px`).
        level: As for `degrade`.
        key: As for `degrade`.
        seed: As for `degrade`.

    Returns:
        uint8 [H, W, 3], enlarged again to the photo's own size.
    """
    level = LADDER[level] if isinstance(level, str) else level
    chip_px = CHIP_PER_EYES * inter_eye_px
    return _apply(photo, level, min(1.0, (level.side or chip_px) / chip_px), generator(key, level.name, seed))


def random_degradation(key: str, seed: int = 0) -> Degradation:
    """Parameters drawn evenly over the ladder and beyond it on both sides, for training.

    Args:
        key: What identifies the image (and the view, where an image has several).
        seed: Another seed gives another draw.
    """
    draw = generator(key, "parameters", seed)
    return Degradation(
        "random",
        side=round(math.exp(draw.uniform(math.log(10), math.log(60)))),  # as many from 10 to 20 px as from 30 to 60
        blur=draw.uniform(0.0, 1.0),
        motion=draw.uniform(1.0, 3.0) if draw.random() < 0.3 else 0.0,
        angle=draw.uniform(0.0, 180.0),
        exposure=draw.uniform(-1.0, 0.7),
        gamma=math.exp(draw.uniform(-0.35, 0.35)),
        noise=draw.uniform(0.0, 16.0),
        jpeg=round(draw.uniform(20, 95)),
    )


def generator(*parts: str | int) -> np.random.Generator:
    """What draws for one picture: the same parts give the same draws, whatever was drawn before."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def _apply(picture: ByteArray, level: Degradation, scale: float, noise: np.random.Generator) -> ByteArray:
    """Run the stations; `scale` is coarse pixels a pixel of the picture."""
    height, width = picture.shape[:2]
    light: npt.NDArray[Any] = picture.astype(np.float32)
    if level.motion:
        light = cv2.filter2D(light, -1, motion_path(level.motion / scale, level.angle), borderType=cv2.BORDER_REPLICATE)
    if level.blur:
        light = cv2.GaussianBlur(light, (0, 0), level.blur / scale, borderType=cv2.BORDER_REPLICATE)
    if scale < 1:
        coarse = (max(1, round(width * scale)), max(1, round(height * scale)))
        light = cv2.resize(light, coarse, interpolation=cv2.INTER_AREA)
    # The tone curve's own gamma of about 2.2 makes a stop of light a factor 2^(1/2.2) of the stored value.
    light = 255.0 * np.clip(light / 255.0 * 2.0 ** (level.exposure / 2.2), 0.0, 1.0) ** level.gamma
    light = light + level.noise * noise.standard_normal(light.shape, np.float32)
    stored: ByteArray = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    if level.jpeg is not None:
        stored = jpeg(stored, level.jpeg)
    if scale < 1:
        stored = np.asarray(cv2.resize(stored, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    return stored


def jpeg(picture: ByteArray, quality: int) -> ByteArray:
    """The picture (uint8 [H, W, 3]) after one JPEG of this quality."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer, formats=["JPEG"]))


def motion_path(length: float, angle: float) -> npt.NDArray[np.float32]:
    """A kernel that smears along a straight line through its centre: float32 [K, K], K odd, sums to 1."""
    reach = math.ceil(length / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    steps = np.linspace(-length / 2, length / 2, 4 * reach + 1)
    x = np.rint(reach + steps * math.cos(math.radians(angle))).astype(int)
    y = np.rint(reach + steps * math.sin(math.radians(angle))).astype(int)
    np.add.at(kernel, (y, x), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)
