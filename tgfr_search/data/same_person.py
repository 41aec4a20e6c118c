"""What people decided about labels: pairs of subjects, each one person or two; photos that are of somebody else.

Scores alone decide nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from tgfr_search.errors import InputError

SAME, DIFFERENT, UNDECIDED = "same person", "different", "undecided"
DECISIONS = (SAME, DIFFERENT, UNDECIDED)


@dataclass(frozen=True)
class Decision:
    """One line of the table.

    Attributes:
        first: Subject id.
        second: Another one; the same one where its own pictures were asked about.
        decision: Of `DECISIONS`.
        by: Who decided.
        at: When.
        why: On what grounds.
        photo: Of a subject's own pictures, the one that was asked about; where it is `different`, it is of somebody
            else, who is nobody of the data as far as anybody knows.
    """

    first: str
    second: str
    decision: str = UNDECIDED
    by: str = ""
    at: str = ""
    why: str = ""
    photo: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        """The two, in order."""
        return min(self.first, self.second), max(self.first, self.second)


def read_decisions(path: Path) -> tuple[Decision, ...]:
    """Reads a CSV table with the columns of `Decision`; without a column `decision` every pair is the same person.

    Raises:
        InputError: It is not there or no such table, or somebody decided without a name; line and column are told.
    """
    names = [own.name for own in fields(Decision)]
    expected = f"a CSV table with columns {', '.join(names)}"
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}", found=str(error), expected=expected) from error
    heads = [(name or "").strip() for name in reader.fieldnames or ()]
    if not {"first", "second"} <= set(heads):
        raise InputError(f"{path}, line 1", found=", ".join(heads) or "nothing", expected=expected)
    out, known = list[Decision](), dict[tuple[tuple[str, str], str], str]()
    for line, row in enumerate(rows, start=2):
        values = {str(name).strip(): (value or "").strip() for name, value in row.items() if name is not None}
        told = Decision(**{name: values.get(name, "") for name in names})
        if "decision" not in heads:
            told = replace(told, decision=SAME)
        if not told.first or not told.second:
            raise InputError(f"{path}, line {line}", found="a pair without a subject", expected="two subject ids")
        if told.photo and told.first != told.second:
            found = f"a photo of {told.first} and {told.second}"
            raise InputError(f"{path}, line {line}", found=found, expected="a photo only where both are one subject")
        if told.decision not in DECISIONS:
            found = told.decision or "no decision"
            raise InputError(f"{path}, line {line}", found=found, expected=" or ".join(DECISIONS))
        about = told.pair, told.photo
        if known.setdefault(about, told.decision) != told.decision:
            raise InputError(
                f"{path}, line {line}", found=f"{told.first} and {told.second}: {told.decision}",
                expected=f"one decision a pair; an earlier line says {known[about]}",
            )  # fmt: skip
        out.append(told)
    return tuple(out)


def decisions_text(decisions: Iterable[Decision]) -> str:
    """The table as a file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([own.name for own in fields(Decision)])
    writer.writerows(astuple(each) for each in decisions)
    return out.getvalue()


def one_name_each(
    subjects: Sequence[str], decisions: Iterable[Decision], photos: Sequence[str] | None = None
) -> list[str]:
    """The subjects with one id for those who were decided to be the same person, the smallest.

    Args:
        subjects: Of N photos.
        decisions: About them.
        photos: Their names: one that was decided to be of somebody else is of a subject of its own; None asks nobody.

    Raises:
        InputError: Two who were decided to be different would become one through others.
    """
    every = tuple(decisions)
    others = {(each.first, each.photo) for each in every if each.decision == DIFFERENT and each.photo}
    named = zip(subjects, photos or ("",) * len(subjects), strict=True)
    apart = [own_subject(*own) if own in others else own[0] for own in named]
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for each in every:
        if each.decision == SAME:
            low, high = sorted((root(each.first), root(each.second)))
            parent[high] = low
    for each in every:
        if each.decision == DIFFERENT and each.first != each.second and root(each.first) == root(each.second):
            found = f"{each.first} and {each.second} are different, and one person through other pairs"
            raise InputError("decisions about labels", found=found, expected="decisions that agree")
    return [root(name) if name in parent else name for name in apart]


def counted(decisions: Iterable[Decision]) -> tuple[int, int]:
    """How many pairs of ids were decided to be one person each, and how many photos to be somebody else's.

    Pairs that say who the people of such photos are count for neither.
    """
    every = tuple(decisions)
    photos = {own_subject(each.first, each.photo) for each in every if each.decision == DIFFERENT and each.photo}
    same = [each for each in every if each.decision == SAME and each.first != each.second]
    return sum(not photos & {each.first, each.second} for each in same), len(photos)


def own_subject(subject: str, photo: str) -> str:
    """The subject of a photo that is of somebody else than its label says; decisions may name it as any other."""
    return f"{subject}, photo {photo}"
