"""Predicted quality of a probe: how much of the face vector a degradation has left."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tgfr_search.encoders.base import FaceFeatures


class QualityHead(nn.Module):
    """Predicts the cosine between a face's vector and that of its undegraded original, from the vector and map alone.

    Trained on train faces whose degraded views have a known original; 1 means nothing was lost, 0 everything. It is
    the expected loss of the genuine score that the score model needs, not a property of the picture's looks.

    Args:
        dim: D of the face encoder.
        channels: C of its regional map.
        hidden: Width of the hidden layer.
    """

    def __init__(self, dim: int, channels: int, hidden: int = 64) -> None:
        super().__init__()
        inputs = dim + 1 + 2 * channels
        self.net = nn.Sequential(nn.BatchNorm1d(inputs), nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, features: FaceFeatures) -> Tensor:
        """Args: features of B faces. Returns: [B], between 0 and 1."""
        vector, regions = features.global_, features.regions.flatten(2)
        x = torch.cat([vector, vector.norm(dim=1, keepdim=True), regions.mean(dim=2), regions.std(dim=2)], dim=1)
        out: Tensor = self.net(x)
        return out.squeeze(1).sigmoid()
