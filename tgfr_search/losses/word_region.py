"""Word-region contrastive loss, WRCL (paper §3.4, Eq. 3–6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tgfr_search.losses.info_nce import contrastive


def match_scores(
    regions: Tensor, words: Tensor, mask: Tensor, *, tau_region: float = 0.25, tau_word: float = 0.2
) -> Tensor:
    """f(x_f, x_c) of Eq. 5 for every face against every caption.

    Only inner products are kept: with s = rᵀw, ⟨r^attn_i, w_i⟩ needs Σ_j α_ij s_ij and ‖r^attn_i‖² = αᵀ(RᵀR)α, so the
    [F, C, L, D] tensor of attended regions is never made. Padding takes no part: the N words of all captions stand in
    one row, and a sum over a caption's words is a product with the matrix of whose word is whose.

    Args:
        regions: R, [F, J, D], one row of J regions a face.
        words: W, [C, L, D], unit norm at words.
        mask: bool [C, L], True at words.
        tau_region: τ1 of Eq. 4.
        tau_word: τ2 of Eq. 5, read as τ2·log Σ exp(⟨·⟩/τ2).

    Returns:
        [F, C]; zero in the columns of captions without words.
    """
    own = mask.nonzero()[:, 0]  # [N]: whose word
    belongs = nn.functional.one_hot(own, len(mask)).to(words.dtype)  # [N, C]
    s = regions @ words[mask].T  # [F, J, N]
    # Eq. 3: over words. Shifted by the largest of all captions' words, not of each one's: exact unless a region tells
    # two captions apart by more than 80.
    raised = (s - s.detach().amax(dim=2, keepdim=True)).clamp_min(-80).exp()
    normalised = raised / (raised @ belongs)[:, :, own]
    alpha = (normalised / tau_region).softmax(dim=1)  # Eq. 4: over regions
    gram = regions @ regions.transpose(1, 2)
    norm = ((gram @ alpha) * alpha).sum(dim=1).clamp_min(1e-12).sqrt()
    cosine = (alpha * s).sum(dim=1) / norm  # [F, N]
    # Eq. 5. A cosine over τ2 is bounded: its exponential needs no shift.
    sums = (cosine / tau_word).exp() @ belongs
    return torch.where(mask.any(dim=1), tau_word * sums.clamp_min(torch.finfo(sums.dtype).tiny).log(), 0.0)


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
