"""What one person does in a review: see `review.Review`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipelines.casework.review.marks import Mark
from pipelines.casework.review.terms import Conclusion, Decision


@dataclass
class Work:
    """One person's work.

    Attributes:
        actor: Account.
        order: In which candidates and foils are shown: `Review.compared`, shuffled.
        analysed: The probe's analysis is locked.
        suitable: The probe serves.
        decisions: By number of `Review.compared`, a foil's negative, as they stand.
        marks: The features that each rests on.
        blind: The decisions before unmasking.
        unmasked: Rows and ranks are shown.
        conclusion: Of the list; None as long as the person is at work.
    """

    actor: str
    order: tuple[int, ...]
    analysed: bool = False
    suitable: bool = True
    decisions: dict[int, Decision] = field(default_factory=dict)
    marks: dict[int, tuple[Mark, ...]] = field(default_factory=dict)
    blind: dict[int, Decision] = field(default_factory=dict)
    unmasked: bool = False
    conclusion: Conclusion | None = None

    def named(self) -> frozenset[int]:
        """Candidates, not foils, with support for same."""
        return frozenset(row for row, made in self.decisions.items() if made is Decision.SAME and row >= 0)

    @property
    def result(self) -> tuple[bool, Conclusion | None, frozenset[int]]:
        """What two people must have in common to agree: whether the probe serves, the conclusion, whom it names."""
        return self.suitable, self.conclusion, self.named()

    def told(self) -> dict[str, Any]:
        """What was decided blind: `decisions` on candidates and `foils` by row; how many were `revised` afterwards."""
        return {
            "actor": self.actor,
            "suitable": self.suitable,
            "decisions": {row: made for row, made in self.blind.items() if row >= 0},
            "foils": {~row: made for row, made in self.blind.items() if row < 0},
            "revised": sum(made is not self.blind[row] for row, made in self.decisions.items()),
        }

    def shown(self) -> dict[str, Any]:
        """What others see of it once all are done: `decisions` and `marks` by row, and what was decided on foils."""
        return {
            "actor": self.actor,
            "conclusion": str(self.conclusion),
            "decisions": {row: made for row, made in self.decisions.items() if row >= 0},
            "foils": {~row: made for row, made in self.decisions.items() if row < 0},
            "marks": {row: [mark.told() for mark in marks] for row, marks in self.marks.items() if marks and row >= 0},
        }
