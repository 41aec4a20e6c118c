"""Valid, and its closed-set searches: what everything is tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tgfr_search.data.datasets import FeatureSet
from tgfr_search.data.regimes import assign
from tgfr_search.data.sampling import IntArray
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.model.probe import term_scores
from tgfr_search.model.tgfr import TGFR
from tgfr_search.types import FloatArray, Templates


@dataclass(frozen=True)
class ValidSet:
    """What everything is tuned on; its views are the levels of the quality ladder, best first.

    Attributes:
        features: Of N faces.
        names: N row names.
        subjects: int64 [N], numbered.
        captions: N tuples of lines.
    """

    features: FeatureSet
    names: list[str]
    subjects: IntArray
    captions: list[tuple[str, ...]]

    def trial(self) -> tuple[IntArray, IntArray]:
        """Closed-set roles (docs/protocol.md 4): gallery rows (first image of a subject by name) and probe rows."""
        order = np.array(sorted(range(len(self.names)), key=self.names.__getitem__))
        first = order[np.unique(self.subjects[order], return_index=True)[1]]
        return first, np.setdiff1d(order, first)


def embed_set(
    model: TGFR, features: FeatureSet, view: int, captions: Sequence[tuple[str, ...]]
) -> tuple[Templates, FloatArray]:
    """Templates and predicted quality of all faces of a set in one view."""
    templates, quality = [], []
    for start in range(0, len(captions), 128):
        rows = np.arange(start, min(start + 128, len(captions)))
        faces = FaceFeatures(*(x.to(model.device) for x in features.batch(rows, view)))
        out = model.embed(faces, captions[start : start + 128])
        templates.append(out.templates)
        quality.append(out.quality)
    return Templates.concat(templates), np.concatenate(quality)


class Trial(NamedTuple):
    """Closed-set searches of valid at every level, as the term scores that the score model weighs.

    Attributes:
        scores: float32 [P, G, T], one slice a term.
        quality: float32 [P].
        mate: int64 [P], column of the own subject.
        level: int64 [P].
        terms: T names.
    """

    scores: Tensor
    quality: Tensor
    mate: Tensor
    level: IntArray
    terms: tuple[str, ...]

    @staticmethod
    def joined(trials: Sequence[Trial]) -> Trial:
        """All searches of several trials."""
        scores, quality, mate = (torch.cat(parts) for parts in zip(*(each[:3] for each in trials), strict=True))
        return Trial(scores, quality, mate, np.concatenate([each.level for each in trials]), trials[0].terms)


def make_trial(model: TGFR, valid: ValidSet, seed: int, *, lines: int | None = None, regime: str = "own") -> Trial:
    """Runs valid's searches at all levels.

    Args:
        model: Trained so far.
        valid: The set.
        seed: Of the caption draws.
        lines: Enrol at most this many lines a gallery image (speed); None enrols all.
        regime: What is said of the probes, by `tgfr_search.data.regimes`; `constant` is the image-only control's.
    """
    gallery_rows, probe_rows = valid.trial()
    numbers = [str(s) for s in valid.subjects]
    text = assign(regime, valid.names, numbers, valid.captions, seed)
    subset = FeatureSet(
        valid.features.views, valid.features.vectors[gallery_rows], valid.features.regions[gallery_rows]
    )
    rng = np.random.default_rng([seed, 7])  # never the first lines: a data set's captions may be ordered
    some = [tuple(rng.permutation(np.array(text.gallery[i], dtype=object))[:lines]) for i in gallery_rows]
    gallery, _ = embed_set(model, subset, 0, some)
    probes_of = FeatureSet(valid.features.views, valid.features.vectors[probe_rows], valid.features.regions[probe_rows])
    column = {int(subject): at for at, subject in enumerate(valid.subjects[gallery_rows])}
    mate = np.array([column[int(s)] for s in valid.subjects[probe_rows]])
    scores, quality = [], []
    for view in range(len(valid.features.views)):
        probes, predicted = embed_set(model, probes_of, view, [text.probe[i] for i in probe_rows])
        found = term_scores(probes.blocks, gallery.blocks)
        scores.append(np.stack(list(found.values()), axis=2))
        quality.append(predicted)
    views = len(valid.features.views)
    return Trial(
        torch.from_numpy(np.concatenate(scores)),
        torch.from_numpy(np.concatenate(quality)),
        torch.from_numpy(np.tile(mate, views)),
        np.repeat(np.arange(views), len(probe_rows)),
        tuple(found),
    )
