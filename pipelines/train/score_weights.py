"""What is fitted after the two training steps: block centres and quality on train, score weights on valid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from numpy.polynomial import Polynomial
from torch import Tensor

from pipelines.train.steps import TrainSet, epoch_rng
from tgfr_search.data.datasets import FeatureSet
from tgfr_search.data.regimes import CONSTANT, assign
from tgfr_search.data.sampling import IntArray
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.evaluation.identification import mate_ranks, rank_k
from tgfr_search.model.blocks import BLOCKS, MODE_TERMS, terms_of_step
from tgfr_search.model.probe import term_scores
from tgfr_search.model.scoring import Coefficients, ScoreModel
from tgfr_search.model.tgfr import TGFR
from tgfr_search.types import FloatArray, Templates

CENTRE_FACES = 4096
QUALITY_STEPS = 1200
SCORE_STEPS = 80
QUALITY_DEGREE = 3
"""Of a weight as a polynomial of the quality; see docs/experiments.md, 17 and 22."""

FACE_TERMS = terms_of_step(0)
"""Those that the face encoder gives; no caption had a part in them."""

FROZEN_TERMS = ("face", "face_dlib")
"""Those of encoders that were never shown a poor picture on purpose."""

ROUNDING = 1e-6
"""Spread of a term that is the same for all pairs."""

CONSTANT_TERM = 1e-3
"""Spread of a term's scores over probes, in its spread over all pairs, up to which it is the same for all of them."""

VERIFICATION_WEIGHT = 0.5
"""Of the verification loss beside the ranking loss when score weights are fitted."""


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


def fit_centres(model: TGFR, train: TrainSet, seed: int, constant: bool) -> None:
    """Mean unit vector of each trained block over train faces as they are, written into the model.

    Not those of `description` and `looks`, whose means are part of their own step.
    """
    rng = epoch_rng(seed, "centres", 0)
    rows = rng.choice(len(train.subjects), size=min(CENTRE_FACES, len(train.subjects)), replace=False)
    sums: dict[str, Tensor] = {}
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), 256):
            part = rows[start : start + 256]
            faces = train.features.batch(part, 0)
            faces = FaceFeatures(*(x.to(model.device) for x in faces))
            lines = [(CONSTANT,) if constant else train.captions[i] for i in part]
            one = [(own[int(rng.integers(len(own)))],) for own in lines]
            blocks, _, _ = model.raw_blocks(faces, one)
            for name, block in blocks.items():
                sums[name] = sums.get(name, torch.zeros_like(block[0])) + F.normalize(block, dim=1).sum(dim=0)
    for name, total in sums.items():
        if BLOCKS[name].step == 3:
            continue
        # A control's captions are all one sentence: its caption block is constant and its centred norm would be noise.
        getattr(model, f"centre_{name}").copy_(total / len(rows))


def fit_quality(model: TGFR, train: TrainSet, seed: int) -> float:
    """Trains the quality head on cos(degraded, original) of the frozen vectors of train faces, both less the mean face.

    The encoder's vectors share a large common part: uncentred, even a ruined face has a cosine above 0.9.

    Returns:
        Mean absolute error of the last steps.
    """
    rng = epoch_rng(seed, "quality", 0)
    views = len(train.features.views)
    optimiser = torch.optim.AdamW(model.quality.parameters(), 1e-3, weight_decay=1e-2)
    model.quality.train()
    errors = []
    some = rng.choice(len(train.subjects), size=min(CENTRE_FACES, len(train.subjects)), replace=False)
    frozen = model.parts[0][1]
    mean = torch.from_numpy(train.features.vectors[some, 0, :, :frozen].mean(axis=(0, 1))).to(model.device)
    for step in range(QUALITY_STEPS):
        rows = rng.integers(len(train.subjects), size=256)
        view = rng.integers(views, size=256)
        faces = FaceFeatures(*(x.to(model.device) for x in train.features.batch(rows, view)))
        original = torch.from_numpy(train.features.vectors[rows, 0, :, :frozen].mean(axis=1)).to(model.device)
        target = F.cosine_similarity(faces.global_[:, :frozen] - mean, original - mean, dim=1).clamp(0, 1)
        predicted = model.quality(model.read(faces))
        loss = F.smooth_l1_loss(predicted, target, beta=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 - step / QUALITY_STEPS)
        optimiser.step()
        errors.append(float((predicted.detach() - target).abs().mean()))
    model.quality.eval()
    return float(np.mean(errors[-100:]))


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


