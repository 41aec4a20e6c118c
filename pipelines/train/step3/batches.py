"""What step 3 is shown: what a witness says of one picture, and what is on record with another of the subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.train.steps import TrainSet
from tgfr_search.data.records import read_records
from tgfr_search.data.regimes import Lines
from tgfr_search.data.sampling import IntArray, epoch_pairs
from tgfr_search.errors import InputError

ONE_LINE = 0.6
"""Share of witnesses who say one line; the others say two to four."""

WHOLE_RECORD = 0.8
"""Share of records with all their lines; the others have as few as a witness says."""

UNDEGRADED = 0.75
"""Share of pictures on record that are seen as they are; the others in any view of the training set."""

OTHER_PICTURE = 0.7
"""Share of further descriptions that meet another picture's, where there is that and a second line of their own."""


@dataclass(frozen=True)
class Descriptions:
    """Descriptions of people without pictures of them, from tables that are no training set of faces.

    Attributes:
        subjects: int64 [M], numbered as in the `TrainSet`; those that it has not follow its own.
        captions: M non-empty tuples of lines.
    """

    subjects: IntArray
    captions: list[tuple[str, ...]]

    @staticmethod
    def read(paths: Sequence[str], split: str, known: Sequence[str]) -> Descriptions:
        """Reads tables.

        Args:
            paths: Data sets in any form that `index` takes; their photos are not opened.
            split: Which split of them.
            known: Subject ids of the training set, sorted as its numbers are.

        Raises:
            InputError: A table is not there, or has no description in that split.
        """
        number = {subject: at for at, subject in enumerate(known)}
        subjects: list[int] = []
        captions: list[tuple[str, ...]] = []
        for path in paths:
            before = len(captions)
            for record in read_records(Path(path), split=split, on_problem=lambda problem: None):
                lines = tuple(line for line in record.captions if line.strip())
                if lines:
                    subjects.append(number.setdefault(str(record.subject_id), len(number)))
                    captions.append(lines)
            if len(captions) == before:
                raise InputError(
                    f"describe.further {path}", found=f"no description in split {split!r}", expected="some"
                )
        return Descriptions(np.array(subjects, np.int64), captions)


class Batch(NamedTuple):
    """What witnesses say, what is on record, of whom; and of which images in which views, where there are pictures."""

    said: list[Lines]
    record: list[Lines]
    subjects: IntArray
    rows: IntArray | None = None
    views: IntArray | None = None


def epoch_batches(train: TrainSet, further: Descriptions, size: int, rng: np.random.Generator) -> list[Batch]:
    """All batches of an epoch, in random order."""
    batches = []
    for first, second in epoch_pairs(train.subjects, size, rng):
        two = np.flatnonzero(first != second)  # a subject's only image would find its own lines
        if not len(two):
            continue
        said = [_witness(train.captions[row], rng) for row in first[two]]
        record = [_record(train.captions[row], rng) for row in second[two]]
        views = np.where(rng.random(len(two)) < UNDEGRADED, 0, rng.integers(len(train.features.views), size=len(two)))
        batches.append(Batch(said, record, train.subjects[first[two]], second[two], views))
    texts = [*train.captions, *further.captions]
    same: dict[int, list[int]] = {}
    for row, subject in enumerate([*train.subjects.tolist(), *further.subjects.tolist()]):
        same.setdefault(subject, []).append(row)
    pairs = []
    for row in len(train.captions) + rng.permutation(len(further.captions)):
        others = [other for other in same[int(further.subjects[row - len(train.captions)])] if other != row]
        lines = texts[row]
        if others and (len(lines) < 2 or rng.random() < OTHER_PICTURE):
            pairs.append((row, _witness(lines, rng), _record(texts[others[int(rng.integers(len(others)))]], rng)))
        elif len(lines) > 1:
            order = [lines[i] for i in rng.permutation(len(lines))]
            pairs.append((row, tuple(order[:1]), tuple(order[1:])))
    for start in range(0, len(pairs), size):
        rows, said, record = (list(part) for part in zip(*pairs[start : start + size], strict=True))
        batches.append(Batch(said, record, further.subjects[np.array(rows) - len(train.captions)]))
    return [batches[i] for i in rng.permutation(len(batches))]


def _witness(lines: Lines, rng: np.random.Generator) -> Lines:
    count = 1 if rng.random() < ONE_LINE else int(rng.integers(2, 5))
    return tuple(lines[i] for i in rng.permutation(len(lines))[:count])


def _record(lines: Lines, rng: np.random.Generator) -> Lines:
    return lines if rng.random() < WHOLE_RECORD else _witness(lines, rng)
