"""Looks from more of the picture: what maps of a face net that reads the whole wide chip add to today's blocks.

    python -m benchmarks.accuracy.wide_looks [--shared ../shared] [--cache runs/features]

Hair, hat, ears and collar lie outside the aligned face. A ridge on averaged maps of the wide chip gives 40 numbers, a
block `wide`; the directions of statements are fitted with it and without it, on the photos of train people that
`model fit-statements` takes, and judged on valid: each attribute's AUC and average precision, attribute search
(docs/protocol.md 12), and what statements add beside a picture. Which net and maps is chosen on train, by folds of
people. Writes `benchmarks/results/wide_looks.json`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.wide_judged import (
    HEADS,
    LEVELS,
    OUTPUTS,
    SCALE,
    SEED,
    SYSTEMS,
    Seen,
    attribute_search,
    attributes_told,
    auc,
    beside_one_line,
    beside_people,
    gallery_rows,
)
from benchmarks.accuracy.wide_maps import MAPS, READERS, averaged, map_reader, milliseconds
from benchmarks.results import write_result
from pipelines.faces.aligned import Chips, Progress
from pipelines.measure.data import BenchOptions
from pipelines.measure.load import load_data
from pipelines.measure.systems.trained import Default
from pipelines.train.attributes.head import labels_of
from pipelines.train.attributes.map_head import Head, fit_head
from pipelines.train.attributes.map_parts import Arrays, Read, in_parts
from pipelines.train.attributes.rows import StatementOptions, some_chips, train_views
from pipelines.train.attributes.solve import ridge
from tgfr_search.app.cli.console import stages
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.evaluation.verification import Floats
from tgfr_search.model.blocks import BLOCKS
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.statements import Directions
from tgfr_search.types import ByteArray

TIMED = 32
"""Chips that the time of a reader is taken over."""
FACES, OWN_MAP = "the model", "its map"

Columns = tuple[tuple[str, str], ...]
"""(reader, map) of what a head reads."""


def face_reader(model: FaceTextModel) -> Read:
    """What gives the model's blocks of faces, their predicted quality, and its own regional map, averaged."""
    names = [name for name, _ in model.tgfr.layout if BLOCKS[name].source == "face"]

    def read(chips: ByteArray) -> Arrays:
        faces = model.face_encoder.encode(chips)
        made = model.tgfr.embed(faces, [()] * len(chips))
        blocks = {name: made.templates.blocks[name] for name in names}
        return {**blocks, "quality": made.quality, OWN_MAP: averaged(faces.regions)}

    return read


MAP: Columns = ((FACES, OWN_MAP),)
ALIGNED: Columns = (*MAP, *(("sface, its own chip", name) for name in MAPS["sface-2021"]))
"""What of the aligned face is there for nothing."""
WIDE: dict[str, Columns] = {
    f"{reader}: {' and '.join(names)}": tuple((reader, name) for name in names)
    for reader, (net, side) in READERS.items()
    if side is not None
    for names in (*((name,) for name in MAPS[net]), MAPS[net])
}
"""Heads on the wide chip: reader and maps."""


def mean_auc(outputs: Floats, labels: Floats) -> float:
    """Of all attributes."""
    none = np.empty((0, len(outputs)), np.float32)
    return float(np.mean([auc(outputs[:, at], labels[:, at] == 1, none).value or 0.0 for at in range(OUTPUTS)]))


