"""What a person must know to read one answer: everything that was asked for and not done, or done otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from tgfr_search.pages.sentences import known, note
from tgfr_search.types import AlignedFace, Note
from tgfr_search.visible import says_something
from tgfr_search.words.read import read_lines
from tgfr_search.words.reading import Reading


def query_notes(
    asked: str, used: str, given: Sequence[str], lines: Sequence[str], truncated: int, face: AlignedFace | None
) -> tuple[Note, ...]:
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
        notes.append(note("fused_without_words" if used == "image" else "fused_without_photo"))
    if any(line and line.strip() and not says_something(line) for line in given):
        notes.append(note("empty_line"))
    if truncated and used != "image":
        notes.append(note("cut_lines", count=truncated))
    if used != "image":
        notes += words_notes(read_lines(lines))
    if face is not None and len(face.seen) > 1:
        number, shown = next((at, each) for at, each in enumerate(face.seen, start=1) if each.chosen)
        place = dict(zip(("x", "y", "width", "height"), shown.box, strict=True))
        notes.append(note("several_faces", count=len(face.seen), number=number, **place))
    if face is not None and face.quality.by_hand:
        notes.append(note("points_by_hand"))
    if face is not None and face.quality.truncated:
        notes.append(note("photo_cut_off"))
    return tuple(notes)


def words_notes(reading: Reading) -> list[Note]:
    """Sentences about what a description says.

    Args:
        reading: Of its lines.
    """
    notes = [known(each) for each in reading.clashes]
    said = [own for own in reading.statements if own.sure]
    if said and all(own.denied for own in said):
        notes.append(note("only_denies"))
    if reading.names:
        notes.append(note("names_unread", names=", ".join(reading.names)))
    return notes
