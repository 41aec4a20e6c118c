"""The fusions that TGFR is compared with: one linear layer (FLF, paper §4.1) and CGFR's feature aggregation.

CGFR (Hasan & Nasrabadi 2023) is built from its abstract and the TGFR paper: a refinement module over a frozen BERT, and
an aggregation module that joins word-region attention with the association of image and caption.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.model.fcfm import CrossAttention
from tgfr_search.model.projection import SHARED_DIM, masked_max


class FLF(nn.Module):
    """Feature-level fusion: face and caption vector concatenated into one linear layer.

    Args:
        outputs: E, the dimension of the fused block.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(2 * SHARED_DIM, outputs)

    def forward(self, shared: SharedFeatures) -> Tensor:
        """Returns: [B, E], unit norm; zero where the caption has no word."""
        fused = F.normalize(self.out(torch.cat([shared.face, shared.caption], dim=1)), dim=-1)
        return fused * shared.mask.any(dim=1, keepdim=True)


class CFAM(nn.Module):
    """Contextual feature aggregation: words attend to regions (fine), face times caption (coarse), one linear layer.

    Args:
        outputs: E.
        heads: Attention heads.
        dropout: In the attention and before the last layer.
    """

    def __init__(self, outputs: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.word_region = CrossAttention(SHARED_DIM, heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(4 * SHARED_DIM, outputs)

    def forward(self, shared: SharedFeatures) -> Tensor:
        """Returns: [B, E], unit norm; zero where the caption has no word."""
        fine = masked_max(self.word_region(shared.words, shared.regions), shared.mask)
        joined = torch.cat([fine, shared.face, shared.caption, shared.face * shared.caption], dim=1)
        fused = F.normalize(self.out(self.dropout(joined)), dim=-1)
        return fused * shared.mask.any(dim=1, keepdim=True)


class TextRefinement(nn.Module):
    """CGFR's textual feature refinement: a trainable transformer layer over frozen contextual embeddings.

    Args:
        dim: D of the text encoder.
        heads: Attention heads.
        dropout: In the layer.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout, batch_first=True)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """Args: words [B, L, D], mask bool [B, L]. Returns: [B, L, D]; anything at masked positions."""
        # A row without words would be softmax over nothing; all its positions are masked later.
        padding = ~mask & mask.any(dim=1, keepdim=True)
        out: Tensor = self.layer(words, src_key_padding_mask=padding)
        return out
