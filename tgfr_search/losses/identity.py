"""Identity loss: normalised cross-entropy with an additive angular margin (paper §3.4; ArcFace, Deng et al. 2019)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ArcFace(nn.Module):
    """Classifier over training subjects; only used in training, never shipped.

    Args:
        dim: Embedding dimension.
        subjects: Number of classes.
        scale: s.
        margin: m in radians, added to the angle of the true class.
    """

    def __init__(self, dim: int, subjects: int, scale: float = 30.0, margin: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(subjects, dim))
        nn.init.xavier_uniform_(self.weight)
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, subjects: Tensor) -> Tensor:
        """Args: embeddings [B, D], subjects int64 [B]. Returns: scalar, mean −log p of the true subject."""
        cosine = F.linear(F.normalize(embeddings, dim=-1), F.normalize(self.weight, dim=-1))
        true = cosine.gather(1, subjects[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        # Past π − m the angle cannot grow further; the usual straight continuation keeps the loss monotone.
        with_margin = torch.where(
            true > math.cos(math.pi - self.margin),
            torch.cos(torch.acos(true) + self.margin),
            true - math.sin(self.margin) * self.margin,
        )
        return F.cross_entropy(self.scale * cosine.scatter(1, subjects[:, None], with_margin), subjects)
