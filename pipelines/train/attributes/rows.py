"""Rows that directions of attributes are fitted and judged on: faces of a data set, one view each, as a model has them.

They are encoded once and kept in the cache: a second run takes seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from pipelines.faces.aligned import Chips, Progress, chips_of, load_chips, source_sha256
from pipelines.faces.features import view
from tgfr_search.data.degrade import LADDER
from tgfr_search.data.records import read_records
from tgfr_search.faces.align import ALIGNMENTS
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import cache_key, replacing
from tgfr_search.model.blocks import BLOCKS
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import FloatArray

BATCH = 32
LEVELS = ("original", *tuple(LADDER)[1:])
DEGRADED_EACH = 3
"""One in so many train faces is degraded, by a level of the ladder in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementOptions:
    """How directions are made.

    Attributes:
        data: Images with the attributes as boolean columns and captions.
        train: Split whose people the directions are fitted on.
        valid: Split that calibrates them; other people.
        cache: Folder of caches.
        every: Of the train split only each so-many-th image.
        alpha: Of the ridge.
        seed: Of the degradations.
        strength: Mode → weight of statements beside the other terms of a score; see docs/experiments.md, 30.
        familiar: The same of lines in the phrasing that the text encoder was taught; 47 there.
        licence: Of the data.
    """

    data: Path
    train: str = "train"
    valid: str = "valid"
    cache: Path = Path("runs/features")
    every: int = 4
    alpha: float = 1.0
    seed: int = 0
    strength: dict[str, float] = field(default_factory=lambda: {"caption": 1.5, "fused": 0.2})
    familiar: dict[str, float] = field(default_factory=lambda: {"caption": 0.3, "fused": 0.1})
    licence: str = "MM-CelebA-HQ / CelebA: non-commercial research only"


def train_views(count: int) -> list[str]:
    """Which view of each train face directions are fitted on: one in three is degraded, by the levels in turn."""
    at = np.arange(count)
    turns = np.where(at % DEGRADED_EACH, 0, 1 + (at // DEGRADED_EACH) % (len(LEVELS) - 1))
    return [LEVELS[turn] for turn in turns]


def some_chips(
    options: StatementOptions, split: str, every: int, finder: FaceFinder, workers: int | None, progress: Progress
) -> Chips:
    """Aligned faces of a split, or of each so-many-th image of it, from the cache or made now.

    Args:
        options: Data and cache.
        split: Which.
        every: Of its images only each so-many-th.
        finder: How photos become faces.
        workers: Processes that find faces.
        progress: Called as the work goes on.
    """
    if every == 1:
        return load_chips(options.data, split, options.cache, finder, workers=workers, progress=progress)
    digest, left_out = source_sha256(options.data), Counter[str]()
    records = read_records(
        options.data, split=split, on_problem=lambda problem: left_out.update([problem.reason.value])
    )
    folder = options.cache / f"chips-{split}-{cache_key(data=digest, split=split, every=every, finder=finder)}"
    some = islice(records, 0, None, every)
    return chips_of(some, folder, f"{options.data}", digest, finder, left_out, workers=workers, progress=progress)


def embedded(
    model: FaceTextModel, chips: Chips, views: Sequence[str], options: StatementOptions, progress: Progress
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Blocks made of a face, and predicted quality, of one view of each face; from the cache where they are there.

    Args:
        model: Encodes.
        chips: N faces.
        views: N names, as `pipelines.faces.features.view` has them.
        options: Cache and seed.
        progress: Called as the work goes on.
    """
    # The ladder's sides are those of dlib's chip, of which a wide one has more than is in it.
    alignment = ALIGNMENTS[model.face_encoder.spec.alignment]
    scale = {} if alignment.ladder_side == alignment.size else {"side": alignment.ladder_side}
    key = cache_key(
        chips=chips.folder.name,
        contract=model.contract,
        views=list(views),
        ladder=dict(LADDER),
        seed=options.seed,
        **scale,
    )
    path = options.cache / f"blocks-{key}.npz"
    if path.is_file():
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
        return found, found.pop("quality")
    names = [name for name, _ in model.tgfr.layout if BLOCKS[name].source == "face"]
    parts: list[dict[str, FloatArray]] = []
    for start in range(0, len(chips), BATCH):
        rows = range(start, min(start + BATCH, len(chips)))
        side = alignment.ladder_side
        pixels = np.stack([view(chips.pixels[i], views[i], chips.sha256[i], options.seed, side) for i in rows])
        out = model.embed(pixels, [()] * len(rows))
        parts.append({**{name: out.templates.blocks[name] for name in names}, "quality": out.quality})
        progress("faces encoded", rows.stop, len(chips))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    with replacing(path) as temporary:
        np.savez(temporary, **joined)  # type: ignore[arg-type]
    return joined, joined.pop("quality")
