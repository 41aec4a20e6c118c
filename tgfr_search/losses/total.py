"""The objective of the first training step (paper Eq. 8), as the weighted sum of its four parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tgfr_search.losses.cross_modal import CMPC, damsm
from tgfr_search.losses.identity import ArcFace
from tgfr_search.losses.info_nce import Temperature, info_nce, symmetric_info_nce
from tgfr_search.losses.word_region import word_region_loss
from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.model.projection import SHARED_DIM
from tgfr_search.options import LossOptions


class FCAMLoss(nn.Module):
    """L_total = λ_w·L_WRCL + λ1·L_IDL + λ2·L_CICL + λ3·L_IMCL over two views of each subject, and CGFR's two losses.

    Args:
        subjects: Number of training subjects.
        options: Weights and temperatures; a weight of 0 leaves the part out (Table 3's ablations).
    """

    def __init__(self, subjects: int, options: LossOptions) -> None:
        super().__init__()
        self.options = options
        self.face_identity = ArcFace(SHARED_DIM, subjects, options.face_scale, options.margin)
        self.caption_identity = ArcFace(SHARED_DIM, subjects, options.caption_scale, options.caption_margin)
        self.tau_cicl = Temperature(options.tau)
        self.tau_imcl = Temperature(options.tau)
        self.cmpc = CMPC(SHARED_DIM, subjects, options.face_scale) if options.cmpc else None

    def forward(self, pair: SharedFeatures, subjects: Tensor) -> dict[str, Tensor]:
        """Computes every part and their sum.

        Args:
            pair: 2B face-caption pairs; pair i and pair i + B are two views of one subject.
            subjects: int64 [2B].

        Returns:
            `total` and each part by its name in `LossOptions`, scalars, parts unweighted.
        """
        o = self.options
        half = len(subjects) // 2
        one = subjects[:half]
        parts: dict[str, Tensor] = {}
        if o.wrcl:
            parts["wrcl"] = word_region_loss(
                pair.regions, pair.words, pair.mask, subjects, tau_region=o.tau1, tau_word=o.tau2, tau_match=o.tau3
            )
        if o.identity:
            parts["identity"] = self.face_identity(pair.face, subjects) + self.caption_identity(pair.caption, subjects)
        if o.cicl:
            parts["cicl"] = symmetric_info_nce(pair.face, pair.caption, subjects, self.tau_cicl())
        if o.imcl:
            tau = self.tau_imcl()
            faces = info_nce(pair.face[:half], pair.face[half:], one, tau)
            captions = info_nce(pair.caption[:half], pair.caption[half:], one, tau)
            parts["imcl"] = (faces + captions) / 2
        if self.cmpc is not None:
            parts["cmpc"] = self.cmpc(pair.face, pair.caption, subjects)
        if o.damsm:
            parts["damsm"] = damsm(pair.face, pair.caption, pair.regions, pair.words, pair.mask, subjects)
        total = torch.stack([getattr(o, name) * value for name, value in parts.items()]).sum()
        return {"total": total, **parts}
