"""What a survey of a data set tells: its images, subjects, splits and captions, counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Spread:
    """How a count is spread.

    Attributes:
        least: Smallest.
        median: Middle.
        mean: Average.
        most: Largest.
    """

    least: int
    median: float
    mean: float
    most: int

    @staticmethod
    def of(counts: Iterable[int]) -> Spread | None:
        """The spread of some counts; None of none."""
        values = np.array(list(counts))
        if not len(values):
            return None
        return Spread(int(values.min()), float(np.median(values)), round(float(values.mean()), 2), int(values.max()))


@dataclass(frozen=True, slots=True)
class Part:
    """Images and subjects of one split.

    Attributes:
        images: Usable images.
        subjects: Distinct subjects.
        subjects_of_two: Subjects with two images or more: only they give genuine pairs.
        genuine_pairs: Pairs of images of one subject.
        captioned: Images with at least one caption line.
        images_per_subject: How many images a subject has.
    """

    images: int
    subjects: int
    subjects_of_two: int
    genuine_pairs: int
    captioned: int
    images_per_subject: Spread | None


@dataclass(frozen=True, slots=True)
class CaptionCounts:
    """What the captions are like.

    Attributes:
        lines: All caption lines.
        distinct: Different ones.
        lines_per_image: Of the images that have any.
        words_per_line: Words between blanks.
        tokens_per_line: Tokens, special ones included, at most as many as the text encoder reads; over distinct lines.
        cut: Distinct lines that the text encoder would not read to their end.
        text_encoder: Whose tokens were counted.
        reads: The most tokens that it reads, special ones included.
    """

    lines: int
    distinct: int
    lines_per_image: Spread | None
    words_per_line: Spread | None
    tokens_per_line: Spread | None
    cut: int
    text_encoder: str
    reads: int


@dataclass(slots=True)
class Survey:
    """What was counted.

    Attributes:
        source: The data set.
        form: A published data set's title, or which other form it has.
        licence: What its owners allow.
        split: The only split that was looked at; None is all.
        total: Over all splits.
        splits: Split → its images and subjects.
        shared_subjects: Pairs of splits that share subjects → how many; people met in training make a test easy.
        problems: Reason → rows and files that were left out.
        examples: Some of them, `name: detail`.
        ignored: Files of a plain folder that are no images.
        duplicates: Images whose very bytes an earlier image has.
        two_owners: Of these, how many are under another subject: an error of the data.
        duplicate_examples: Some of them.
        captions: What the captions are like.
        notes: What was read otherwise than it was written, or seems meant and was not read, for a person.
    """

    source: str
    form: str
    licence: str
    split: str | None
    total: Part
    splits: dict[str, Part]
    shared_subjects: dict[str, int]
    problems: dict[str, int]
    examples: list[str]
    ignored: int
    duplicates: int
    two_owners: int
    duplicate_examples: list[str]
    captions: CaptionCounts
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
