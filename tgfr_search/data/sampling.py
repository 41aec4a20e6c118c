"""Which images meet in a training batch: two views of each of B different subjects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tgfr_search.errors import InputError

IntArray = npt.NDArray[np.int64]


class PairBatch(NamedTuple):
    """Indices of one batch.

    Attributes:
        first: int64 [B], an image of each of B different subjects.
        second: int64 [B], another image of the same subject, or the same image where it has only one.
    """

    first: IntArray
    second: IntArray


def need_batch(subjects: IntArray, batch: int) -> None:
    """Sees to it that an epoch has a full batch.

    Args:
        subjects: int64 [N], subject number of every image.
        batch: Different subjects of a batch.

    Raises:
        InputError: There are not so many subjects: `epoch_pairs` would give nothing, however often it is asked.
    """
    count = len(np.unique(subjects))
    if not 1 <= batch <= count:
        raise InputError(
            f"batches of {batch} different subjects",
            found=f"{count} subjects in {len(subjects)} usable training images",
            expected="at least as many subjects as a batch has",
            do="take a smaller batch or more data",
        )


def epoch_pairs(subjects: IntArray, batch: int, rng: np.random.Generator) -> Iterator[PairBatch]:
    """One pass over all images; no subject stands twice in a batch.

    Every image is once an anchor (`first`). Anchors are dealt to batches so that a subject's images fall into different
    ones; what does not fit at the end (only images of subjects already there are left) is dropped for this epoch.

    Args:
        subjects: int64 [N], subject number of every image.
        batch: B.
        rng: Draws order and partners.

    Yields:
        Full batches only.
    """
    order = rng.permutation(len(subjects))
    # The r-th image (in random order) of each subject goes to round r: within a round all subjects differ, and rounds
    # are cut into batches together, the tail of one round filled from the next where its subjects are not yet present.
    rank = np.zeros(len(subjects), dtype=np.int64)
    seen: dict[int, int] = {}
    for image in order:
        subject = int(subjects[image])
        rank[image] = seen[subject] = seen.get(subject, -1) + 1
    by_round = order[np.argsort(rank[order], kind="stable")]
    images_of: dict[int, list[int]] = {}
    for image, subject in enumerate(subjects.tolist()):
        images_of.setdefault(subject, []).append(image)

    batches: list[list[int]] = []
    current: list[int] = []
    present: set[int] = set()
    waiting: list[int] = []
    for image in by_round.tolist():
        waiting.append(image)
        still = []
        for candidate in waiting:
            subject = int(subjects[candidate])
            if subject in present:
                still.append(candidate)
                continue
            current.append(candidate)
            present.add(subject)
            if len(current) == batch:
                batches.append(current)
                current, present = [], set()
        waiting = still
    for at in rng.permutation(len(batches)):
        first = np.array(batches[at], dtype=np.int64)
        second = np.empty_like(first)
        for slot, image in enumerate(first.tolist()):
            own = images_of[int(subjects[image])]
            if len(own) == 1:
                second[slot] = image
                continue
            other = own[int(rng.integers(len(own) - 1))]
            second[slot] = own[-1] if other == image else other
        yield PairBatch(first, second)
