"""InfoNCE with identity masks: the caption-image loss CICL (Eq. 1–2) and the intra-modal loss IMCL (Eq. 7)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def negatives_mask(subjects: Tensor) -> Tensor:
    """Which entries of a [B, B] score matrix are not negatives: another slot of the same subject.

    Args:
        subjects: int64 [B].

    Returns:
        bool [B, B]; True off the diagonal where row and column are one subject.
    """
    same = subjects[:, None] == subjects[None, :]
    return same & ~torch.eye(len(subjects), dtype=torch.bool, device=subjects.device)


def contrastive(logits: Tensor, subjects: Tensor) -> Tensor:
    """−log softmax of the diagonal over each row, batch mean; other slots of the same subject take no part.

    Args:
        logits: [B, B], already divided by the temperature; row i's positive is column i.
        subjects: int64 [B].

    Returns:
        Scalar; log B where all logits are equal and all subjects differ.
    """
    masked = logits.masked_fill(negatives_mask(subjects), -torch.inf)
    return F.cross_entropy(masked, torch.arange(len(logits), device=logits.device))


def info_nce(a: Tensor, b: Tensor, subjects: Tensor, temperature: Tensor | float) -> Tensor:
    """One direction of Eq. 1: a_i against every b_k, cosine similarity over τ.

    Args:
        a: [B, D].
        b: [B, D]; b_i is a_i's positive.
        subjects: int64 [B].
        temperature: τ > 0.
    """
    logits = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T / temperature
    return contrastive(logits, subjects)


def symmetric_info_nce(a: Tensor, b: Tensor, subjects: Tensor, temperature: Tensor | float) -> Tensor:
    """Both directions summed, as CICL is (below Eq. 2)."""
    return info_nce(a, b, subjects, temperature) + info_nce(b, a, subjects, temperature)


class Temperature(nn.Module):
    """A learnable τ (Eq. 1–2), kept positive by its logarithm and within [0.01, 1] so that it cannot collapse."""

    def __init__(self, start: float = 0.1) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(start)))

    def forward(self) -> Tensor:
        """The present τ, a scalar."""
        return self.log.exp().clamp(0.01, 1.0)
