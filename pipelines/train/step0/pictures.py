"""What step 0 is shown: chips made poor as drawn, in batches of two pictures a subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from pipelines.faces.aligned import Chips
from pipelines.train.step0.poor import Draw, ladder_level, maybe_mirrored
from pipelines.train.steps import epoch_rng
from tgfr_search.data.degrade import degrade, random_degradation
from tgfr_search.data.sampling import IntArray, epoch_pairs
from tgfr_search.types import ByteArray


@dataclass(frozen=True)
class Pictures(Dataset[ByteArray]):
    """Chips made poor as drawn; what a picture looks like depends on its key alone.

    Attributes:
        chips: The faces.
        clean: Share of pictures that are left as they are.
        seed: Of the run.
    """

    chips: Chips
    clean: float
    seed: int

    def __getitem__(self, picture: Any) -> ByteArray:
        """uint8 [S, S, 3]."""
        row, key = picture
        chip = self.chips.pixels[row]
        draw = np.random.default_rng([self.seed, *key.encode()])
        chip = maybe_mirrored(chip, draw)
        if draw.random() >= self.clean:
            level = ladder_level(draw) or random_degradation(key, self.seed)
            chip = degrade(chip, level, key=key, seed=self.seed)
        return np.ascontiguousarray(chip)


class Batches:
    """One epoch of batches of pictures: 2B of B subjects, picture i and i + B of one subject."""

    def __init__(self, subjects: IntArray, chips: Chips, batch: int, seed: int, epoch: int) -> None:
        rng = epoch_rng(seed, "adapt", epoch)
        pairs = [np.concatenate([pair.first, pair.second]) for pair in epoch_pairs(subjects, batch, rng)]
        self.rows = pairs
        self.pictures = [
            [Draw(int(row), f"{chips.sha256[row]}/{epoch}/{slot}") for slot, row in enumerate(rows)] for rows in pairs
        ]

    def __iter__(self) -> Iterator[list[Draw]]:
        return iter(self.pictures)

    def __len__(self) -> int:
        return len(self.pictures)


def stack(chips: list[ByteArray]) -> ByteArray:
    """A batch, uint8 [B, S, S, 3]."""
    return np.stack(chips)
