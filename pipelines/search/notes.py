"""What a person must know to read one answer: everything that was asked for and not done, or done otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tgfr_search.visible import says_something

SMALL_WORDS = {
    "German": "der das ein eine einen einer mit und ohne hat ist sehr auf dem den",
    "French": "un une le la les des du avec et sans aux dans est qui",
    "Spanish": "el los las una con y sin muy tiene es del",
    "Italian": "il lo gli uno dei della ha senza occhiali",
    "Portuguese": "um uma os com sem tem muito de",
    "Dutch": "een het met en zonder heeft van",
    "Swedish, Danish, Norwegian": "ett med och og utan uden uten har som",
    "Polish": "z bez oraz w na jest",
    "Turkish": "bir ve ile olan siyah",
    "Indonesian": "yang dan dengan seorang",
}
"""Articles, prepositions, conjunctions that are no English words: a description of three words mostly has one."""
FOREIGN = frozenset(word for words in SMALL_WORDS.values() for word in words.split())
ENGLISH = frozenset(
    ("a", "an", "the", "with", "and", "has", "have", "is", "of", "in", "on", "his", "her", "he", "she", "they", "no")
)
NOT_ENGLISH = (
    "the description does not look like English, which the text encoder was trained on: do not rely on its part"
)
WORD = re.compile(r"[^\W\d_]+")


def looks_english(lines: Sequence[str]) -> bool:
    """Whether a description can be English, judged by its script and its smallest words.

    It is made to be right where it says no: a description without any small word passes.
    """
    words = [word.lower() for line in lines for word in WORD.findall(line)]
    if not words:
        return True
    latin = sum(word.isascii() or all(ord(char) < 0x250 for char in word) for word in words)
    if 2 * latin <= len(words):
        return False
    foreign = sum(word in FOREIGN for word in words)
    return foreign <= sum(word in ENGLISH for word in words) if foreign else True


def query_notes(
    asked: str, used: str, given: Sequence[str], lines: Sequence[str], truncated: int, faces: int, cut_off: bool
) -> tuple[str, ...]:
    """Sentences about one query.

    Args:
        asked: The mode that was asked for.
        used: What was searched with.
        given: Lines of the description as they were given.
        lines: Those that say something.
        truncated: How many of them are longer than the text encoder reads.
        faces: Seen in the photo.
        cut_off: Whether the photo's file is.
    """
    notes = []
    if asked == "fused" and used != "fused":
        lacks = "description" if used == "image" else "photo"
        notes.append(f"fused was asked for, but there is no {lacks}: searched by {used} alone")
    if any(line and line.strip() and not says_something(line) for line in given):
        notes.append("a line of the description has no letter or digit that can be seen and was left out")
    if truncated and used != "image":
        notes.append(f"{truncated} line(s) of the description were cut: longer than the text encoder reads")
    if used != "image" and not looks_english(lines):
        notes.append(NOT_ENGLISH)
    if faces > 1 and used != "caption":
        notes.append(f"{faces} faces in the photo: the largest was searched with")
    if cut_off:
        notes.append("the photo's file is cut off: searched with the face in what is there of it")
    return tuple(notes)
