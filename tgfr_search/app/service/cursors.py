"""Opaque cursors: where a list goes on. What they say is nobody's business and may change."""

from __future__ import annotations

import base64
import binascii

from tgfr_search.app.service.problems import Problem


def make_cursor(at: int) -> str:
    """A cursor that leads to a place."""
    return base64.urlsafe_b64encode(f"1:{at}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> int | None:
    """The place of a cursor; None of an empty one, which is the beginning.

    Raises:
        Problem: It is none of ours.
    """
    if not text:
        return None
    try:
        version, _, at = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(":")
        place = int(at) if version == "1" and at.isdecimal() else -1
    except (ValueError, binascii.Error):
        place = -1
    if place < 0:
        raise Problem(422, "bad_cursor", "not a cursor that was given out", "begin without one")
    return place