class Measured:
    """The faces of train and valid, what reads them, and the heads fitted on train.

    Args:
        model: The shipped default.
        options: Data and cache.
        workers: Processes that find faces.
        progress: Called as the work goes on.
    """

    def __init__(
        self, model: FaceTextModel, options: StatementOptions, workers: int | None, progress: Progress
    ) -> None:
        self.model, self.options, self.progress = model, options, progress
        self.readers = {name: map_reader(*own) for name, own in READERS.items()} | {FACES: face_reader(model)}
        finder = model.find_with()
        self.train = some_chips(options, options.train, options.every, finder, workers, progress)
        self.valid = some_chips(options, options.valid, 1, finder, workers, progress)
        self.labels, self.truth = labels_of(self.train).astype(np.float64), labels_of(self.valid)
        self.rows = self.read(FACES, self.train, train_views(len(self.train)))
        self.blocks = tuple(name for name in self.rows if name not in ("quality", OWN_MAP))
        self.columns = {
            "map": MAP,
            "aligned": ALIGNED,
            **WIDE,
            **{f"aligned, {key}": (*ALIGNED, *own) for key, own in WIDE.items()},
        }
        self.heads: dict[str, Head] = {}

    def read(self, reader: str, chips: Chips, views: Sequence[str]) -> Arrays:
        """What a reader makes of one view of each face, from the cache or made now."""
        name = self.model.model_id if reader == FACES else reader
        return in_parts(self.options.cache, name, self.readers[reader], chips, views, self.progress)

    def _columns(self, key: str, chips: Chips, views: Sequence[str]) -> list[npt.NDArray[Any]]:
        read = {reader: self.read(reader, chips, views) for reader, _ in self.columns[key]}
        return [read[reader][name] for reader, name in self.columns[key]]

    def head(self, key: str) -> Head:
        """The head on some columns, fitted when it is first asked for."""
        if key in self.heads:
            return self.heads[key]
        columns = self._columns(key, self.train, train_views(len(self.train)))
        head = fit_head(columns, self.labels, self.train.subjects, lambda out: mean_auc(out, self.labels))
        self.progress(f"{key}: alpha {head.alpha}, AUC {self.held_out(key, head):.4f}", 1, 1)
        self.heads[key] = head
        return head

    def held_out(self, key: str, head: Head | None = None) -> float:
        """Mean AUC of a head on train, each person by the fold that has not seen them."""
        return mean_auc((head or self.head(key)).held_out, self.labels)

    def told(self) -> dict[str, Any]:
        """Each head's ridge, how well it tells people whom its fold has not seen, and what a face costs its nets."""
        cost = {name: milliseconds(read, self.train.pixels[:TIMED]) for name, read in self.readers.items()}
        out: dict[str, Any] = {"milliseconds": cost}
        for key, head in self.heads.items():
            out[key] = {"alpha": head.alpha, "held_out_auc": self.held_out(key)}
        return out

    def seen(self, keys: Mapping[str, str], name: str) -> Seen:
        """Rows of valid in one view, with the blocks of some heads."""
        views = [name] * len(self.valid)
        own = self.read(FACES, self.valid, views)
        rows = {block: own[block] for block in self.blocks}
        for block, key in keys.items():
            rows[block] = (self.head(key)(self._columns(key, self.valid, views)) / SCALE).astype(np.float32)
        return Seen(rows, own["quality"])

    def systems(self, keys: Mapping[str, str]) -> dict[str, Directions]:
        """The shipped directions, and those fitted on today's blocks and on those of some heads."""
        shipped, out = self.model.directions, {}
        assert shipped is not None
        rows = {**self.rows, **{b: (self.head(key).held_out / SCALE).astype(np.float32) for b, key in keys.items()}}
        for name, further in SYSTEMS.items():
            blocks = (*(self.blocks if name.startswith("blocks") else ()), *further)
            weights, means = ridge(rows, blocks, self.labels, self.options.alpha)
            out[name] = replace(shipped, attributes=ATTRIBUTES, blocks=blocks, weights=weights, means=means)
        return {"shipped": shipped, **out}


def run(own: Measured, people: Path, workers: int | None, progress: Progress) -> dict[str, Any]:
    """All that is judged on valid."""
    numbers = np.unique(own.valid.subjects, return_inverse=True)[1]
    weights = subject_weights(int(numbers.max()) + 1, SEED)[:, numbers]
    searches: dict[str, Any] = {}
    heads: dict[str, dict[str, str]] = {}
    for reader in dict.fromkeys(columns[0][0] for columns in WIDE.values()):
        best = max((key for key in WIDE if WIDE[key][0][0] == reader), key=own.held_out)
        heads[reader] = dict(zip(HEADS, ("map", "aligned", best, f"aligned, {best}"), strict=True))
        rows, systems = own.seen(heads[reader], "original").rows, own.systems(heads[reader])
        found = attribute_search(own.model, systems, gallery_rows(own.model, rows), own.truth, weights)
        searches[reader] = {"heads": heads[reader], **found}
        progress(f"searched: {reader}", 1, 1)
    chosen = max(heads, key=lambda reader: own.held_out(heads[reader]["wide"]))
    levels = {level: own.seen(heads[chosen], name) for name, level in LEVELS.items()}
    systems = own.systems(heads[chosen])
    benchmark = BenchOptions(people, split=own.options.valid, seed=SEED)
    default, cache = Default("default", own.model), own.options.cache
    written = load_data(benchmark, [default], cache, own.model.find_with(), workers, progress).probes
    return {
        "data_sha256": own.train.data_sha256,
        "train_images": len(own.train),
        "valid_images": len(own.valid),
        "valid_subjects": len(set(own.valid.subjects)),
        "heads": own.told(),
        "attribute_search": searches,
        "chosen": chosen,
        "attributes": attributes_told(systems, {name: each.rows for name, each in levels.items()}, own.truth, weights),
        "one_line": beside_one_line(own.model, systems, own.valid, levels),
        "people": beside_people(own.model, systems, own.valid, levels, written),
    }


def main() -> None:
    """Measures and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--workers", type=int, help="Processes that find faces.")
    asked = parser.parse_args()
    started, model = time.time(), load_model()
    options = StatementOptions(data=asked.shared / "data/mmceleba_hq.parquet", cache=asked.cache)
    with stages() as progress:
        measured = Measured(model, options, asked.workers, progress)
        values = run(measured, asked.shared / "data/face2text.parquet", asked.workers, progress)
    assert model.directions is not None
    head = {"model_id": model.model_id, "shipped_statements": model.directions.digest, "split": "valid", "seed": SEED}
    print(write_result("wide_looks", {**head, "seconds": round(time.time() - started), **values}))


if __name__ == "__main__":
    main()