def fit_mode(
    trial: Trial, terms: Sequence[str], centres: Mapping[str, float], with_quality: bool, fade: bool = False
) -> tuple[dict[str, Coefficients], Coefficients]:
    """Weights of some terms and the offset, each a polynomial of the quality that is nowhere below zero.

    In Bernstein's form w(q) = Σ_k w_k·C(n,k)·q^k·(1 − q)^(n−k) with w_k ≥ 0 (n = `QUALITY_DEGREE`). Minimises −log
    softmax of the mate among the gallery (ranking) plus a balanced logistic loss (one threshold for all probes). Scores
    are brought to unit spread first: raw cosines of the face encoder and of the trained blocks differ twentyfold. With
    `fade` every term but a frozen face's has w_n = 0: a perfect picture is left to the frozen encoders, and neither
    text nor training can hurt it.

    Returns:
        Term → coefficients, and those of c(q), as `ScoreModel` has them.
    """
    x = trial.scores[:, :, [trial.terms.index(term) for term in terms]]
    spread = x.flatten(0, 1).std(dim=0)
    # What is the same for all probes (the control's one sentence) tells nothing of them and weighs nothing, though it
    # may meet some faces better than others.
    spread[(x.std(dim=0).amax(dim=0) < CONSTANT_TERM * spread) | (spread < ROUNDING)] = torch.inf
    x = (x - torch.tensor([centres.get(term, 0.0) for term in terms])) / spread
    degree = QUALITY_DEGREE if with_quality else 0
    q = trial.quality if with_quality else torch.zeros_like(trial.quality)
    basis = torch.stack([math.comb(degree, k) * q**k * (1 - q) ** (degree - k) for k in range(degree + 1)], dim=1)
    raw = torch.zeros(degree + 1, len(terms), requires_grad=True)
    offset = torch.full((degree + 1,), -5.0, requires_grad=True)
    optimiser = torch.optim.LBFGS([raw, offset], max_iter=SCORE_STEPS, line_search_fn="strong_wolfe")
    same = F.one_hot(trial.mate, x.shape[1]).bool()
    free = torch.ones(degree + 1, len(terms))
    free[-1] = torch.tensor([float(not fade or term in FROZEN_TERMS) for term in terms])

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = torch.einsum("pgt,pt->pg", x, basis @ (F.softplus(raw) * free))
        shifted = logits + (basis @ offset)[:, None]
        verification = F.softplus(-shifted[same]).mean() + F.softplus(shifted[~same]).mean()
        value = F.cross_entropy(logits, trial.mate) + VERIFICATION_WEIGHT * verification
        value.backward()
        return value

    optimiser.step(loss)
    fitted = (F.softplus(raw) * free / spread).detach().numpy()
    weights = {term: _powers(own) for term, own in zip(terms, fitted.T, strict=True)}
    return weights, _powers(offset.detach().numpy())


def _powers(bernstein: npt.NDArray[np.float32]) -> Coefficients:
    """Bernstein coefficients as those of the powers of q, the constant first."""
    degree = len(bernstein) - 1
    total = Polynomial([0.0])
    for k, own in enumerate(bernstein.tolist()):
        total += own * math.comb(degree, k) * Polynomial([0.0, 1.0]) ** k * Polynomial([1.0, -1.0]) ** (degree - k)
    coefficients = total.coef.tolist()  # NumPy drops zeros at the end
    return (*coefficients, *[0.0] * (len(bernstein) - len(coefficients)))


def fit_scores(trial: Trial, *more: Trial, modes: Mapping[str, Sequence[str]] = MODE_TERMS) -> ScoreModel:
    """Score weights of some modes.

    Args:
        trial: Searches of valid.
        more: The same searches with other words, for the modes that read the probe's words.
        modes: Mode → its terms.
    """
    # The mean impostor cosine of the blocks that are not centred, over searches of all qualities.
    impostors = ~F.one_hot(trial.mate, trial.scores.shape[1]).bool()
    centres = {
        term: float(trial.scores[:, :, trial.terms.index(term)][impostors].mean())
        for term in FACE_TERMS
        if term in trial.terms
    }
    every, fitted = Trial.joined([trial, *more]), {}
    for mode, wanted in modes.items():
        terms = [term for term in wanted if term in trial.terms]
        fitted[mode] = fit_mode(trial if mode == "image" else every, terms, centres, mode != "caption", "face" in terms)
    return ScoreModel({m: w for m, (w, _) in fitted.items()}, centres, {m: c for m, (_, c) in fitted.items()})


def rank1_by_level(trial: Trial, scores: ScoreModel, mode: str) -> list[float]:
    """Rank-1 of valid at every level with the given weights."""
    q = trial.quality.numpy()
    total = scores.combine(mode, q, {term: trial.scores[:, :, at].numpy() for at, term in enumerate(trial.terms)})
    ranks = mate_ranks(total, trial.mate.numpy(), np.arange(total.shape[1]))
    return [float(rank_k(ranks[trial.level == level], 1).value or 0.0) for level in range(int(trial.level.max()) + 1)]
