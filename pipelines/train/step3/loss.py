"""What the readers of step 3 learn by: words against words, words against faces, both together."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.losses.info_nce import Temperature, contrastive
from tgfr_search.model.looks import LooksReader
from tgfr_search.model.reader import DescriptionReader

CENTRE_STEP = 0.05
"""Of the running mean of the vectors."""


class Said(NamedTuple):
    """Words of N sets of lines, as `DescriptionReader` takes them."""

    words: Tensor
    owner: Tensor
    lines: Tensor


class DescribeLoss(nn.Module):
    """InfoNCE between what witnesses say and what is on record: the lines, the face, and both together.

    Together, so that a face tells what the lines leave out and not what they say already.

    Args:
        reader: Trained.
        looks: Trained.
    """

    centre: Tensor
    """Running mean of the reader's vectors, [outputs]."""
    looks_centre: Tensor
    """That of the vectors of looks."""

    def __init__(self, reader: DescriptionReader, looks: LooksReader) -> None:
        super().__init__()
        self.reader, self.looks = reader, looks
        of = ("lines", "looks", "lines of both", "looks of both")
        self.temperatures = nn.ModuleDict({name: Temperature(0.1) for name in of})
        # Few and many lines lie apart, so the centre is that of both sides together, and what is trained is what is
        # left without it: exactly what a search compares.
        self.register_buffer("centre", torch.zeros(reader.linear.out_features))
        self.register_buffer("looks_centre", torch.zeros(reader.linear.out_features))

    def forward(
        self, said: Said, record: Said, subjects: Tensor, faces: FaceFeatures | None = None
    ) -> dict[str, Tensor]:
        """Computes the loss.

        Args:
            said: Of N witnesses.
            record: Of N records; record i is of the subject of witness i.
            subjects: int64 [N].
            faces: Of the N pictures on record, where there are pictures.

        Returns:
            `total` and its parts: `lines`, `looks` and `both`.
        """
        both = [self.reader(*said), self.reader(*record)]
        centre = torch.cat(both).mean(dim=0)
        one, other = (F.normalize(vectors - centre, dim=1) for vectors in both)
        tau = {name: own() for name, own in self.temperatures.items()}
        lines = one @ other.T
        parts = {"lines": contrastive(lines / tau["lines"], subjects)}
        with torch.no_grad():
            self.centre.lerp_(centre, CENTRE_STEP)
        if faces is not None:
            seen = self.looks(faces)
            middle = seen.mean(dim=0)
            looks = one @ F.normalize(seen - middle, dim=1).T
            parts["looks"] = contrastive(looks / tau["looks"], subjects)
            parts["both"] = contrastive(lines / tau["lines of both"] + looks / tau["looks of both"], subjects)
            with torch.no_grad():
                self.looks_centre.lerp_(middle, CENTRE_STEP)
        return {"total": torch.stack(list(parts.values())).sum(), **parts}
