"""The face with room around it, small: what an index keeps, so that any chip can be cut later without the photo."""

from __future__ import annotations

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tgfr_search.errors import InputError
from tgfr_search.faces.align import Alignment, align, similarity
from tgfr_search.faces.schemes import BY_SCHEME, in_scheme
from tgfr_search.types import ByteArray, FaceCrop, FloatArray

MARGIN = 0.6
"""Around the detection's box on each side, as a share of its longer one."""
SIDE = 256
"""Pixels of the longer side; a smaller window is kept as it is."""
QUALITY = 95
"""Of the JPEG: what it loses, every later template loses."""


def face_crop(
    photo: ByteArray, points: FloatArray, scheme: str, box: tuple[float, float, float, float] | None
) -> FaceCrop:
    """Cuts the face out of a photo, not turned, with a margin that holds every chip that is known of such points.

    Args:
        photo: uint8 [H, W, 3].
        points: float [5, 2], pixels of the photo.
        scheme: What they are.
        box: (left, top, right, bottom) of the detection; None where there was none.
    """
    reach = [_reach(points, alignment) for (_, of), alignment in BY_SCHEME.items() if of == scheme]
    if box is not None:
        around = MARGIN * max(box[2] - box[0], box[3] - box[1])
        reach.append(np.array([[box[0] - around, box[1] - around], [box[2] + around, box[3] + around]]))
    corners = np.concatenate([*reach, points.astype(np.float64)])
    limit = np.array([photo.shape[1], photo.shape[0]])
    first = np.clip(np.floor(corners.min(axis=0)), 0, limit - 1).astype(np.int64)
    size = np.clip(np.ceil(corners.max(axis=0)) + 1, first + 1, limit).astype(np.int64) - first
    window = photo[first[1] : first[1] + size[1], first[0] : first[0] + size[0]]
    small = np.maximum(1, np.round(size * min(1.0, SIDE / size.max()))).astype(np.int64)
    if (small < size).any():
        window = np.asarray(cv2.resize(window, (int(small[0]), int(small[1])), interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of a box of pixels is not the centre of its first pixel.
    placed = (points - first + 0.5) * (small / size) - 0.5
    buffer = io.BytesIO()
    Image.fromarray(window).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return FaceCrop(buffer.getvalue(), placed.astype(np.float32))


def chip_of(crop: bytes, points: FloatArray, scheme: str, alignment: Alignment) -> ByteArray:
    """The chip that a face encoder expects, cut from a crop.

    Args:
        crop: From `face_crop`.
        points: Where the points lie in it: float [5, 2].
        scheme: What they are.
        alignment: The chip.

    Returns:
        uint8 [size, size, 3].

    Raises:
        InputError: The crop is no picture, or nobody knows where such points lie in this chip.
    """
    try:
        with Image.open(io.BytesIO(crop)) as picture:
            pixels = np.asarray(picture.convert("RGB"), np.uint8)
    except OSError as error:
        raise InputError("crop of an enrolled face", found=str(error), expected="a picture") from error
    return align(pixels, points, in_scheme(alignment, scheme))


def _reach(points: FloatArray, alignment: Alignment) -> npt.NDArray[np.float64]:
    """The corners of a chip in the photo: float64 [4, 2]."""
    used = list(alignment.used)
    to_photo = similarity(alignment.points[used], points[used])
    side = alignment.size
    return np.array([[0, 0, 1], [0, side, 1], [side, 0, 1], [side, side, 1]]) @ to_photo.T
