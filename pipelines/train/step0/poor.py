"""What both ways of step 0 (on chips, on whole photos) draw alike of a poor picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tgfr_search.data.degrade import LADDER
from tgfr_search.types import ByteArray

LADDER_SHARE = 0.5
"""Of the poor pictures, those at a level of the ladder; the others are drawn over it and beyond it."""


class Draw(NamedTuple):
    """One draw of one picture: its row, and the key of everything random about it."""

    row: int
    key: str


def ladder_level(rng: np.random.Generator) -> str | None:
    """A poor level of the ladder, or None where the picture is made poor otherwise."""
    if rng.random() >= LADDER_SHARE:
        return None
    return tuple(LADDER)[1 + int(rng.integers(len(LADDER) - 1))]


def maybe_mirrored(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """The picture or, one time in two, its mirror image: uint8 [S, S, 3]."""
    return picture[:, ::-1] if rng.random() < 0.5 else picture
