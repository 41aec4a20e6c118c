"""The weights of the terms of a score, fitted on valid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from numpy.polynomial import Polynomial
from torch import Tensor

from pipelines.train.trial import Trial
from tgfr_search.evaluation.identification import mate_ranks, rank_k
from tgfr_search.model.blocks import MODE_TERMS, terms_of_step
from tgfr_search.model.scoring import Coefficients, ScoreModel

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
