"""Whether a line is put as the text encoder was taught, and the line without what it denies.

A text encoder that was trained on one grammar reads that grammar well, and overlooks a "no" elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

from tgfr_search.words.read import read_lines
from tgfr_search.words.tokens import MARKS, tokenize

FAMILIAR = 0.9
"""The share of pairs of words that must be known for a line to be put as the text encoder was taught."""

BEGIN, MARK, END = "^", "|", "$"


def word_pairs(line: str) -> list[str]:
    """Every two words that follow one another, in small letters; the line's ends and all marks count as words."""
    words = [BEGIN, *(MARK if token.word in MARKS else token.word for token in tokenize(line)), END]
    return [f"{first} {second}" for first, second in pairwise(words)]


def is_familiar(line: str, known: Collection[str]) -> bool:
    """Whether a line is put as those were whose pairs of words are known.

    Args:
        line: Of a description.
        known: Of `word_pairs`.
    """
    pairs = word_pairs(line)
    return sum(pair in known for pair in pairs) >= FAMILIAR * len(pairs)


def without_denials(line: str) -> str:
    """A line without the words that deny something and those of what they deny; empty where nothing is left."""
    spans = []
    for own in read_lines((line,)).statements:
        if own.denied:
            places = [(own.start, own.end)] + ([] if own.cue is None else [own.cue])
            spans.append((min(start for start, _ in places), max(end for _, end in places)))
    kept = "".join(char for at, char in enumerate(line) if not any(start <= at < end for start, end in spans))
    kept = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(kept.split())) if spans else line
    return kept if re.search(r"[^\W_]", kept) else ""
