"""How many 4-bit codes each direction of a template gets, so that every block can be searched alone.

A query weighs the blocks as its mode asks: image-only is nearly all `face`, caption-only has no `face`. One product
quantizer over equal slices of the whole vector gives a block as many codes as it has components, whatever they say, and
loses the subject where one block decides. Here every block is turned to its principal axes and gets codes until the
share of its variance that is lost is the same in every block, whatever the weights (reverse water-filling: Cover &
Thomas, Elements of Information Theory, 2nd ed., section 10.3.3). Axes of little variance share a code, up to four of
them, those of much have one each, those below the water level none. Those with a code each are then turned at random
among themselves, so that none has more variance than 16 steps can tell, or than the 8-bit tables of FastScan can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.rows import FloatArray

AXES_A_CODE = 4
MOST_CODES = 256  # FAISS adds 8-bit table entries in 16 bits; more codes than this make it coarsen the tables
_BITS = 4.0
_LOSS = 0.02


@dataclass(frozen=True)
class CodePlan:
    """A linear map after which slices of `AXES_A_CODE` components each take one 4-bit code.

    Attributes:
        transform: float32 [D, AXES_A_CODE · codes]; columns without an axis are zero.
        codes: How many, an even number.
        loss: Share of every block's variance that is below the water level.
    """

    transform: FloatArray
    codes: int
    loss: float


def plan_codes(sample: FloatArray, blocks: Mapping[str, slice]) -> CodePlan:
    """Share out codes among the blocks.

    Args:
        sample: float32 [n, D], rows drawn at random.
        blocks: Where each block lies; rows in which a block is all zero do not count for it.
    """
    axes = {name: _principal_axes(sample[:, where]) for name, where in blocks.items()}
    low, high = _LOSS, 1.0
    if _count(axes, low) <= MOST_CODES:
        high = low
    for _ in range(40):  # the smallest loss that the codes allow, by bisection of its logarithm
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if _count(axes, middle) <= MOST_CODES else (middle, high)
    shared = {name: _groups(variances, high) for name, (variances, _) in axes.items()}
    codes = sum(map(len, shared.values()))
    transform = np.zeros((sample.shape[1], AXES_A_CODE * (codes + codes % 2)), np.float32)
    at, rng = 0, np.random.default_rng(0)
    for name, where in blocks.items():
        own = axes[name][1].copy()
        alone = [group[0] for group in shared[name] if len(group) == 1]
        own[:, alone] = own[:, alone] @ np.linalg.qr(rng.standard_normal((len(alone), len(alone))))[0]
        for group in shared[name]:
            transform[where, at : at + len(group)] = own[:, group]
            at += AXES_A_CODE
    return CodePlan(transform, codes + codes % 2, high)


def _count(axes: Mapping[str, tuple[npt.NDArray[np.float64], FloatArray]], loss: float) -> int:
    return sum(len(_groups(variances, loss)) for variances, _ in axes.values())


def _principal_axes(block: FloatArray) -> tuple[npt.NDArray[np.float64], FloatArray]:
    """Variances [D] and axes [D, D], one a column, by falling variance."""
    present = block[block.any(axis=1)].astype(np.float64)
    if len(present) < 2:
        return np.zeros(block.shape[1]), np.eye(block.shape[1], dtype=np.float32)
    variances, axes = np.linalg.eigh(np.cov(present, rowvar=False).reshape(block.shape[1], -1))
    return np.maximum(variances[::-1], 0.0), axes[:, ::-1].astype(np.float32)


def _groups(variances: npt.NDArray[np.float64], loss: float) -> list[list[int]]:
    """Axes that share a code; `variances` [D] fall."""
    total = variances.sum()
    if total <= 0.0:
        return []
    low, high = 0.0, float(variances[0])
    for _ in range(50):
        level = (low + high) / 2.0
        low, high = (level, high) if np.minimum(level, variances).sum() <= loss * total else (low, level)
    level = max(low, total * 1e-9)
    groups: list[list[int]] = []
    room = 0.0
    for axis, variance in enumerate(variances):
        if variance <= level:
            break
        bits = 0.5 * np.log2(variance / level)
        if not groups or bits > room or len(groups[-1]) == AXES_A_CODE:
            groups.append([])
            room = _BITS
        groups[-1].append(axis)
        room -= bits
    return groups
