"""Reads a face as somebody would describe it (not in the paper).

A vector in the space of the reader's, made of the face alone: what a witness says finds pictures that nobody described,
and of those that somebody described also what their captions leave out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.model.projection import each_of_one_length

SIDE = 4
"""Cells a side that a regional map of any size is brought to."""


class LooksReader(nn.Module):
    """Face vector and regional map into one unit vector.

    Args:
        parts: Dimensions of the networks' vectors, which lie side by side in the global one.
        channels: C of the regional map.
        outputs: Of the vector: the `DescriptionReader`'s.
        reduced: Channels of the map after the first layer.
        hidden: Width of the hidden layer.
        dropout: Before both linear layers.
    """

    def __init__(
        self,
        parts: Sequence[int],
        channels: int,
        outputs: int,
        reduced: int = 32,
        hidden: int = 256,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.parts = list(parts)
        # Normalised within each face: batch statistics would differ between the processes of a run.
        self.vector = nn.LayerNorm(sum(parts))
        self.reduce = nn.Sequential(
            nn.GroupNorm(1, channels), nn.Conv2d(channels, reduced, 1), nn.GELU(), nn.AdaptiveAvgPool2d(SIDE)
        )
        self.net = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(sum(parts) + reduced * SIDE**2, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, faces: FaceFeatures) -> Tensor:
        """Args: features of B faces. Returns: [B, outputs], unit norm."""
        vector = self.vector(each_of_one_length(faces.global_, self.parts))
        x = torch.cat([vector, self.reduce(faces.regions).flatten(1)], dim=1)
        return F.normalize(self.net(x), dim=1)
