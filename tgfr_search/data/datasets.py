"""Cached face features with their captions, and the batches that training draws from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tgfr_search.data.regimes import CONSTANT
from tgfr_search.data.sampling import IntArray, epoch_pairs
from tgfr_search.encoders.base import FaceFeatures

ORIGINAL_SHARE = 0.3
"""Share of drawn views that are the undegraded face; the rest is spread over the degraded views."""

AVERAGED_SHARE = 0.5
"""Share of draws that average both orientations, as inference with flip averaging does; the rest take one of them."""


@dataclass(frozen=True)
class FeatureSet:
    """Frozen features of N faces in V views.

    Attributes:
        views: V names; the first is the undegraded face.
        vectors: float32 [N, V, 2, D]; the third axis is plain, mirrored.
        regions: float16 [N, V, 2, C, h, w], cell (i, j) of both orientations being the same part of the face.
    """

    views: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    regions: npt.NDArray[np.float16]

    def batch(self, rows: IntArray, view: int | IntArray, side: IntArray | None = None) -> FaceFeatures:
        """Features of some faces.

        Args:
            rows: [B].
            view: Which view, one for all or [B].
            side: [B]; 0 plain, 1 mirrored, 2 the average of both; None averages all.
        """
        vectors = self.vectors[rows, view]
        regions = self.regions[rows, view].astype(np.float32)
        if side is None:
            side = np.full(len(rows), 2)
        one, each = np.minimum(side, 1), np.arange(len(rows))
        averaged = side == 2
        vector = np.where(averaged[:, None], vectors.mean(axis=1), vectors[each, one])
        region = np.where(averaged[:, None, None, None], regions.mean(axis=1), regions[each, one])
        return FaceFeatures(torch.from_numpy(vector), torch.from_numpy(region))


class TrainBatch(NamedTuple):
    """2B face-caption pairs; pair i and pair i + B are two views of one subject.

    Attributes:
        rows: int64 [2B], the images; caption i was written for image `rows[i]`.
        faces: Their features.
        captions: 2B lines.
        subjects: int64 [2B], subject numbers 0 … S−1.
    """

    rows: IntArray
    faces: FaceFeatures
    captions: list[str]
    subjects: Tensor


def training_batches(
    features: FeatureSet,
    subjects: IntArray,
    captions: Sequence[tuple[str, ...]],
    batch: int,
    rng: np.random.Generator,
    *,
    constant: bool = False,
    flip: bool = True,
    share: tuple[int, int] = (0, 1),
    multiple: int = 1,
) -> Iterator[TrainBatch]:
    """One epoch of pairs of views.

    Args:
        features: Of N faces.
        subjects: int64 [N], numbered.
        captions: N non-empty tuples of lines.
        batch: Subjects a batch, B.
        rng: Everything drawn comes from it.
        constant: Every caption is one fixed sentence (the image-only control).
        flip: Draw orientations as for a model that averages both.
        share: (rank, size): of every `size` batches only number `rank`, for one of several processes. What a batch
            holds does not depend on it.
        multiple: Of how many batches the epoch consists; what is over at its end is left out.
    """
    shares = np.full(len(features.views), (1 - ORIGINAL_SHARE) / max(1, len(features.views) - 1))
    shares[0] = 1 - shares[1:].sum()
    own: list[TrainBatch] = []
    for at, pair in enumerate(epoch_pairs(subjects, batch, rng)):
        rows = np.concatenate([pair.first, pair.second])
        view = rng.choice(len(features.views), size=len(rows), p=shares)
        # The second view of a subject's only image must differ from the first.
        clash = np.flatnonzero((pair.first == pair.second) & (view[:batch] == view[batch:]))
        view[batch + clash] = (view[batch + clash] + 1) % len(features.views)
        side = rng.integers(2, size=len(rows))
        if flip:
            side = np.where(rng.random(len(rows)) < AVERAGED_SHARE, 2, side)
        lines = [captions[row][int(rng.integers(len(captions[row])))] for row in rows]
        if at % share[1] == share[0]:
            said = [CONSTANT] * len(rows) if constant else lines
            own.append(TrainBatch(rows, features.batch(rows, view, side), said, torch.from_numpy(subjects[rows])))
        if (at + 1) % multiple == 0:
            yield from own
            own = []
