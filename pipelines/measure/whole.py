"""Whole photos, degraded, then found, aligned and encoded: what a user meets (docs/protocol.md 10).

Probes and, where one labelled set plays both roles, templates are all of its photos, whether a face is found in them or
not. A gallery of its own is what was enrolled of it: photos that gave no face are in nobody's gallery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.faces.aligned import Chips, Progress, load_chips, relabelled
from pipelines.faces.features import load_features
from pipelines.measure.cells import Cell, Cells, Measured
from pipelines.measure.data import VIEW_OF_LEVEL, BenchData, BenchOptions, Side, join
from pipelines.measure.failure_to_enrol import DegradingFinder
from pipelines.measure.load import encoders_of
from pipelines.measure.systems.protocol import System
from tgfr_search.data.datasets import FeatureSet
from tgfr_search.data.records import read_records
from tgfr_search.data.sampling import IntArray
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import NothingUsableError
from tgfr_search.evaluation.measures import Measures
from tgfr_search.evaluation.report.reading import END_TO_END
from tgfr_search.evaluation.whole import measure_whole
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import cache_key
from tgfr_search.types import FloatArray, Record


@dataclass(frozen=True)
class Found:
    """Features of N photos in V views, each view's from the faces that were found in it.

    Attributes:
        views: V names; the first is the undegraded photo.
        sets: The faces of each view, encoded; those of a view without any are never used.
        rows: int64 [N, V], which row of its set that is; −1 where no face was found.
    """

    views: tuple[str, ...]
    sets: tuple[FeatureSet, ...]
    rows: IntArray

    def batch(self, rows: IntArray, view: int | IntArray, side: IntArray | None = None) -> FaceFeatures:
        """As `FeatureSet.batch`, of one view; of a photo without a face those of any other."""
        return self.sets[int(view)].batch(np.maximum(self.rows[rows, int(view)], 0), 0, side)


@dataclass(frozen=True)
class Whole:
    """What is measured end to end.

    Attributes:
        data: Both sides, with all photos.
        outcome: Level → (subject, failed) of every photo, also of those that the figures count once.
    """

    data: BenchData
    outcome: Mapping[str, list[tuple[str, bool]]]


def load_whole(
    options: BenchOptions,
    systems: Sequence[System],
    templates: Side | None,
    cache: Path,
    finder: FaceFinder,
    workers: int | None,
    progress: Progress,
) -> Whole:
    """All photos at every level, with the features of the faces that are found in them.

    Args:
        options: What is measured.
        systems: Whom.
        templates: The gallery, where it is another set.
        cache: Folder of chips and features.
        finder: How photos become faces.
        workers: Processes that find faces.
        progress: Called as the work goes on.
    """
    levels = tuple(dict.fromkeys(("normal", *options.levels)))
    found: dict[str, Chips | None] = {}
    for level in levels:
        way = finder if level == "normal" else DegradingFinder(finder.options, level, options.seed)
        try:
            found[level] = load_chips(
                options.probes,
                options.split,
                cache,
                way,
                captions=options.captions_file,
                workers=workers,
                progress=_told(progress, level),
            )
        except NothingUsableError:
            found[level] = None
    clean = found["normal"]
    assert clean is not None  # the aligned figures have been measured on it
    records = read_records(
        options.probes, captions=options.captions_file, split=options.split, on_problem=lambda problem: None
    )
    chips = relabelled(_everybody(clean, list(map(_listed, records)), list(found.values())), options.same_person)
    places = [{} if own is None else {name: at for at, name in enumerate(own.names)} for own in found.values()]
    rows = np.array([[own.get(name, -1) for own in places] for name in chips.names], np.int64).reshape(-1, len(levels))
    views = tuple(VIEW_OF_LEVEL.get(level, level) for level in levels)
    features = {}
    for key, encoder in encoders_of(systems).items():
        whole = load_features(clean, views, encoder, cache, options.seed, progress)
        worse = [
            whole if own is None else load_features(own, ["original"], encoder, cache, options.seed, progress)
            for own in list(found.values())[1:]
        ]
        features[key] = Found(views, (whole, *worse), rows)
    subjects = chips.subjects
    outcome = {
        level: [(subject, bool(row < 0)) for subject, row in zip(subjects, rows[:, at], strict=True)]
        for at, level in enumerate(levels)
    }
    return Whole(join(Side.of(chips, features), templates, options.seed), outcome)


class WholeCells(Cells):
    """The cells of these figures."""

    def __init__(self, options: BenchOptions, data: BenchData, weights: FloatArray, folder: Path) -> None:
        super().__init__(options, data, weights, folder)
        self.condition = END_TO_END

    def _measures(self, cell: Cell, queries: FloatArray, templates: FloatArray) -> Measures:
        lost_probes = _lost(self.data.probes, cell.level)
        lost_templates = _lost(self.data.templates, "normal")
        roles, skip = self.data.roles, self._skip(cell.captions)
        return measure_whole(queries, templates, lost_probes, lost_templates, roles, self.weights, skip)


def measured_whole(
    cells: WholeCells, wanted: Sequence[Cell], progress: Progress
) -> dict[tuple[str, str, str], Measured]:
    """(system, captions, level) → its figures; a system that does not look at photos has none."""
    looking = [cell for cell in wanted if cell.system.looks]
    out = {}
    for done, cell in enumerate(looking):
        out[cell.system.name, cell.captions, cell.level] = cells.measure(cell)
        progress("cells measured end to end", done + 1, len(looking))
    return out


def _lost(side: Side, level: str) -> npt.NDArray[np.bool_]:
    features = next(iter(side.features.values()))
    if isinstance(features, Found):
        return np.asarray(features.rows[side.order, side.view(level)] < 0)
    return np.zeros(len(side), bool)


def _told(progress: Progress, level: str) -> Progress:
    return lambda what, done, total: progress(f"{what}, whole photos, {level}", done, total)


def _listed(record: Record) -> tuple[Record, str]:
    """A row and its photo's digest, without the photo."""
    data = record.data
    if data is None:
        data = Path(record.path).read_bytes() if record.path and Path(record.path).is_file() else record.name.encode()
    return replace(record, path=None, data=b""), hashlib.sha256(data).hexdigest()


def _everybody(clean: Chips, listed: Sequence[tuple[Record, str]], found: Sequence[Chips | None]) -> Chips:
    """All rows of a data set in place of those in which a face was found; the pixels are not those of the rows."""
    folders = [None if own is None else own.folder.name for own in found]
    return replace(
        clean,
        folder=clean.folder.with_name(f"whole-{cache_key(folders=folders)}"),
        names=[record.name for record, _ in listed],
        subjects=[str(record.subject_id) for record, _ in listed],
        sha256=[digest for _, digest in listed],
        captions=[tuple(record.captions) for record, _ in listed],
        metadata=[dict(record.metadata) for record, _ in listed],
    )
