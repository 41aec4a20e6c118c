"""What the tests of `decode` share."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tgfr_search.types import ByteArray


def smooth(height: int = 32, width: int = 48) -> ByteArray:
    """A picture that survives lossy coding: slow slopes, another one in each channel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], 2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


RGB = Image.fromarray(smooth())
GREY = RGB.convert("L")
