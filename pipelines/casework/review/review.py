"""Blind review of a candidate list by two people, as a state machine that knows no page and no disk.

    opened → probe analysed → candidates compared blind, one after another → unmasked → concluded
           → a second person, blind, the same way → agreed, or a third person → released

Candidates come shuffled, under labels that say nothing: no score, no rank, no row, no name, nobody else's decision,
until one's own are made: all of these bias examiners (linear sequential unmasking, Dror & Kukucka 2021; Howard 2020).
After unmasking a decision is revised, with a reason, and both stay. A review made again from its events is the same.
Foils, strangers whom the laboratory put among the candidates, are compared like them and told apart only by unmasking.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.casework.review.marks import Mark, read_marks
from pipelines.casework.review.terms import ACTS, Conclusion, Decision, ReviewError, Step, need, one_of
from pipelines.casework.review.work import Work

__all__ = ["ACTS", "Conclusion", "Decision", "Review", "ReviewError", "Step"]

PERSONS = 3
"""At most: the third decides where the first two do not agree."""


class Review:
    """A review of one candidate list.

    Args:
        rows: Row ids of the candidates, best first.
        seed: Of the order in which each person sees them; to be logged.
        foils: Row ids of strangers who are compared among them.

    Attributes:
        events: All that was done, in order, plain values.
        compared: Candidates, then foils, each of these as `~row`: a negative number.
    """

    def __init__(self, rows: Sequence[int], seed: int, foils: Sequence[int] = ()) -> None:
        if not rows or len({*rows, *foils}) != len(rows) + len(foils):
            raise ReviewError("candidates", found=f"{len(rows)}, or one twice", expected="one or more, each once")
        self.rows, self.seed = tuple(rows), seed
        self.compared = (*rows, *(~row for row in foils))
        self.events: list[dict[str, Any]] = []
        self._passes: list[Work] = []
        self._released = False

    @classmethod
    def again(
        cls, rows: Sequence[int], seed: int, events: Iterable[Mapping[str, Any]], foils: Sequence[int] = ()
    ) -> Review:
        """The review that these events made; ReviewError where they cannot have happened."""
        review = cls(rows, seed, foils)
        for event in events:
            act, told = str(event.get("act")), {name: value for name, value in event.items() if name != "act"}
            try:
                {each: getattr(review, each) for each in ACTS}[act](**told)
            except (KeyError, TypeError, AttributeError) as error:
                raise ReviewError("review", found=f"an event {act!r}: {error}", expected="an act of `ACTS`") from None
        return review

    @property
    def step(self) -> Step:
        """Where it stands."""
        if self._released:
            return Step.RELEASED
        if not self._passes:
            return Step.OPENED
        last = self._passes[-1]
        if last.conclusion is not None:
            return Step.AGREED if self._settled() else Step.NEXT_PERSON
        if not last.analysed:
            return Step.ANALYSIS
        if last.unmasked:
            return Step.UNMASKED
        return Step.MASKED if len(last.decisions) == len(self.compared) else Step.COMPARISON

    @property
    def conclusion(self) -> Conclusion | None:
        """Of the whole, once it is released: the last person's, with which another one agrees or who was the third."""
        return self._passes[-1].conclusion if self._released else None

    @property
    def agree(self) -> bool | None:
        """Whether the first and the second person came to one result; None before both are done."""
        done = [each.result for each in self._passes[:2] if each.conclusion is not None]
        return done[0] == done[1] if len(done) == 2 else None

    def begin(self, actor: str) -> None:
        """A person starts, once nobody is at work; nobody twice, and nobody who is not needed."""
        need(self.step in (Step.OPENED, Step.NEXT_PERSON), self.step, "a review that waits for a person")
        need(bool(actor.strip()), "nobody", "an account")
        known = [each.actor for each in self._passes]
        need(actor not in known, f"{actor}, who has reviewed it", "another person than before")
        order = random.Random(f"{self.seed}/{len(self._passes)}").sample(self.compared, len(self.compared))
        self._passes.append(Work(actor, tuple(order)))
        self._tell("begin", actor)

    def analyse(self, actor: str, text: str, suitable: bool = True) -> None:
        """Locks the probe's analysis, before any candidate is seen; a probe that is not suitable ends the work."""
        own = self._own(actor, Step.ANALYSIS)
        need(bool(text.strip()), "nothing", "what is seen in the probe")
        own.analysed, own.suitable = True, suitable
        if not suitable:
            own.conclusion = Conclusion.INCONCLUSIVE
        self._tell("analyse", actor, text=text, suitable=suitable)

    def decide(self, actor: str, label: str, decision: str, marks: Iterable[Mapping[str, Any]] = ()) -> None:
        """Locks the decision on the candidate that is next in this person's order, with the features it rests on."""
        own = self._own(actor, Step.COMPARISON)
        row = own.order[len(own.decisions)]
        need(label == _label(len(own.decisions)), label, f"{_label(len(own.decisions))}, which is next")
        made, seen = one_of(Decision, decision), read_marks(marks)
        own.decisions[row] = own.blind[row] = made
        own.marks[row] = seen
        self._tell("decide", actor, label=label, decision=decision, **_told(seen))

    def unmask(self, actor: str) -> None:
        """Shows rows and ranks, once every candidate is decided on."""
        self._own(actor, Step.MASKED).unmasked = True
        self._tell("unmask", actor)

    def revise(
        self, actor: str, label: str, decision: str, reason: str, marks: Iterable[Mapping[str, Any]] | None = None
    ) -> None:
        """Changes a decision after unmasking, with a reason; the first one stays among the events.

        Marks that are given take the place of those of the decision; None leaves them.
        """
        own = self._own(actor, Step.UNMASKED)
        labels = [_label(at) for at in range(len(own.order))]
        need(label in labels, label, f"one of: {', '.join(labels)}")
        need(bool(reason.strip()), "no reason", "why the decision changes")
        row, made = own.order[labels.index(label)], one_of(Decision, decision)
        need(row >= 0, f"{label}, a foil", "a candidate: what was decided on a foil stays")
        seen = None if marks is None else read_marks(marks)
        own.decisions[row] = made
        if seen is not None:
            own.marks[row] = seen
        told = {} if seen is None else {"marks": [each.told() for each in seen]}
        self._tell("revise", actor, label=label, decision=decision, reason=reason, **told)

    def conclude(self, actor: str, conclusion: str) -> None:
        """Ends a person's work with a conclusion that fits the decisions."""
        own = self._own(actor, Step.UNMASKED)
        made, same = one_of(Conclusion, conclusion), bool(own.named())
        fits = made is Conclusion.INCONCLUSIVE or same == (made is Conclusion.CANDIDATES)
        need(fits, f"{conclusion} with{'' if same else 'out'} a candidate of support for same", "one that fits")
        own.conclusion = made
        self._tell("conclude", actor, conclusion=conclusion)

    def release(self, actor: str) -> None:
        """Lets the report go out: two people agree, or a third one has decided."""
        need(self.step is Step.AGREED, self.step, "two people who agree, or a third one's conclusion")
        need(bool(actor.strip()), "nobody", "an account")
        self._released = True
        self._tell("release", actor)

    def view(self, actor: str) -> dict[str, Any]:
        """All that this person may see now: own labels and decisions; rows once unmasked; others' when all are done."""
        own = next((each for each in self._passes if each.actor == actor), None)
        seen: dict[str, Any] = {"step": str(self.step)}
        if own is not None and own.analysed and own.suitable:
            count = len(own.order) if own.unmasked else min(len(own.decisions) + 1, len(own.order))
            seen["candidates"] = [
                {"label": _label(at)}
                | ({"decision": str(own.decisions[row]), **_told(own.marks[row])} if row in own.decisions else {})
                | (self._unmasked(row) if own.unmasked else {})
                for at, row in enumerate(own.order[:count])
            ]
        if self.step in (Step.AGREED, Step.RELEASED):
            seen["persons"] = [each.shown() for each in self._passes]
        return seen

    def row_to_show(self, actor: str, label: str) -> int:
        """The row whose picture a person may look at under a label; for the server, never for the page."""
        for candidate in self.view(actor).get("candidates", ()):
            if candidate["label"] == label:
                own = next(each for each in self._passes if each.actor == actor)
                return _row(own.order[int(label[1:]) - 1])
        raise ReviewError(label, found="none of this person's candidates by now", expected="one that is shown")

    def work(self) -> list[dict[str, Any]]:
        """What each person who is done decided blind, in order, for statistics, never for a page: see `Work.told`."""
        return [each.told() for each in self._passes if each.conclusion is not None]

    def _unmasked(self, row: int) -> dict[str, Any]:
        """What unmasking shows: a candidate's row and rank, or that it is a foil, of whom no more is told."""
        return {"foil": True} if row < 0 else {"row": row, "rank": self.rows.index(row) + 1}

    def _settled(self) -> bool:
        return len(self._passes) == PERSONS or bool(self.agree)

    def _own(self, actor: str, step: Step) -> Work:
        need(self.step is step, self.step, step)
        last = self._passes[-1]
        need(last.actor == actor, actor, f"{last.actor}, who is at work")
        return last

    def _tell(self, act: str, actor: str, **told: Any) -> None:
        self.events.append({"act": act, "actor": actor, **told})


def _row(number: int) -> int:
    """The row of the index that a number of `Review.compared` stands for."""
    return ~number if number < 0 else number


def _told(marks: Sequence[Mark]) -> dict[str, Any]:
    """Marks as an event or a view has them: nothing where there are none, as in reviews of before there were any."""
    return {"marks": [each.told() for each in marks]} if marks else {}


def _label(at: int) -> str:
    return f"C{at + 1:02d}"
