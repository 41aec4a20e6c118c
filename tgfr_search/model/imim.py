"""Intra-modal interaction module (paper §3.3, Fig. 3): self-attention over the regions of one face."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.model.projection import SHARED_DIM


class IMIM(nn.Module):
    """Normalise, self-attention with 1×1 convolutions as query, key and value, residual, then into the shared space.

    Args:
        channels: C of the encoder's regional map.
        outputs: Shared dimension.
        residual: Add the input to the attended regions (paper notes; the printed text is silent).
    """

    def __init__(self, channels: int, outputs: int = SHARED_DIM, residual: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.out = nn.Conv2d(channels, outputs, 1)
        self.residual = residual

    def forward(self, regions: Tensor) -> Tensor:
        """Args: R̄ [B, C, h, w]. Returns: R [B, h·w, 256], not normalised."""
        x = self.norm(regions)
        q, k, v = (layer(x).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value))
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape_as(x)
        if self.residual:
            attended = attended + x
        out: Tensor = self.out(attended)
        return out.flatten(2).transpose(1, 2)
