"""From the wide chip to the chips of the networks that read one each."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.faces.align import ARCFACE_CHIP, DLIB_CHIP, WIDE_CHIP, WIDE_MARGIN, similarity
from tgfr_search.faces.schemes import ARCFACE_POINTS, WIDE_POINTS
from tgfr_search.types import ByteArray

# Where RetinaFace's points lie in a wide chip, whoever aligned it, laid over where ArcFace's networks want them.
_TO_WIDE = similarity(np.array(ARCFACE_POINTS), np.array(WIDE_POINTS))


def _dlib(wide: ByteArray) -> ByteArray:
    inside = slice(WIDE_MARGIN, WIDE_MARGIN + DLIB_CHIP.size)
    return np.ascontiguousarray(wide[:, inside, inside])


def _arcface(wide: ByteArray) -> ByteArray:
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (ARCFACE_CHIP.size, ARCFACE_CHIP.size)
    if not len(wide):
        return np.empty((0, *size, 3), np.uint8)
    return np.stack([cv2.warpAffine(chip, _TO_WIDE, size, flags=flags) for chip in wide]).astype(np.uint8, copy=False)


CUTS: dict[str, Callable[[ByteArray], ByteArray]] = {DLIB_CHIP.name: _dlib, ARCFACE_CHIP.name: _arcface}
"""`FaceSpec.alignment` → what cuts that chip out of wide ones."""


def cut(wide: ByteArray, alignment: str) -> ByteArray:
    """The chips that a network reads.

    Args:
        wide: uint8 [B, 225, 225, 3], by `WIDE_CHIP`.
        alignment: Name of the network's chip.

    Returns:
        uint8 [B, S, S, 3].

    Raises:
        InputError: Nobody has measured where such a chip lies in the wide one.
        ValueError: The chips have another shape or type.
    """
    side = WIDE_CHIP.size
    if wide.dtype != np.uint8 or wide.ndim != 4 or wide.shape[1:] != (side, side, 3):
        raise ValueError(f"chips: found {wide.dtype} {wide.shape}, expected uint8 [B, {side}, {side}, 3]")
    if alignment not in CUTS:
        raise InputError(f"chip {alignment!r}", found="no place in the wide chip", expected=f"of: {', '.join(CUTS)}")
    return CUTS[alignment](wide)
