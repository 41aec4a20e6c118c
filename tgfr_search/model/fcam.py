"""Face-caption alignment module (paper §3.4): text encoder, projections and IMIM, into one shared space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tgfr_search.encoders.base import FaceFeatures, TextFeatures, TokenBatch
from tgfr_search.model.imim import IMIM
from tgfr_search.model.projection import SHARED_DIM, FaceProjection, WordProjection


class SharedFeatures(NamedTuple):
    """A batch of face-caption pairs in the shared space.

    Attributes:
        face: v, [B, 256], unit norm.
        caption: c, [B, 256], unit norm; zero where the caption has no word.
        regions: R, [B, h·w, 256].
        words: W, [B, L, 256], unit norm at words, zero elsewhere.
        mask: bool [B, L], True at words.
    """

    face: Tensor
    caption: Tensor
    regions: Tensor
    words: Tensor
    mask: Tensor


class FCAM(nn.Module):
    """Maps faces and captions into the shared space; its losses are in `tgfr_search.losses`.

    Args:
        text: A trainable text encoder (`TextEncoder`) that is a module.
        face_dim: D of the face encoder.
        region_channels: C of its regional map.
        face_hidden: Width of the face adapter; 0 is the paper's linear head.
        dropout: In the face adapter.
        face_parts: As `FaceProjection` has its parts.
        refinement: A layer over the text encoder's words, called with (words, mask); None leaves them as they are.
    """

    def __init__(
        self,
        text: nn.Module,
        *,
        face_dim: int,
        region_channels: int,
        face_hidden: int = 0,
        dropout: float = 0.0,
        face_parts: Sequence[int] = (),
        refinement: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.text = text
        self.refinement = refinement
        text_dim: Any = text.dim
        self.word_projection = WordProjection(int(text_dim), SHARED_DIM)
        self.face_projection = FaceProjection(face_dim, SHARED_DIM, face_hidden, dropout, face_parts)
        self.imim = IMIM(region_channels, SHARED_DIM)
        # Arithmetic of the text encoder and its convolutions, by far the largest part; the rest stays in float32.
        self.text_dtype = torch.float32

    def face(self, features: FaceFeatures) -> tuple[Tensor, Tensor]:
        """Args: frozen features of B faces. Returns: v [B, 256], R [B, h·w, 256]."""
        return self.face_projection(features.global_), self.imim(features.regions)

    def caption(self, tokens: TokenBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Args: B tokenised captions. Returns: c [B, 256], W [B, L, 256], mask [B, L]."""
        reduced = self.text_dtype != torch.float32
        with torch.autocast(tokens.ids.device.type, self.text_dtype, enabled=reduced):
            features: TextFeatures = self.text(tokens)
            words, mask = features
            if self.refinement is not None:
                words = self.refinement(words, mask)
            words, caption = self.word_projection(words, mask)
        return caption, words, mask

    def forward(self, faces: FaceFeatures, tokens: TokenBatch) -> SharedFeatures:
        """Face i and caption i are a pair."""
        face, regions = self.face(faces)
        caption, words, mask = self.caption(tokens)
        return SharedFeatures(face, caption, regions, words, mask)
