"""Where the face of a row was in its photo, and the picture of it that other templates can be made from later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from indexer.errors import BadRowError

Points = tuple[tuple[float, float], ...]
_WHOLE, _NUMBERS = (pa.list_(pa.field("element", kind, nullable=False)) for kind in (pa.int32(), pa.float32()))
FACE_COLUMNS = {
    "face_box": _WHOLE,
    "face_points": _NUMBERS,
    "face_scheme": pa.string(),
    "face_detector": pa.string(),
    "crop_points": _NUMBERS,
}
"""All null of a row of which nobody told, as of those of before format 4."""
CROP_COLUMN = "crop"


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """The face that a row's template was made of.

    Coordinates are (x, y) in pixels; the centre of the first pixel is (0, 0). They are stored as float32.

    Attributes:
        box: (left, top, right, bottom) of the detection in the photo; None where nobody detected it.
        points: Its points in the photo.
        scheme: What the points are, for instance `eyes-nose-mouth`.
        detector: What found them; empty where nothing did.
        crop_points: The same points in `crop`; None where no crop was stored.
        crop: The face with a margin, upright or not, as an encoded picture: any alignment can be cut from it. None
            where none was stored or none was asked for.

    Raises:
        BadRowError: A coordinate is not finite, the points are not a scheme's, or the crop comes without its points.
    """

    box: tuple[int, int, int, int] | None
    points: Points
    scheme: str
    detector: str
    crop_points: Points | None = None
    crop: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("points", "crop_points"):
            points = getattr(self, name)
            if points is not None and not (points and np.isfinite(np.array(points, np.float64)).all()):
                raise BadRowError(f"{name} of a face", found=repr(points), expected="finite pairs, one at least")
        if self.crop_points is not None and len(self.crop_points) != len(self.points):
            raise BadRowError("crop_points of a face", found=f"{len(self.crop_points)}", expected=f"{len(self.points)}")
        if not self.scheme:
            raise BadRowError("scheme of a face", found="none", expected="the name of the scheme of its points")
        if self.crop is not None and (not isinstance(self.crop, bytes) or self.crop_points is None):
            raise BadRowError(
                "crop of a face", found="no bytes, or no points", expected="bytes, and where the points lie"
            )


def face_cells(face: EnrolledFace | None) -> dict[str, Any]:
    """A face as values of `FACE_COLUMNS` and `CROP_COLUMN`."""
    if face is None:
        return dict.fromkeys((*FACE_COLUMNS, CROP_COLUMN))
    return {
        "face_box": None if face.box is None else list(map(int, face.box)),
        "face_points": _flat(face.points),
        "face_scheme": face.scheme,
        "face_detector": face.detector,
        "crop_points": None if face.crop_points is None else _flat(face.crop_points),
        CROP_COLUMN: face.crop,
    }


def face_of(cells: Mapping[str, Any]) -> EnrolledFace | None:
    """The face that a row's cells tell of; a crop that was not read is None.

    Raises:
        BadRowError: They tell of none that could be stored.
    """
    if cells.get("face_points") is None:
        return None
    box, crop_points = cells["face_box"], cells["crop_points"]
    return EnrolledFace(
        None if box is None else (box[0], box[1], box[2], box[3]),
        _pairs(cells["face_points"]),
        cells["face_scheme"],
        cells["face_detector"],
        None if crop_points is None else _pairs(crop_points),
        cells.get(CROP_COLUMN),
    )


def _flat(points: Points) -> list[float]:
    return [float(np.float32(value)) for point in points for value in point]


def _pairs(flat: list[float]) -> Points:
    return tuple(zip(flat[::2], flat[1::2], strict=True))
