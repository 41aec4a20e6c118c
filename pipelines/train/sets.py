"""Train and valid of a configuration, with their cached features and what is known of their origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.faces.aligned import Chips, Progress, data_sha256, load_chips, relabelled
from pipelines.faces.features import load_features
from pipelines.train.steps import TrainSet
from pipelines.train.trial import ValidSet
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.options import TrainOptions

LEVELS = ("original", *tuple(LADDER)[1:])


def _trainable(chips: Chips) -> tuple[list[int], list[tuple[str, ...]]]:
    """Rows that have a caption: an image without one has nothing to be paired with."""
    rows = [i for i, lines in enumerate(chips.captions) if lines]
    if not rows:
        raise InputError("training data", found="no image with a caption", expected="a column caption or captions")
    return rows, [chips.captions[i] for i in rows]


class _Rows:
    """Some rows of a memory-mapped array, without copying it: index [i, …] means row rows[i]."""

    def __init__(self, array: Any, rows: list[int]) -> None:
        self.array, self.rows = array, np.asarray(rows)

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return self.array[(self.rows[key[0]], *key[1:])]


def load_sets(
    options: TrainOptions,
    encoder: FaceEncoder,
    precision: torch.dtype,
    workers: int | None,
    progress: Progress,
    views_by: int = 0,
) -> tuple[TrainSet, ValidSet, dict[str, Any]]:
    """Train and valid with cached features, and what is known of their origin.

    Args:
        options: The run's.
        encoder: Frozen.
        precision: Its arithmetic.
        workers: Processes that find faces.
        progress: Called as the work goes on.
        views_by: Processes that make views of faces; 0 makes them in this one.
    """
    data, cache = options.data, Path(options.data.cache)
    finder = FaceFinder().for_alignment(encoder.spec.alignment).for_detector(data.detector)
    train = load_chips(Path(data.path), data.train, cache, finder, workers=workers, progress=progress)
    valid = load_chips(Path(data.path), data.valid, cache, finder, workers=workers, progress=progress)
    shared = set(train.subjects) & set(valid.subjects)
    if shared:
        raise InputError(
            f"{data.path}", found=f"{len(shared)} subjects in train and valid", expected="disjoint subjects"
        )
    features, valid_features = (
        load_features(own, views, encoder, cache, options.seed, progress, precision=precision, workers=views_by)
        for own, views in ((train, data.views), (valid, LEVELS))
    )
    rows, captions = _trainable(train)
    ids, numbers = np.unique([train.subjects[i] for i in rows], return_inverse=True)
    usable = type(features)(features.views, _Rows(features.vectors, rows), _Rows(features.regions, rows))  # type: ignore[arg-type]
    train_set = TrainSet(usable, numbers.astype(np.int64), captions, tuple(ids.tolist()))
    decided = Path(data.same_person) if data.same_person else None
    valid_numbers = np.unique(relabelled(valid, decided).subjects, return_inverse=True)[1].astype(np.int64)
    origin = {
        "data_sha256": train.data_sha256,
        "detector": finder.detector,
        "train_images": len(rows),
        "train_subjects": train_set.subject_count,
        "valid_images": len(valid),
        "not_detected": {"train": train.failures, "valid": valid.failures},
        "same_person": data_sha256(decided) if decided else None,
        "further_sha256": {path: data_sha256(Path(path)) for path in options.describe.further},
    }
    return train_set, ValidSet(valid_features, valid.names, valid_numbers, valid.captions), origin
