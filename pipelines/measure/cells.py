"""One cell of a benchmark: a system with a caption regime at a quality level; measured once, kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.measure.data import BenchData, BenchOptions
from pipelines.measure.systems.protocol import System
from tgfr_search.data.degrade import LADDER
from tgfr_search.data.regimes import Captions, assign
from tgfr_search.evaluation.groups import group_figures, group_members
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.measures import Measures, Searches, measure
from tgfr_search.evaluation.protocol import PROTOCOL_VERSION
from tgfr_search.evaluation.results import ResultRecord
from tgfr_search.files import cache_key, replace_text, replacing
from tgfr_search.model.line_cache import LineCache
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes
from tgfr_search.model.tgfr import LineReader
from tgfr_search.types import FloatArray

FORMAT = 2
"""Of a cell's file; part of its name, so that a file of another format is never read."""

ENROLLED_IN_PART = ("paper", "constant")
"""Regimes in which a template that no probe speaks of is enrolled with something else than all of its lines."""


@dataclass(frozen=True)
class Cell:
    """One system in one condition."""

    system: System
    level: str
    captions: str


@dataclass(frozen=True)
class Measured:
    """What a cell's file holds.

    Attributes:
        measures: Its figures.
        quality: Mean and standard deviation of the probes' predicted quality; None for a system that predicts none.
    """

    measures: Measures
    quality: tuple[float, float] | None


def cells_of(options: BenchOptions, systems: Sequence[System]) -> list[Cell]:
    """All cells of a benchmark: every system in its regimes at every level."""
    return [
        Cell(system, level, regime)
        for system in systems
        for regime in system.regimes(options.regimes)
        for level in options.levels
    ]


class Cells:
    """Measures cells, keeping what several of them share.

    A cell's figures do not depend on which cells were measured before it in this process: a run that was killed and
    resumed ends with the same bits as one that was not.

    Args:
        options: Of the benchmark.
        data: Both sides.
        weights: Subject resamples [R, S].
        folder: Where finished cells are kept.

    Attributes:
        condition: Whose probes and templates are degraded.
    """

    condition: str

    def __init__(self, options: BenchOptions, data: BenchData, weights: FloatArray, folder: Path) -> None:
        self.options, self.data, self.weights, self.folder = options, data, weights, folder
        self.condition = options.condition
        self._captions: dict[str, tuple[Captions, Sequence[tuple[str, ...]]]] = {}
        self._templates: tuple[str, FloatArray] = ("", np.empty((0, 0), np.float32))
        sides = (*data.probes.captions, *data.templates.captions)
        self._said = {line for own in sides for line in own}
        self._lines: tuple[FaceTextModel, list[str], LineCache] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def captions(self, regime: str) -> tuple[Captions, Sequence[tuple[str, ...]]]:
        """What is said of the probes in a regime, and what every template is enrolled with."""
        if regime not in self._captions:
            probes, templates = self.data.probes, self.data.templates
            said = assign(regime, probes.names, probes.subjects, probes.captions, self.options.seed)
            enrolled: Sequence[tuple[str, ...]] = said.gallery
            if templates is not probes:
                # Probes borrow each other's lines, never a template's: nothing has to be withheld from enrolment.
                how = regime if regime in ENROLLED_IN_PART else "own"
                columns = templates.names, templates.subjects, templates.captions
                enrolled = assign(how, *columns, self.options.seed).gallery
            self._captions[regime] = said, enrolled
        return self._captions[regime]

    def measure(self, cell: Cell) -> Measured:
        """A cell's figures, from its file where it was measured before."""
        path = self.folder / f"{self._key(cell)}.npz"
        if path.is_file():
            return _load(path)
        probes, templates = self.vectors(cell)
        measures = self._measures(cell, probes.dense(), templates)
        spread = (float(probes.quality.mean()), float(probes.quality.std())) if cell.system.trained else None
        measured = Measured(measures, spread)
        _save(path, measured)
        return measured

    def _measures(self, cell: Cell, queries: FloatArray, templates: FloatArray) -> Measures:
        """All figures of a cell's vectors."""
        return measure(queries, templates, self.data.roles, self.weights, self._skip(cell.captions))

    def groups(self, cell: Cell, column: str) -> list[ResultRecord]:
        """A cell's figures within each value of a metadata column, as entries of `results`."""
        path = self.folder / f"{self._key(cell)}-{hashlib.sha256(column.encode()).hexdigest()[:8]}.json"
        if not path.is_file():
            probes, templates = self.vectors(cell)
            queries = probes.dense()
            own = cell.system.name, self.condition, cell.level, cell.captions
            out = [
                entry(*own, metric, at, interval, counts, group=f"{column}={value}")
                for value, members in group_members(self.data.probes.metadata, column)
                for (metric, at), interval, counts in group_figures(
                    queries, templates, self.data.roles, members, self.weights, self._skip(cell.captions)
                )
            ]
            replace_text(path, json.dumps(out))
        entries: list[ResultRecord] = json.loads(path.read_text())
        return entries

    def _skip(self, regime: str) -> npt.NDArray[np.int64] | None:
        """The template that each probe's words describe: no pair for it. With a gallery of its own there is none."""
        return self.captions(regime)[0].described if self.data.roles.one_set else None

    def vectors(self, cell: Cell) -> tuple[Probes, FloatArray]:
        """Probes and gallery vectors of a cell."""
        read = self._reader(cell.system)
        said, enrolled = self.captions(cell.captions)
        level = cell.level if self.condition == "both" else "normal"
        key = repr((cell.system.name, level, hash(tuple(enrolled))))
        probes, templates = self.data.probes, self.data.templates
        if self._templates[0] != key:
            self._templates = (key, cell.system.templates(templates, templates.view(level), enrolled, read))
        return cell.system.probes(probes, probes.view(cell.level), said.probe, read), self._templates[1]

    def _reader(self, system: System) -> LineReader | None:
        """Looks up lines that are encoded once for all regimes: how lines are batched shows in a vector's last bits."""
        lines = system.reads(self._said)
        if not lines:
            return None
        if self._lines is None or self._lines[0] is not system.model or self._lines[1] != lines:
            self._lines = None  # the former's are hundreds of megabytes
            self._lines = (system.model, lines, LineCache(system.model.tgfr, lines))
        return self._lines[2].batch

    def _key(self, cell: Cell) -> str:
        o, d, config = self.options, self.data, cell.system.model.config
        return cache_key(
            format=FORMAT, protocol=PROTOCOL_VERSION, system=cell.system.name, model_id=cell.system.model_id,
            model=config["model"], scoring=config["scoring"], captions=cell.captions,
            statements=_statements_of(cell.system), condition=self.condition,
            level=LADDER[cell.level], seed=o.seed, resamples=o.resamples,
            probes=d.probes.chips.folder.name, templates=d.templates.chips.folder.name, **self._labels(),
        )  # fmt: skip

    def _labels(self) -> dict[str, str]:
        """Of decisions about labels, which change who is whom; nothing where there are none."""
        decided = self.options.same_person
        return {} if decided is None else {"labels": hashlib.sha256(decided.read_bytes()).hexdigest()}


