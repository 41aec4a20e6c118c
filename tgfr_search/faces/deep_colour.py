"""Colour of more than 8 bits whose file says that it uses part of the range: a 10- or 12-bit camera's in 16 bits.

Pillow keeps the upper byte of each value, which is right where values fill the 16 bits, and makes the others black.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from tgfr_search.faces.container import MAX_SAMPLE_VALUE

_PNG = b"\x89PNG\r\n\x1a\n"
_RGB, _RGBA = 2, 6
"""A PNG's types of colour."""


def deep_colour(data: bytes, image: Image.Image) -> Image.Image | None:
    """A picture of 16-bit colour in 8 bits, by the white that its file states.

    A TIFF states it by MaxSampleValue, a PNG by sBIT, as `stated_white` reads them for grey.

    Args:
        data: The encoded image.
        image: The same, opened.

    Returns:
        RGB or RGBA with the information of `image`; None where Pillow's own is right.
    """
    white = _stated(data, image)
    if white is None:
        return None
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[:2] != image.size[::-1]:
        return None
    if values.max() > white or (image.format == "PNG" and not (values % (65536 // (white + 1))).any()):
        return None  # scaled up to 16 bits, as a PNG's standard demands
    order = cv2.COLOR_BGR2RGB if values.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    pixels: npt.NDArray[np.float32] = cv2.cvtColor(values, order).astype(np.float32)
    made = Image.fromarray((pixels * np.float32(255 / white) + np.float32(0.5)).astype(np.uint8))
    made.info.update(image.info)
    return made


def _stated(data: bytes, image: Image.Image) -> int | None:
    """The largest value of a channel, where the file says that it is less than its 16 bits hold."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tell() == 0:
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, ())
        most = int(np.max(image.tag_v2.get(MAX_SAMPLE_VALUE, 0)))
        return most if len(bits) >= 3 and max(bits) == 16 and 255 < most < 65535 else None
    if not data.startswith(_PNG) or data[24:26] not in (bytes([16, _RGB]), bytes([16, _RGBA])):
        return None
    at = data.find(b"sBIT", 0, data.find(b"IDAT"))
    bits = data[at + 4 : at + 7] if at >= 0 else b""
    return 2 ** max(bits) - 1 if bits and 8 <= max(bits) < 16 else None
