"""The small network over frozen face features that predicts attributes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.encoders.base import FaceFeatures


class AttributeHead(nn.Module):
    """Logits of attributes from the face vector and the regional map.

    Args:
        dim: D of the face encoder.
        regions: (C, h, w) of its regional map.
        outputs: Attributes.
        channels: Of the map after the first layer.
        hidden: Width of the hidden layer.
        dropout: Before the last layer.
    """

    def __init__(
        self,
        dim: int,
        regions: tuple[int, int, int],
        outputs: int = len(ATTRIBUTES),
        channels: int = 32,
        hidden: int = 256,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        depth, height, width = regions
        self.reduce = nn.Sequential(nn.BatchNorm2d(depth), nn.Conv2d(depth, channels, 1), nn.GELU())
        self.vector = nn.BatchNorm1d(dim + 1)
        self.net = nn.Sequential(
            nn.Linear(dim + 1 + channels * height * width, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, faces: FaceFeatures) -> Tensor:
        """Args: features of B faces. Returns: [B, outputs], logits."""
        norm = faces.global_.norm(dim=1, keepdim=True)
        # The norm tells how good the picture is, and so how sure one may be.
        vector = self.vector(torch.cat([F.normalize(faces.global_, dim=1), norm], dim=1))
        out: Tensor = self.net(torch.cat([vector, self.reduce(faces.regions).flatten(1)], dim=1))
        return out
