"""Searches to look at: those that the description decided, and those that failed, with their pictures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from pipelines.enrol.batches import encode_crop
from pipelines.faces.features import view
from pipelines.measure.cells import Cells
from pipelines.measure.data import VIEW_OF_LEVEL, BenchData, BenchOptions, Side
from tgfr_search.evaluation.measures import Measures
from tgfr_search.evaluation.results import ExampleRecord
from tgfr_search.faces.align import ALIGNMENTS

EXAMPLES = 3
"""Of each kind at each level."""


def choose(
    cells: Cells, measured: Mapping[tuple[str, str, str], Measures], system: str, captions: str
) -> list[ExampleRecord]:
    """Seeded draws of two kinds: probes that `system` finds at rank 1 and `frozen` does not, and probes it misses.

    Args:
        cells: Of the benchmark.
        measured: (system, captions, level) → its figures.
        system: Whose searches.
        captions: In which caption regime.
    """
    data, out = cells.data, list[dict[str, Any]]()
    for level in cells.options.levels:
        found = measured[system, captions, level].searches
        frozen = measured.get(("frozen", "none", level))
        kinds = {"failure": found.ranks > 1}
        if frozen is not None and system != "frozen":
            kinds = {"success": (found.ranks == 1) & (frozen.searches.ranks > 1), **kinds}
        for kind, chosen in kinds.items():
            for at in np.random.default_rng(cells.options.seed).permutation(np.flatnonzero(chosen))[:EXAMPLES]:
                rows = {
                    "probe": int(data.roles.searches[at]),
                    "first": int(found.best[at]),
                    "mate": int(found.mate[at]),
                }
                if frozen is not None:
                    rows["frozen_first"] = int(frozen.searches.best[at])
                out.append(
                    {
                        "kind": kind,
                        "system": system,
                        "captions": captions,
                        "level": level,
                        **{role: _side(data, role).names[row] for role, row in rows.items()},
                        "subject": data.probes.subjects[rows["probe"]],
                        "first_subject": data.templates.subjects[rows["first"]],
                        "caption": list(cells.captions(captions)[0].probe[rows["probe"]]),
                        "rank": int(found.ranks[at]),
                        "first_score": float(found.scores[at, 0]),
                        "mate_score": float(found.scores[at, 1]),
                        "frozen_rank": None if frozen is None else int(frozen.searches.ranks[at]),
                        "pictures": {
                            role: _file(_side(data, role), row, _shown(role, level, cells.options), cells.options.seed)
                            for role, row in rows.items()
                        },
                    }
                )
    return cast(list[ExampleRecord], out)


def _side(data: BenchData, role: str) -> Side:
    return data.probes if role == "probe" else data.templates


def _shown(role: str, level: str, options: BenchOptions) -> str:
    """The level at which a picture of an example is shown: that at which it was compared."""
    return level if role == "probe" or options.condition == "both" else "normal"


def _file(side: Side, at: int, level: str, seed: int) -> str:
    """A picture's name is its content's, so that one of an earlier run in the folder is never taken for another."""
    return hashlib.sha256(f"{side.sha256(at)} {level} {seed}".encode()).hexdigest()[:20] + ".jpg"


def write_pictures(folder: Path, examples: Iterable[Mapping[str, Any]], data: BenchData, options: BenchOptions) -> None:
    """Writes the faces of every example as JPEG, each at the level at which it was compared.

    They are faces of the user's own data: they go beside the user's report and nowhere else.

    Args:
        folder: Made if it is not there.
        examples: From `choose`.
        data: Both sides.
        options: Of the benchmark.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sides = {id(side): {name: at for at, name in enumerate(side.names)} for side in (data.probes, data.templates)}
    for example in examples:
        for role, name in example["pictures"].items():
            side, level = _side(data, role), _shown(role, example["level"], options)
            at = sides[id(side)][example[role]]
            chip = np.asarray(side.chips.pixels[int(side.order[at])])
            scale = next((own.ladder_side for own in ALIGNMENTS.values() if own.size == len(chip)), None)
            pixels = view(chip, VIEW_OF_LEVEL.get(level, level), side.sha256(at), options.seed, scale)
            (folder / name).write_bytes(encode_crop(pixels))


def clear_pictures(folder: Path) -> None:
    """Deletes the faces that an earlier run left in a folder, and nothing else."""
    for path in folder.glob("*.jpg"):
        if re.fullmatch(r"[0-9a-f]{20}", path.stem):
            path.unlink()
