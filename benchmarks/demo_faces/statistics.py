"""The statistics of the demo faces: which attributes go together, and how latent codes scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from benchmarks.demo_faces.data import CONDITIONS, Faces
from benchmarks.demo_faces.net import Encoder
from tgfr_search.types import FloatArray

FIRST = ("male", "young", "bald", "wearing_hat", "receding_hairline", "bangs")
"""Drawn first: much else depends on them."""
MOMENTARY = ("smiling", "high_cheekbones", "mouth_slightly_open", "narrow_eyes")
"""Drawn last and anew for every view."""


@dataclass(frozen=True)
class Scatter:
    """How latent codes scatter: with the conditions, between subjects, and within one.

    Attributes:
        mean: float32 [D].
        condition_mean: float32 [C].
        guide: float32 [C, D], the code's change with each condition (attribute signs and pose).
        between: float64 [D, D], covariance between subjects of what the conditions leave unexplained.
        within: float64 [D, D], the same within a subject.
    """

    mean: FloatArray
    condition_mean: FloatArray
    guide: FloatArray
    between: npt.NDArray[np.float64]
    within: npt.NDArray[np.float64]

    def draw(self, conditions: torch.Tensor) -> torch.Tensor:
        """A latent code of somebody for each row of conditions: float32 [B, D]."""
        root = torch.from_numpy(symmetric_root(self.between + self.within))
        unusual = conditions - torch.from_numpy(self.condition_mean)
        spread = torch.randn(len(conditions), len(root)) @ root
        return torch.from_numpy(self.mean) + unusual @ torch.from_numpy(self.guide) + spread


def scatter_of(codes: FloatArray, conditions: FloatArray, subjects: npt.NDArray[np.int64]) -> Scatter:
    """Regress out the conditions, then split what is left.

    The within-subject covariance W is pooled over the subjects of several images; the total covariance is T = B + W, so
    the between-subject covariance is B = T − W, its negative directions set to 0.

    Args:
        codes: float32 [N, D].
        conditions: float32 [N, C].
        subjects: int64 [N].
    """
    mean, condition_mean = codes.mean(axis=0), conditions.mean(axis=0)
    centred = (conditions - condition_mean).astype(np.float64)
    ridge = 1e-3 * len(codes) * np.eye(centred.shape[1])
    guide = np.linalg.solve(centred.T @ centred + ridge, centred.T @ (codes - mean)).astype(np.float32)
    left = codes - mean - centred @ guide
    _, inverse, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), codes.shape[1]))
    np.add.at(sums, inverse, left)
    several = counts[inverse] > 1
    inside = (left - (sums / counts[:, None])[inverse])[several]
    within = inside.T @ inside / (several.sum() - (counts > 1).sum())
    between = symmetric_root(np.cov(left, rowvar=False) - within).astype(np.float64)
    return Scatter(mean, condition_mean, guide, between @ between, within)


def symmetric_root(covariance: npt.NDArray[np.floating]) -> FloatArray:
    """R with R·R = covariance, negative directions taken as 0: float32 [D, D]."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T, np.float32)


def attribute_chain(attributes: npt.NDArray[np.bool_]) -> tuple[tuple[str, ...], dict[str, FloatArray]]:
    """P(attributes) as a product of logistic regressions, each on the attributes before it.

    Args:
        attributes: bool [N, len(CONDITIONS)].

    Returns:
        The order, and `attribute_weights` [A, A] (lower triangle) with `attribute_bias` [A].
    """
    rest = [name for name in CONDITIONS if name not in (*FIRST, *MOMENTARY)]
    order = (*FIRST, *rest, *MOMENTARY)
    table = attributes[:, [CONDITIONS.index(name) for name in order]].astype(np.float64)
    weights, bias = np.zeros((len(order), len(order)), np.float32), np.zeros(len(order), np.float32)
    share = table[:, 0].mean()
    bias[0] = np.log(share / (1 - share))
    for row in range(1, len(order)):
        fitted = LogisticRegression(C=10.0, max_iter=1000).fit(table[:, :row], table[:, row])
        weights[row, :row], bias[row] = fitted.coef_[0], fitted.intercept_[0]
    return order, {"attribute_weights": weights, "attribute_bias": bias}


def encode(encoder: Encoder, faces: Faces) -> tuple[FloatArray, FloatArray]:
    """Mean latent code of every face, float32 [N, LATENT], and its conditions, float32 [N, C]."""
    codes, all_conditions = [], np.concatenate([faces.attributes.astype(np.float32) * 2 - 1, faces.pose], axis=1)
    with torch.inference_mode():
        for start in range(0, len(faces.pixels), 256):
            part = slice(start, start + 256)
            pixels = torch.from_numpy(faces.pixels[part]).permute(0, 3, 1, 2).float() / 127.5 - 1
            conditions = torch.from_numpy(all_conditions[part])
            codes.append(encoder(F.avg_pool2d(pixels, 2), conditions)[0].numpy())
    return np.concatenate(codes), all_conditions
