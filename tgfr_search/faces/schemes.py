"""The five points that detectors give, and where each set lies in the chips that face networks were trained with."""

from __future__ import annotations

from tgfr_search.faces.align import Alignment

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
