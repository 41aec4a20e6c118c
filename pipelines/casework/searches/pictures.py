"""Pictures of the unknown that a search is made with, and which face of each is meant, as a case keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice


@dataclass(frozen=True)
class Picture:
    """A further picture of the unknown.

    Attributes:
        evidence: Its name in the case, evidence or a derivative.
        face: Which of its faces is meant; None is the largest.
    """

    evidence: str
    face: FaceChoice | None = None


def pictures_of(evidence: str | None, face: FaceChoice | None, more: Sequence[Picture]) -> list[Picture]:
    """All pictures of the unknown, each once."""
    pictures = [] if evidence is None else [Picture(evidence, face), *more]
    if more and len({each.evidence for each in pictures}) != len(more) + 1:
        raise InputError("evidence", found="one picture twice, or none", expected="several pictures, each once")
    return pictures


def chosen(asked: dict[str, Any]) -> FaceChoice | None:
    """Which face of the probe was meant in a search, by what it was asked; None is the largest."""
    return FaceChoice(**_tuples(asked["face"])) if asked.get("face") else None


def told_face(face: FaceChoice | None) -> dict[str, Any] | None:
    """A choice as plain values; what it does not say is left out."""
    if face is None:
        return None
    told = {"number": face.number, "box": face.box, "points": face.points}
    return {name: value for name, value in told.items() if value is not None}


def _tuples(told: dict[str, Any]) -> dict[str, Any]:
    """The choice that `told_face` told of, read from JSON."""
    given = dict(told)
    if "box" in given:
        given["box"] = tuple(given["box"])
    if "points" in given:
        given["points"] = tuple((x, y) for x, y in given["points"])
    return given
