"""The words of a review, which are stored: decisions, conclusions, steps, acts."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from tgfr_search.errors import TgfrError

Kind = TypeVar("Kind", bound=StrEnum)

ACTS = ("begin", "analyse", "decide", "unmask", "revise", "conclude", "release")


class ReviewError(TgfrError):
    """An act that is not this person's, or not yet, or not any more."""


class Decision(StrEnum):
    """Of one candidate. Stored: never rename one."""

    EXCLUDED = "excluded"
    DIFFERENT = "support for different"
    INCONCLUSIVE = "inconclusive"
    SAME = "support for same"
    NOT_SUITABLE = "not suitable"


class Conclusion(StrEnum):
    """Of the list. A lead in each case, never an identification."""

    CANDIDATES = "potential candidates"
    NONE = "no candidate"
    INCONCLUSIVE = "inconclusive"


class Step(StrEnum):
    """Where a review stands."""

    OPENED = "opened"
    ANALYSIS = "probe to be analysed"
    COMPARISON = "candidates to be compared"
    MASKED = "all compared, to be unmasked"
    UNMASKED = "unmasked, to be concluded"
    NEXT_PERSON = "another person is needed"
    AGREED = "to be released"
    RELEASED = "released"


def one_of(kind: type[Kind], value: Any, what: str = "decision") -> Kind:
    """The member that a stored word means.

    Args:
        kind: Of which words.
        value: The word.
        what: It is of, for the error.

    Raises:
        ReviewError: It is none of them.
    """
    try:
        return kind(value)
    except ValueError:
        raise ReviewError(what, found=str(value), expected=f"one of: {', '.join(kind)}") from None


def need(holds: bool, found: str, expected: str) -> None:
    """Refuses an act that must not be.

    Raises:
        ReviewError: It does not hold.
    """
    if not holds:
        raise ReviewError("review", found=found, expected=expected)
