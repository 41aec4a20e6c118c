"""What is read of views of faces, kept in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.faces.aligned import Chips, Progress
from pipelines.faces.features import view
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders.attribute_reader import GRID
from tgfr_search.faces.align import WIDE_CHIP
from tgfr_search.files import cache_key, replacing
from tgfr_search.types import ByteArray

SEED, SLICE, BATCH = 0, 512, 32

Arrays = dict[str, npt.NDArray[Any]]
Read = Callable[[ByteArray], Arrays]


def in_parts(folder: Path, name: str, read: Read, chips: Chips, views: Sequence[str], progress: Progress) -> Arrays:
    """What is read of one view of each face, kept in parts: a run that was cut off goes on where it was.

    Args:
        folder: Of caches.
        name: Of what reads, for the cache.
        read: Chips in, arrays out, one row a chip.
        chips: N wide chips.
        views: N names, as `pipelines.faces.features.view` has them.
        progress: Called as the work goes on.
    """
    key = cache_key(chips=chips.folder.name, name=name, views=list(views), ladder=dict(LADDER), seed=SEED, grid=GRID)
    own = folder / f"wide-{key}"
    own.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, len(chips), SLICE):
        path, stop = own / f"{start:06d}.npz", min(start + SLICE, len(chips))
        if not path.is_file():
            made = []
            for first in range(start, stop, BATCH):
                rows = range(first, min(first + BATCH, stop))
                side = WIDE_CHIP.ladder_side
                seen = np.stack([view(chips.pixels[i], views[i], chips.sha256[i], SEED, side) for i in rows])
                made.append(read(seen))
                progress(f"{name}: faces read", rows.stop, len(chips))
            with replacing(path) as temporary:
                np.savez(temporary, **_joined(made))  # type: ignore[arg-type]
        with np.load(path) as file:
            parts.append({name: file[name] for name in file.files})
    return _joined(parts)


def _joined(parts: Sequence[Mapping[str, npt.NDArray[Any]]]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
