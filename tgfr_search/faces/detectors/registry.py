"""Detectors by name. Another is a file of its own and an entry here, or an entry point of `tgfr_search.detectors`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from tgfr_search.errors import InputError
from tgfr_search.faces.detectors import dlib_hog, retinaface
from tgfr_search.faces.detectors.base import Detector

GROUP = "tgfr_search.detectors"
DETECTORS: dict[str, Callable[[], Detector]] = {
    dlib_hog.NAME: dlib_hog.DlibHog,
    retinaface.NAME: retinaface.RetinaFace,
}
FIRST = dlib_hog.NAME
"""What an index was made with that names none."""
DEFAULT = dlib_hog.NAME


def make_detector(name: str) -> Detector:
    """The detector of this name.

    Raises:
        InputError: There is none.
    """
    if name in DETECTORS:
        return DETECTORS[name]()
    found = entry_points(group=GROUP)
    for entry in found:
        if entry.name == name:
            detector: Detector = entry.load()()
            return detector
    known = [*DETECTORS, *(entry.name for entry in found)]
    raise InputError(f"detector {name!r}", expected=f"one of: {', '.join(known)}")
