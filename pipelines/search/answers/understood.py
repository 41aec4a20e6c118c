"""What of a description was understood, in words and numbers: for the answer, the sheet and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.words.read import read_lines

BY_STATEMENT, BY_TEXT, BY_NOTHING = "statements", "text", "nothing"
"""What of a statement moves a score: its direction, the text encoder's reading of its line (most of what moves
where the line is in the phrasing that it was taught), or nothing."""

HEDGED = 1.0
"""A statement that is less sure than this is told as hedged."""


def understood(model: FaceTextModel, lines: Sequence[str], mode: str) -> dict[str, Any] | None:
    """What the lines of a description say, and how it moves the search.

    Args:
        model: That is searched with.
        lines: Of one description.
        mode: What is searched with.

    Returns:
        `statements`, each with `attribute`, `holds`, `sure`, `denied`, its place (`line`, `start`, `end`), `words`,
        `cue` and what it `moves` the score by; `clashes`, `unread`, `names`. None where no word is heard.
    """
    if mode == "image" or not lines:
        return None
    reading, own = read_lines(lines), model.directions
    claims, others = {}, set[int]()
    if own is not None and model.states(mode):
        claims, others = own.claims(lines, mode), set(own.unfamiliar(lines))
    told = reading.as_dict()
    told |= {name: list(told[name]) for name in ("statements", "clashes", "unread", "names")}
    for said in told["statements"]:
        said["cue"] = None if said["cue"] is None else list(said["cue"])
        apart = said["line"] in others
        if apart and claims.get(said["attribute"], 0.0) * (1 if said["holds"] else -1) > 0 and said["sure"]:
            said["moves"] = BY_STATEMENT
        else:
            said["moves"] = BY_NOTHING if apart and said["denied"] else BY_TEXT
    return told


def understood_text(told: Mapping[str, Any] | None) -> str:
    """One line for a person: "male; not eyeglasses; perhaps mustache"; empty where nothing was read."""
    if told is None:
        return ""
    parts: dict[str, None] = {}
    for said in told["statements"]:
        name = said["attribute"].replace("_", " ")
        if said["sure"]:
            perhaps = "perhaps " if said["sure"] < HEDGED else ""
            parts.setdefault(f"{perhaps}{'' if said['holds'] else 'not '}{name}")
    return "; ".join(parts)


def unread_text(told: Mapping[str, Any] | None) -> str:
    """Words of which the reading knows nothing, as a list; empty where there are none."""
    return "" if told is None else ", ".join(told["unread"])
