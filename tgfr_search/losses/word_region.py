"""Word-region contrastive loss, WRCL (paper §3.4, Eq. 3–6)."""

from __future__ import annotations

import torch
from torch import Tensor

from tgfr_search.losses.info_nce import contrastive


def match_scores(
    regions: Tensor, words: Tensor, mask: Tensor, *, tau_region: float = 0.25, tau_word: float = 0.2
) -> Tensor:
    """f(x_f, x_c) of Eq. 5 for every face against every caption.

    Only inner products are kept: with S = WᵀR, ⟨r^attn_i, w_i⟩ needs Σ_j α_ij s_ij and ‖r^attn_i‖² = αᵀ(RᵀR)α, so the
    [B, B, L, D] tensor of attended regions is never made.

    Args:
        regions: R, [F, J, D], one row of J regions a face.
        words: W, [C, L, D], unit norm at words.
        mask: bool [C, L], True at words.
        tau_region: τ1 of Eq. 4.
        tau_word: τ2 of Eq. 5, read as τ2·log Σ exp(⟨·⟩/τ2).

    Returns:
        [F, C]; zero in the columns of captions without words.
    """
    s = torch.einsum("fjd,cld->fclj", regions, words)
    at_words = mask[None, :, :, None]
    # Eq. 3: over words; the where() keeps a caption without words from being softmax over nothing.
    filled = s.masked_fill(~at_words & mask.any(dim=1)[None, :, None, None], -torch.inf)
    normalised = filled.softmax(dim=2)
    alpha = (normalised / tau_region).softmax(dim=3)  # Eq. 4: over regions
    gram = regions @ regions.transpose(1, 2)
    norm = torch.einsum("fclj,fjk,fclk->fcl", alpha, gram, alpha).clamp_min(1e-12).sqrt()
    cosine = (alpha * s).sum(dim=3) / norm
    scores = tau_word * (cosine / tau_word).masked_fill(~mask[None], -torch.inf).logsumexp(dim=2)  # Eq. 5
    return scores.masked_fill(~mask.any(dim=1)[None], 0.0)


def word_region_loss(
    regions: Tensor,
    words: Tensor,
    mask: Tensor,
    subjects: Tensor,
    *,
    tau_region: float = 0.25,
    tau_word: float = 0.2,
    tau_match: float = 0.1,
) -> Tensor:
    """L_WRCL: both directions of Eq. 6 summed, batch means so that λ does not depend on the batch size.

    Args:
        regions: [B, J, D].
        words: [B, L, D]; caption i belongs to face i.
        mask: bool [B, L].
        subjects: int64 [B].
        tau_region: τ1.
        tau_word: τ2.
        tau_match: τ3.
    """
    logits = match_scores(regions, words, mask, tau_region=tau_region, tau_word=tau_word) / tau_match
    return contrastive(logits, subjects) + contrastive(logits.T, subjects)
