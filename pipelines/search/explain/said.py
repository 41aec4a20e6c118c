"""Words and phrases of a description: where they are, and the description without one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a an the this that these those he she it they his her its their him them who which is are was were be been "
        "being has have had having wears wear wearing wore with and or but also of in on at to for by as there looks "
        "look seems person man woman photo picture very quite rather some",
    )
)
"""Words between which phrases lie; alone they are words like any other."""


def words_of(line: str) -> list[tuple[int, int]]:
    """Where the words of a line are: (first character, one past the last)."""
    return [match.span() for match in _WORD.finditer(line)]


def phrases_of(line: str) -> list[tuple[int, int]]:
    """Runs of two and more words that say one thing: neither a filler word nor a mark stands between them."""
    runs: list[list[tuple[int, int]]] = [[]]
    for start, end in words_of(line):
        run = runs[-1]
        if line[start:end].lower() in _FILLERS:
            runs.append([])
        elif run and line[run[-1][1] : start].strip():
            runs.append([(start, end)])
        else:
            run.append((start, end))
    return [(run[0][0], run[-1][1]) for run in runs if len(run) > 1]


def without(lines: Sequence[str], at: int, span: tuple[int, int]) -> tuple[str, ...]:
    """The lines without the characters of one of them, or without that line where no word is left of it."""
    line = lines[at]
    left = f"{line[: span[0]]}{line[span[1] :]}"
    # Two spaces, or one before a full stop, would be changes of their own.
    left = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(left.split()))
    return tuple(left if i == at else own for i, own in enumerate(lines) if i != at or words_of(left))