def _statements_of(system: System) -> str:
    """What its statements are, as a part of a key."""
    return "" if system.model.directions is None else system.model.directions.digest


def entry(
    system: str, condition: str, level: str, captions: str, metric: str, at: float | None, interval: Interval,
    counts: dict[str, int], *, minus: str | None = None, group: str | None = None,
) -> ResultRecord:  # fmt: skip
    """One entry of `results`: a figure with its interval, or the reason why there is none."""
    return {
        "system": system,
        "condition": condition,
        "level": level,
        "captions": captions,
        "metric": metric,
        "at": at,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "reason": interval.reason or None,
        "minus": minus,
        "group": group,
        "n_genuine": counts.get("n_genuine"),
        "n_impostor": counts.get("n_impostor"),
        "n_probes": counts.get("n_probes"),
        "n_gallery": counts.get("n_gallery"),
    }


def _save(path: Path, measured: Measured) -> None:
    m = measured.measures
    meta = {
        "figures": [[k, at, i.value, i.low, i.high, i.reason] for (k, at), i in m.figures.items()],
        "counts": m.counts,
        "curves": m.curves,
        "quality": measured.quality,
    }
    samples = np.stack([i.samples for i in m.figures.values()])
    with replacing(path) as temporary:
        np.savez(temporary, meta=np.array(json.dumps(meta)), samples=samples, **vars(m.searches))


def _load(path: Path) -> Measured:
    with np.load(path, allow_pickle=False) as file:
        meta, samples = json.loads(str(file["meta"])), file["samples"]
        figures = {
            (k, at): Interval(value, low, high, reason, own)
            for (k, at, value, low, high, reason), own in zip(meta["figures"], samples, strict=True)
        }
        searches = Searches(*(file[name] for name in ("ranks", "best", "mate", "scores")))
        quality = None if meta["quality"] is None else tuple(meta["quality"])
        return Measured(Measures(figures, meta["counts"], meta["curves"], searches), quality)
