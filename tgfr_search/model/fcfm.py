"""Face-caption fusion module (paper §3.5, Fig. 4): one vector from a face and its caption."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.model.projection import SHARED_DIM, masked_max


class CrossAttention(nn.Module):
    """Multi-head attention with residual and layer norm (Vaswani et al. 2017); padded keys are never attended to."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """Args: query [B, Q, D], memory [B, K, D], mask bool [B, K], True at real keys. Returns: [B, Q, D]."""
        padding = None if mask is None else ~mask
        if padding is not None:
            # A row without words would be softmax over nothing (NaN); its output is discarded by the caller.
            padding = padding & ~padding.all(dim=1, keepdim=True)
        attended, _ = self.attention(query, memory, memory, key_padding_mask=padding, need_weights=False)
        out: Tensor = self.norm(query + attended)
        return out


class FCFM(nn.Module):
    """Fine-grained: words attend to regions, two self-attentions, max-pool, linear. Coarse-grained: the global face and
    caption attend to each other, layer norm. Both are concatenated into a final linear layer.

    The global cross-attention has two tokens, v and c: with one key each, attention would be the identity.

    Args:
        outputs: E, the dimension of the fused block.
        heads: Attention heads.
        dropout: In the attentions and before the last layer.
    """  # noqa: D205 - two sentences, one picture

    def __init__(self, outputs: int = SHARED_DIM, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.word_region = CrossAttention(SHARED_DIM, heads, dropout)
        self.self_attentions = nn.ModuleList(CrossAttention(SHARED_DIM, heads, dropout) for _ in range(2))
        self.fine = nn.Linear(SHARED_DIM, SHARED_DIM)
        self.coarse = CrossAttention(SHARED_DIM, heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(3 * SHARED_DIM, outputs)

    def forward(self, shared: SharedFeatures) -> Tensor:
        """Fuses B pairs.

        Returns:
            [B, E], unit norm; zero where the caption has no word, because there is nothing to fuse.
        """
        x = self.word_region(shared.words, shared.regions)
        for layer in self.self_attentions:
            x = layer(x, x, shared.mask)
        fine = self.fine(masked_max(x, shared.mask))
        pair = torch.stack([shared.face, shared.caption], dim=1)
        coarse = self.coarse(pair, pair).flatten(1)
        fused = F.normalize(self.out(self.dropout(torch.cat([fine, coarse], dim=1))), dim=-1)
        return fused * shared.mask.any(dim=1, keepdim=True)
