"""The losses of CGFR (Hasan & Nasrabadi 2023): CMPC (Zhang & Lu 2018) and DAMSM (Xu et al. 2018, AttnGAN)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.losses.info_nce import symmetric_info_nce
from tgfr_search.losses.word_region import word_region_loss

DAMSM_TAU = {"tau_region": 1 / 5, "tau_word": 1 / 5, "tau_match": 1 / 10}
"""AttnGAN's γ1 = 5, γ2 = 5, γ3 = 10 as temperatures."""


class CMPC(nn.Module):
    """Cross-modal projection classification: each modality, projected onto the other, must tell the subject.

    x̂ = (xᵀz̄)·z̄ is classified by a normalised softmax, and so is ẑ = (zᵀx̄)·x̄; the sum of both is the loss.

    Args:
        dim: Embedding dimension.
        subjects: Number of classes.
        scale: Of the logits; the shared features have unit norm, so without it every class would be nearly as likely.
    """

    def __init__(self, dim: int, subjects: int, scale: float = 30.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(subjects, dim))
        nn.init.xavier_uniform_(self.weight)
        self.scale = scale

    def forward(self, face: Tensor, caption: Tensor, subjects: Tensor) -> Tensor:
        """Args: face and caption [B, D], subjects int64 [B]. Returns: scalar."""
        x, z = F.normalize(face, dim=1), F.normalize(caption, dim=1)
        weight = F.normalize(self.weight, dim=1)
        along = (x * z).sum(dim=1, keepdim=True)
        return F.cross_entropy(self.scale * along * (z @ weight.T), subjects) + F.cross_entropy(
            self.scale * along * (x @ weight.T), subjects
        )


def damsm(face: Tensor, caption: Tensor, regions: Tensor, words: Tensor, mask: Tensor, subjects: Tensor) -> Tensor:
    """Deep attentional multimodal similarity: word-region and sentence-image matching, both directions.

    Args:
        face: [B, D].
        caption: [B, D]; caption i belongs to face i.
        regions: [B, J, D].
        words: [B, L, D].
        mask: bool [B, L].
        subjects: int64 [B].
    """
    fine = word_region_loss(regions, words, mask, subjects, **DAMSM_TAU)
    return fine + symmetric_info_nce(face, caption, subjects, DAMSM_TAU["tau_match"])
