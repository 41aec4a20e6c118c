"""Projection networks (paper §3.3, Fig. 2): words and faces into one shared space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARED_DIM = 256


def masked_max(values: Tensor, mask: Tensor) -> Tensor:
    """Maximum over unmasked positions.

    Args:
        values: [B, L, D].
        mask: bool [B, L].

    Returns:
        [B, D]; zeros for a row without any unmasked position.
    """
    filled = values.masked_fill(~mask.unsqueeze(-1), -torch.inf)
    return torch.where(mask.any(dim=1, keepdim=True), filled.amax(dim=1), torch.zeros_like(values[:, 0]))


def each_of_one_length(vector: Tensor, parts: list[int]) -> Tensor:
    """Vectors of several encoders side by side, each brought to unit norm.

    Args:
        vector: [B, D].
        parts: Their dimensions; they add up to D.

    Returns:
        [B, D].
    """
    return torch.cat([F.normalize(part, dim=1) for part in vector.split(parts, dim=1)], dim=1)


class WordProjection(nn.Module):
    """1-D convolutions over the word matrix, kernels 2 to 5, element-wise maximum over the branches (Fig. 2a).

    Word i stays word i: every branch is padded to the same length. Padding positions are zeroed before the
    convolutions and excluded from every pool, so that they cannot leak into words (paper notes).
    """

    KERNELS = (2, 3, 4, 5)

    def __init__(self, inputs: int, outputs: int = SHARED_DIM) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv1d(inputs, outputs, kernel) for kernel in self.KERNELS)

    def forward(self, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Projects contextual word embeddings.

        Args:
            words: W̄, [B, L, D].
            mask: bool [B, L], True at words.

        Returns:
            W: [B, L, 256], unit norm at words, zero elsewhere.
            c: [B, 256], the maximum over the words, unit norm; zero where there is no word.
        """
        x = (words * mask.unsqueeze(-1)).transpose(1, 2)
        maps = [
            branch(F.pad(x, ((kernel - 1) // 2, kernel // 2)))
            for branch, kernel in zip(self.branches, self.KERNELS, strict=True)
        ]
        phrase = torch.stack(maps).float().amax(dim=0).transpose(1, 2)
        out = F.normalize(phrase, dim=-1) * mask.unsqueeze(-1)
        return out, F.normalize(masked_max(phrase, mask), dim=-1)


class FaceProjection(nn.Module):
    """Global image vector into the shared space (Fig. 2b): a linear layer, or with `hidden` a residual adapter.

    Args:
        inputs: D of the face encoder.
        outputs: Shared dimension.
        hidden: Width of a hidden layer whose output is added to the linear one; 0 is the paper's linear layer alone.
        dropout: Behind the hidden layer.
        parts: Dimensions of vectors that lie side by side in the input and are brought to one length each; none takes
            the input as one vector.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int = SHARED_DIM,
        hidden: int = 0,
        dropout: float = 0.0,
        parts: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.parts = list(parts)
        self.linear = nn.Linear(inputs, outputs)
        self.adapter: nn.Module | None = None
        if hidden:
            self.adapter = nn.Sequential(
                nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, outputs)
            )

    def forward(self, vector: Tensor) -> Tensor:
        """Args: vector [B, D]. Returns: v [B, 256], unit norm."""
        if self.parts:
            vector = each_of_one_length(vector, self.parts)
        # The encoder's norm varies from net to net; a unit input keeps the head's learning rate comparable.
        x = F.normalize(vector, dim=-1)
        out = self.linear(x)
        if self.adapter is not None:
            out = out + self.adapter(x)
        return F.normalize(out, dim=-1)
