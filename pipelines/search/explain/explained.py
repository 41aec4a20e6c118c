"""What an explanation holds: terms, words, regions and statements of candidates, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tgfr_search.types import ByteArray

GRID = 7
"""Cells along each side of the probe's chip."""

EXPLAIN_NOTICE = (
    "This shows what moved this score, not whether two pictures show one person. A word's or region's share is the "
    "change of the score when it alone is left out; such changes need not add up."
)


@dataclass(frozen=True, slots=True)
class Said:
    """A word or phrase of the description and what it did.

    Attributes:
        line: Which caption line, from 0.
        start: First character in the line.
        end: One past the last.
        text: Itself.
        effect: Score less the score without it: positive where it raised the score.
    """

    line: int
    start: int
    end: int
    text: str
    effect: float


@dataclass(frozen=True, slots=True)
class Share:
    """What one statement of the description adds to a score.

    Attributes:
        attribute: It is about.
        claim: −1 (surely denied) to 1 (surely asserted).
        words: Of the description that say so.
        adds: Exactly.
    """

    attribute: str
    claim: float
    words: tuple[str, ...]
    adds: float


@dataclass(frozen=True)
class Explanation:
    """Why one candidate has its score.

    Attributes:
        rank: Of the candidate.
        subject_id: Whose template it is.
        row_id: The row.
        score: Σ `terms` + Σ what `statements` add + `offset` + `typicality`.
        terms: Term → what it adds: its weight for this probe times (block score − that term's mean impostor score).
        offset: The probe's own part, the same for every candidate.
        words: Every word of the description.
        phrases: Runs of two and more words that say one thing (`black hair`).
        regions: [GRID][GRID], rows from the top of the probe's chip: score less the score with that patch blurred; None
            where the search used no image.
        statements: What the description states, where that moves the score by itself and not by the text encoder.
        typicality: What how probe and record stand to strangers adds.
    """

    rank: int
    subject_id: str
    row_id: int
    score: float
    terms: Mapping[str, float]
    offset: float
    words: tuple[Said, ...]
    phrases: tuple[Said, ...]
    regions: tuple[tuple[float, ...], ...] | None
    statements: tuple[Share, ...] = ()
    typicality: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Explained:
    """The explanations of a query's first candidates.

    Attributes:
        candidates: Best first.
        lines: The description's lines, as the words' places count in them.
        chip: uint8 [S, S, 3], the probe's aligned face; None where the search used no image.
        notice: What this does not say.
    """

    candidates: tuple[Explanation, ...]
    lines: tuple[str, ...]
    chip: ByteArray | None
    notice: str = EXPLAIN_NOTICE

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the picture."""
        return {
            "notice": self.notice,
            "grid": GRID,
            "lines": list(self.lines),
            "candidates": [candidate.as_dict() for candidate in self.candidates],
        }


def share_text(said: Share) -> str:
    """A statement as a row of the table: "stated: not eyeglasses ("no eyeglasses")"."""
    words = ", ".join(f'"{each}"' for each in said.words)
    perhaps = "perhaps " if abs(said.claim) < 1 else ""
    return f"stated: {perhaps}{'' if said.claim > 0 else 'not '}{said.attribute.replace('_', ' ')} ({words})"
