"""Frozen face features of a data set on disk, made once and shared by training and evaluation.

They are written in blocks of `BLOCK` rows and resume after a kill at the last whole block; a finished array is read
memory-mapped. They are a cache: delete the folder and they are made again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from pipelines.faces.aligned import BLOCK, Chips, Progress, silent
from pipelines.faces.drawn import drawn
from tgfr_search.data.datasets import FeatureSet
from tgfr_search.data.degrade import LADDER, degrade, random_degradation
from tgfr_search.encoders.base import FaceEncoder, FaceSpec, encode_both
from tgfr_search.errors import InputError, TgfrError
from tgfr_search.faces.align import ALIGNMENTS
from tgfr_search.files import cache_key, replace_text
from tgfr_search.types import ByteArray

ENCODE_BATCH = 32
WORKERS_BATCH = 256
"""Faces encoded at once where several processes make the views: it is a GPU that they feed."""

RANDOM_VIEWS = 1
"""Version of `random_degradation`, part of the cache's key as the ladder's parameters are."""


def view(chip: ByteArray, name: str, key: str, seed: int, side: float | None) -> ByteArray:
    """One view of a chip: `original`, a level of the quality ladder, or `random0`, `random1` and so on.

    Args:
        chip: uint8 [S, S, 3].
        name: Which view.
        key: What the draw depends on besides the seed: the photo's SHA-256.
        seed: Of the run.
        side: As `degrade` has it; `Alignment.ladder_side` of the chip.
    """
    if name == "original":
        return chip
    if name in LADDER:
        return degrade(chip, name, key=key, seed=seed, side=side)
    if name.startswith("random"):
        drawn = f"{key}/{name}"
        return degrade(chip, random_degradation(drawn, seed), key=drawn, seed=seed, side=side)
    raise InputError(f"view {name!r}", expected=f"original, randomN, or one of {', '.join(LADDER)}")


@dataclass(frozen=True)
class _Views(Dataset[ByteArray]):
    """Views of chips, in parts: the index of a view, and rows."""

    chips: Chips
    views: Sequence[str]
    seed: int
    side: float | None
    parts: list[tuple[int, range]]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> ByteArray:
        """uint8 [B, S, S, 3]."""
        at, rows = self.parts[index]
        chips, name = self.chips, self.views[at]
        return np.stack([view(chips.pixels[i], name, chips.sha256[i], self.seed, self.side) for i in rows])


def feature_shapes(count: int, views: int, spec: FaceSpec) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
    """Array → (shape, type) of a cache of `count` faces; both orientations of each view are kept."""
    return {
        "vectors": ((count, views, 2, spec.dim), np.float32),
        "regions": ((count, views, 2, *spec.regions), np.float16),
    }


def feature_bytes(count: int, views: int, spec: FaceSpec) -> int:
    """What such a cache takes on the disk."""
    shapes = feature_shapes(count, views, spec).values()
    return sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in shapes)


def load_features(
    chips: Chips,
    views: Sequence[str],
    encoder: FaceEncoder,
    cache: Path,
    seed: int,
    progress: Progress = silent,
    *,
    precision: torch.dtype = torch.float32,
    workers: int = 0,
) -> FeatureSet:
    """Features of all chips in all views and both orientations, from the cache or made now.

    A mirrored map is turned back, so that cell (i, j) of both orientations is the same part of the face.

    Args:
        chips: What to encode.
        views: Names for `view`.
        encoder: Frozen, without flip averaging of its own: both orientations are kept apart here.
        cache: Folder of caches.
        seed: Of the degradations.
        progress: Called as the work goes on.
        precision: The encoder's arithmetic; in float32 a cache is the same on every machine.
        workers: Processes that make the views; 0 makes them in this one.

    Raises:
        TgfrError: There is not enough room on the disk; the message has the estimate.
    """
    spec, count, width = encoder.spec, len(chips), len(views)
    how = {name: LADDER.get(name, RANDOM_VIEWS) for name in views if name != "original"}
    chip_key, alignment = chips.folder.name, ALIGNMENTS.get(spec.alignment)
    side = alignment.ladder_side if alignment else None  # a chip that nobody has placed counts as dlib's
    scale = {} if alignment is None or side == alignment.size else {"side": side}
    key = cache_key(chips=chip_key, views=views, how=how, encoder=spec, seed=seed, precision=str(precision), **scale)
    folder = cache / f"features-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "rows_done"
    done = int(state.read_text()) if state.is_file() else 0
    if not done:
        need = _need_room(folder, count, width, spec)
        progress(f"features, {need / 1e9:.2f} GB", 0, count)
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "r+" if done else "w+", kind, shape)
        for name, (shape, kind) in feature_shapes(count, width, spec).items()
    }
    batch = WORKERS_BATCH if workers else ENCODE_BATCH
    parts = [
        (at, range(start, min(start + batch, first + BLOCK, count)))
        for first in range(done, count, BLOCK)
        for at in range(width)
        for start in range(first, min(first + BLOCK, count), batch)
    ]
    made = DataLoader(_Views(chips, views, seed, side, parts), batch_size=None, num_workers=workers)
    for (at, rows), pixels in zip(parts, drawn(made), strict=True):
        part = slice(rows.start, rows.stop)
        for turned, (vectors, regions) in enumerate(encode_both(encoder, pixels.numpy())):
            arrays["vectors"][part, at, turned] = vectors.cpu().numpy()
            arrays["regions"][part, at, turned] = (regions.flip(3) if turned else regions).cpu().numpy()
        if at == width - 1 and (rows.stop % BLOCK == 0 or rows.stop == count):
            for array in arrays.values():
                array.flush()
            replace_text(state, str(rows.stop))
            progress("faces encoded", rows.stop, count)
    return FeatureSet(tuple(views), *(np.load(folder / f"{name}.npy", mmap_mode="r") for name in arrays))


def _need_room(folder: Path, count: int, views: int, spec: FaceSpec) -> int:
    """What a cache in the folder will take, in bytes.

    Raises:
        TgfrError: The disk has not so much.
    """
    need = feature_bytes(count, views, spec)
    disk = shutil.disk_usage(folder)
    if disk.total and need > 0.95 * disk.free:  # many network mounts tell no size
        raise TgfrError(
            f"feature cache {folder}", found=f"{disk.free / 1e9:.1f} GB free", expected=f"{need / 1e9:.1f} GB"
        )
    return need
