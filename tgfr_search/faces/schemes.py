"""The five points that detectors give, and where each set lies in the chips that face networks were trained with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tgfr_search.errors import InputError
from tgfr_search.faces.align import ALIGNMENTS, DLIB_CHIP, WIDE_CHIP, WIDE_MARGIN, Alignment
from tgfr_search.faces.align import ARCFACE_CHIP as ARCFACE_BY_EYE_CORNERS

EYE_CORNERS_NOSE = "eye-corners-nose"
"""dlib's: outer and inner corner of the eye on the image's right, the same of the other eye, base of the nose."""

EYES_NOSE_MOUTH = "eyes-nose-mouth"
"""Eye centres, tip of the nose, corners of the mouth; of each pair the one on the image's left first."""

ARCFACE_POINTS = (
    (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041),
)  # fmt: skip
"""insightface's 112×112 template, in the order of `EYES_NOSE_MOUTH`."""

ARCFACE_CHIP = Alignment("arcface-112", 112, ARCFACE_POINTS)
"""What ArcFace, AdaFace, MagFace and SFace were trained with: these very points."""

DLIB_POINTS = ((46.8, 45.5), (101.8, 45.3), (73.4, 77.4), (50.4, 103.8), (96.4, 103.6))
"""Where RetinaFace's points lie in dlib's chip: medians over LFW. dlib's net is as good by them as by its own."""

WIDE_POINTS = tuple((x + WIDE_MARGIN, y + WIDE_MARGIN) for x, y in DLIB_POINTS)

BY_SCHEME = {
    **{(alignment.name, EYE_CORNERS_NOSE): alignment for alignment in ALIGNMENTS.values()},
    (ARCFACE_BY_EYE_CORNERS.name, EYES_NOSE_MOUTH): ARCFACE_CHIP,
    (DLIB_CHIP.name, EYES_NOSE_MOUTH): Alignment("dlib-150-eyes-nose-mouth", DLIB_CHIP.size, DLIB_POINTS),
    (WIDE_CHIP.name, EYES_NOSE_MOUTH): Alignment("wide-225-eyes-nose-mouth", WIDE_CHIP.size, WIDE_POINTS),
}
"""(`FaceSpec.alignment`, scheme of the points) → the same chip, cut by those points."""


def in_scheme(alignment: Alignment, scheme: str) -> Alignment:
    """The chip of `alignment` by points of another scheme.

    Raises:
        InputError: Nobody has measured where such points lie in it.
    """
    found = BY_SCHEME.get((alignment.name, scheme))
    if found is None:
        known = ", ".join(sorted({of for name, of in BY_SCHEME if name == alignment.name})) or "no scheme"
        raise InputError(f"chip {alignment.name!r}", found=f"points {scheme!r}", expected=known)
    return found


def eye_centres(points: npt.NDArray[np.floating], scheme: str) -> npt.NDArray[np.floating]:
    """The two eye centres, the one on the image's left first.

    Args:
        points: float [5, 2].
        scheme: What they are.

    Returns:
        float [2, 2].
    """
    if scheme == EYES_NOSE_MOUTH:
        return points[:2]
    return np.stack([points[2:4].mean(axis=0), points[:2].mean(axis=0)])


def eyes_in_chip(alignment: Alignment) -> list[list[float]]:
    """Where the eye centres of a chip lie, in parts of its side: [[x, y], [x, y]], the one on the image's left first.

    Args:
        alignment: Of the chip, by dlib's points: one of `ALIGNMENTS`.
    """
    centres = (eye_centres(alignment.points, EYE_CORNERS_NOSE) + 0.5) / alignment.size
    return [[round(float(x), 6), round(float(y), 6)] for x, y in centres]


EYES_OVER_CORNERS = 1.03
"""Distance between RetinaFace's eye centres over that between dlib's (the middles of the corners), which the quality
ladder's sides are calibrated with: median of 244 valid photographs of MM-CelebA-HQ (5–95 %: .96–1.11)."""


def corner_eyes_px(inter_eye_px: float, scheme: str) -> float:
    """The distance between the eye centres as dlib's points would have it.

    Args:
        inter_eye_px: Of the scheme's own eye centres.
        scheme: What they are.
    """
    return inter_eye_px / EYES_OVER_CORNERS if scheme == EYES_NOSE_MOUTH else inter_eye_px
