"""The 40 attributes that a face shows, read off the maps of nets that run anyhow (not in the paper).

A face vector is trained to say who, and loses what changes: a hat, a beard, the hair. The maps before it still hold
that. Each is averaged in 4 × 4 cells, and a ridge regression reads people's labels off all of them, in units of each
label's spread over people. Its outputs become one more block of a row, so that descriptions search pictures that nobody
described (`model.statements`).

    FOLDER/model.safetensors    mean, spread and weights of the columns; which maps they are of, how they were fitted

Made by `python -m pipelines.tools.fit_attribute_reader`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from tgfr_search.errors import CheckpointError
from tgfr_search.shipped import DIGEST, read_shipped

BLOCK = "attributes"
OUTPUTS = 40
WIDTH = 48
"""Of the block: the outputs, a constant, and zeros, so that the length of a row stays a multiple of 16."""
SCALE = 16.0
"""Outputs are divided by it and stand beside the constant 1: brought to unit length, the block keeps how pronounced a
face is (within a few per cent), which unit length alone would take from it."""
GRID = 4
"""Cells a side that maps are averaged over."""
FORMAT = "1"


def averaged(regions: Tensor) -> Tensor:
    """A map in `GRID` × `GRID` averages: [B, C, h, w] to [B, C·GRID²]."""
    return F.adaptive_avg_pool2d(regions, GRID).flatten(1)


class AttributeReader:
    """Regional maps in, block out.

    Args:
        folder: Of its file.
        maps: (C, h, w) of each map that it will be given.
        device: Where the maps are.

    Raises:
        MissingPartError: There is no such file.
        CheckpointError: It is damaged, of another format, or of other maps.
    """

    def __init__(self, folder: Path, maps: Sequence[tuple[int, int, int]], device: torch.device | str = "cpu") -> None:
        arrays, told = read_shipped(BLOCK, folder)
        found, expected = (told.get("format"), told.get("maps")), (FORMAT, maps_told(maps))
        columns = sum(channels for channels, _, _ in maps) * GRID**2
        shapes = {name: array.shape for name, array in arrays.items()}
        if found != expected or shapes != {"mean": (columns,), "spread": (columns,), "weights": (columns, OUTPUTS)}:
            raise CheckpointError(f"{folder}", found=f"{found}, {shapes}", expected=f"{expected}, {columns} columns")
        self.sha256 = told[DIGEST]
        self._mean, self._spread, self._weights = (
            torch.from_numpy(arrays[name]).float().to(device) for name in ("mean", "spread", "weights")
        )

    @torch.inference_mode()
    def __call__(self, maps: Sequence[Tensor]) -> Tensor:
        """Args: maps: each float32 [B, C, h, w], upright. Returns: float32 [B, WIDTH], not yet of unit length."""
        columns = torch.cat([averaged(own) for own in maps], dim=1)
        outputs = ((columns - self._mean) / self._spread) @ self._weights
        return F.pad(torch.cat([outputs / SCALE, torch.ones_like(outputs[:, :1])], dim=1), (0, WIDTH - OUTPUTS - 1))


def maps_told(maps: Sequence[tuple[int, int, int]]) -> str:
    """Which maps a reader is of, as its file has it."""
    return json.dumps([list(own) for own in maps])
