"""What lines of a description say: statements, and what they claim together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tgfr_search.words.clash import SURE


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a description says of a face.

    Attributes:
        attribute: A name of `data.captions.ATTRIBUTES`, or one that no face is judged by (`long_hair`).
        holds: Whether it is said to hold.
        sure: 0 (named, nothing said) to 1, from how it is put: "might have had" is less than "had".
        denied: Whether a word of denial stands by it.
        line: Which line.
        start: Where its words begin in the line.
        end: Where they end.
        words: The words.
        cue: The denying word, its place (start, end) in the line; None where there is none.
    """

    attribute: str
    holds: bool
    sure: float
    denied: bool
    line: int
    start: int
    end: int
    words: str
    cue: tuple[int, int] | None


def claims_of(statements: Iterable[Statement]) -> dict[str, float]:
    """Attribute → −1 (surely denied) to 1 (surely asserted), without what contradicts itself or says nothing."""
    out: dict[str, float] = {}
    both: set[str] = set()
    for own in statements:
        value = own.sure if own.holds else -own.sure
        other = out.get(own.attribute, 0.0)
        if other * value < 0 and min(abs(other), abs(value)) >= SURE:
            both.add(own.attribute)
        if value and abs(value) >= abs(other):
            out[own.attribute] = value
    return {name: value for name, value in out.items() if name not in both}


@dataclass(frozen=True, slots=True)
class Reading:
    """What lines of a description say.

    Attributes:
        statements: In the order of the text.
        clashes: Sentences about statements that contradict one another.
        unread: Words that the reading knows nothing of, in order, each once.
        names: What looks like somebody's name: capital letters within a sentence, or after "looks like", "called".
    """

    statements: tuple[Statement, ...]
    clashes: tuple[str, ...]
    unread: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def claims(self) -> dict[str, float]:
        """What all statements together claim: see `claims_of`."""
        return claims_of(self.statements)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
