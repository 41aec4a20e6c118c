"""What a person must know to read one answer: everything that was asked for and not done, or done otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from tgfr_search.types import AlignedFace
from tgfr_search.visible import says_something
from tgfr_search.words.read import read_lines
from tgfr_search.words.reading import Reading


def query_notes(
    asked: str, used: str, given: Sequence[str], lines: Sequence[str], truncated: int, face: AlignedFace | None
) -> tuple[str, ...]:
    """Sentences about one query.

    Args:
        asked: The mode that was asked for.
        used: What was searched with.
        given: Lines of the description as they were given.
        lines: Those that say something.
        truncated: How many of them are longer than the text encoder reads.
        face: What was searched with.
    """
    notes = []
    if asked == "fused" and used != "fused":
        lacks = "description" if used == "image" else "photo"
        notes.append(f"fused was asked for, but there is no {lacks}: searched by {used} alone")
    if any(line and line.strip() and not says_something(line) for line in given):
        notes.append("a line of the description has no letter or digit that can be seen and was left out")
    if truncated and used != "image":
        notes.append(f"{truncated} line(s) of the description were cut: longer than the text encoder reads")
    if used != "image":
        notes += words_notes(read_lines(lines))
    if face is not None and len(face.seen) > 1:
        number, shown = next((at, each) for at, each in enumerate(face.seen, start=1) if each.chosen)
        where = "{2} × {3} pixels at x {0}, y {1}".format(*shown.box)
        more = "--face N takes another, --faces shows them"
        notes.append(f"{len(face.seen)} faces in the photo: searched with face {number}, {where}; {more}")
    if face is not None and face.quality.by_hand:
        notes.append("the points of the face were set by hand")
    if face is not None and face.quality.truncated:
        notes.append("the photo's file is cut off: searched with the face in what is there of it")
    return tuple(notes)


def words_notes(reading: Reading) -> list[str]:
    """Sentences about what a description says.

    Args:
        reading: Of its lines.
    """
    notes = list(reading.clashes)
    said = [own for own in reading.statements if own.sure]
    if said and all(own.denied for own in said):
        notes.append("the description only denies: it tells what the person had not, which leaves most faces")
    if reading.names:
        notes.append(f"names are not read, nobody is found by one: {', '.join(reading.names)}")
    return notes
