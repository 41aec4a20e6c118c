"""Statements of one description that cannot both hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

SURE = 0.65
"""Statements that are less sure contradict nothing."""

EXCLUSIVE = (
    (("bald", True), ("long_hair", True)),
    (("bald", True), ("bangs", True)),
    (("bald", True), ("wavy_hair", True)),
    (("bald", True), ("straight_hair", True)),
    (("no_beard", True), ("goatee", True)),
)
"""Pairs of (attribute, holds) that one face does not have at once; hair of two colours there is."""


class Said(Protocol):
    """What is looked at of a statement."""

    @property
    def attribute(self) -> str:
        """Its attribute."""

    @property
    def holds(self) -> bool:
        """Whether it is said to hold."""

    @property
    def sure(self) -> float:
        """How surely."""

    @property
    def words(self) -> str:
        """Its words."""

    @property
    def start(self) -> int:
        """Where they begin."""


def clashes(statements: Sequence[Said]) -> tuple[str, ...]:
    """One sentence for each two statements that contradict one another, each pair of words once."""
    sure = [own for own in statements if own.sure >= SURE]
    out: dict[str, None] = {}
    for at, first in enumerate(sure):
        for second in sure[at + 1 :]:
            opposed = first.attribute == second.attribute and first.holds != second.holds
            pair = ((first.attribute, first.holds), (second.attribute, second.holds))
            if opposed or pair in EXCLUSIVE or pair[::-1] in EXCLUSIVE:
                out.setdefault(_sentence(first, second))
    return tuple(out)


def _sentence(first: Said, second: Said) -> str:
    return f"the description contradicts itself: {_told(first)} and {_told(second)}"


def _told(own: Said) -> str:
    name = own.attribute.replace("_", " ")
    return f'"{own.words}" ({"" if own.holds else "not "}{name})'
