"""Marks: what an examiner compared in two faces, feature by feature, and where in them it is.

Features are the facial components of the FISWG feature list for morphological analysis (2.0, 2018; ASTM E3149), in its
order. A place is in FACE coordinates, which do not depend on picture, size or alignment: the origin is halfway between
the centres of the eyes, the unit is the distance between them, x runs towards the eye on the image's right, y down. So
the eyes lie at (−0.5, 0) and (0.5, 0). A mark says what was seen; nothing is computed from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipelines.casework.review.terms import ReviewError, one_of

MOST = 100
"""Marks of one decision."""
FARTHEST = 5.0
"""Distances between the eyes from their middle, along each axis: shoulders are nearer."""
LONGEST_NOTE = 1000
Point = tuple[float, float]


class Feature(StrEnum):
    """A facial component. Stored: never rename one."""

    SKIN = "skin"
    OUTLINE = "face or head outline"
    COMPOSITION = "face or head composition"
    HAIR = "hair"
    FOREHEAD = "forehead"
    EYEBROWS = "eyebrows"
    EYES = "eyes"
    CHEEKS = "cheeks"
    NOSE = "nose"
    EARS = "ears"
    MOUTH = "mouth"
    CHIN = "chin or jawline"
    NECK = "neck"
    FACIAL_HAIR = "facial hair"
    LINES = "facial lines"
    SCARS = "scars"
    MARKS = "facial marks"
    ALTERATIONS = "alterations"
    OTHER = "other"


class Found(StrEnum):
    """How a feature of the candidate compares with the probe's. Stored: never rename one."""

    SIMILAR = "similar"
    DIFFERENT = "different"
    NOT_VISIBLE = "not visible"


@dataclass(frozen=True)
class Mark:
    """One feature that was compared.

    Attributes:
        feature: Which.
        found: How it compares.
        note: What was seen.
        probe: Where it is in the probe's face, FACE coordinates; None where no place was marked.
        candidate: Where it is in the candidate's.
    """

    feature: Feature
    found: Found
    note: str = ""
    probe: Point | None = None
    candidate: Point | None = None

    def told(self) -> dict[str, Any]:
        """As plain values, which `read_marks` reads."""
        return {
            "feature": str(self.feature),
            "found": str(self.found),
            "note": self.note,
            "probe": None if self.probe is None else list(self.probe),
            "candidate": None if self.candidate is None else list(self.candidate),
        }


def read_marks(told: Iterable[Mapping[str, Any]]) -> tuple[Mark, ...]:
    """Marks of plain values, strictly.

    Raises:
        ReviewError: There are too many, one has a name that no mark has, no known feature or finding, a note that is
            too long, or a place that is none.
    """
    given = list(told)
    if len(given) > MOST:
        raise ReviewError("marks", found=f"{len(given)}", expected=f"at most {MOST}")
    return tuple(_mark(each) for each in given)


def _mark(told: Mapping[str, Any]) -> Mark:
    if not isinstance(told, Mapping) or not {"feature", "found"} <= told.keys() <= set(Mark.__dataclass_fields__):
        found = ", ".join(map(str, told)) if isinstance(told, Mapping) else type(told).__name__
        raise ReviewError("mark", found=found, expected="feature and found, perhaps note, probe, candidate")
    note = str(told.get("note") or "").strip()
    if len(note) > LONGEST_NOTE:
        raise ReviewError("mark", found=f"a note of {len(note)} characters", expected=f"at most {LONGEST_NOTE}")
    feature, how = one_of(Feature, told["feature"], "feature"), one_of(Found, told["found"], "mark")
    return Mark(feature, how, note, _point(told.get("probe")), _point(told.get("candidate")))


def _point(given: Any) -> Point | None:
    """A place, rounded to a thousandth of the distance between the eyes: less than a pixel of any face."""
    if given is None:
        return None
    try:
        x, y = (float(each) for each in given)
    except (TypeError, ValueError):
        x = y = math.nan
    if not (abs(x) <= FARTHEST and abs(y) <= FARTHEST):
        expected = f"x and y in FACE coordinates, within ±{FARTHEST:g} distances between the eyes"
        raise ReviewError("mark", found=str(given)[:60], expected=expected)
    return (round(x, 3) + 0.0, round(y, 3) + 0.0)
