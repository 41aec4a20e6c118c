"""Scores of a labelled set by level of quality and mode, as the benchmark makes them: for calibration, validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.faces.aligned import Progress, silent
from pipelines.measure.cells import Cell, Cells
from pipelines.measure.data import BenchData, BenchOptions, Side, join
from pipelines.measure.load import load_data
from pipelines.measure.systems.protocol import System
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.ablation import Searched
from tgfr_search.forensic.correction import Correction, Standing
from tgfr_search.forensic.evidence import parts_of
from tgfr_search.forensic.pairs import Bools, Floats, Ints, Pairs
from tgfr_search.forensic.typicality import record_terms
from tgfr_search.model.cohort import Cohort
from tgfr_search.types import FloatArray

MODES = {"image": "none", "fused-1": "cross", "fused-2": "cross2", "fused-3": "cross3"}
"""Mode of a calibration → caption regime of its probes: words are always of another photo (docs/protocol.md, 13)."""

WRONG = {"fused-1": "wrong", "fused-2": "wrong2", "fused-3": "wrong3"}
"""Mode → the regime in which as many lines are of another person."""

LINES = tuple(parts_of(mode)[1] for mode in MODES if mode != "image")
"""Of a description that can be calibrated."""

CHUNK = 128
"""Probes whose terms are computed at a time."""


@dataclass(frozen=True)
class Scored:
    """Every probe against every template, in one mode at one level.

    Attributes:
        mode: Of `MODES`.
        regime: Of captions.
        rows: Which of the data's probes they are, [P].
        level: Of the quality ladder.
        scores: float32 [P, G].
        quality: [P].
        probes: [P], person of each probe.
        templates: [G], person of each template.
        pairs: [P, G], which of them are pairs for verification.
        gallery: Templates that are searched.
        searches: Probes whose person has a template in the gallery.
        standing: How probes and templates stand to a cohort; None without one.
    """

    mode: str
    regime: str
    rows: Ints
    level: str
    scores: FloatArray
    quality: Floats
    probes: Ints
    templates: Ints
    pairs: Bools
    gallery: Ints
    searches: Ints
    standing: Standing | None = None

    @property
    def own(self) -> Bools:
        """[P, G], whether both are one person."""
        return np.asarray(self.probes[:, None] == self.templates[None, :])

    def as_pairs(self, *, typicality: bool = False) -> Pairs:
        """All pairs for verification, with how both stand to the cohort if asked for: `forensic.correction.TERMS`."""
        probe, template = np.nonzero(self.pairs)
        score = self.scores[probe, template].astype(np.float64)
        terms = np.empty((0, 0))
        if typicality and self.standing is not None:
            own = self.standing
            parts = [np.empty((0, 4))]
            for start in range(0, len(self.scores), CHUNK):
                rows = slice(start, start + CHUNK)
                records = record_terms(own.records, own.levels, self.quality[rows])
                here, there = np.nonzero(self.pairs[rows])
                parts.append(np.concatenate([own.probes[rows][here], records[here, there]], axis=1))
            terms = np.concatenate(parts)
        return Pairs(score, self.quality[probe], self.probes[probe], self.templates[template], terms)

    def corrected(self, correction: Correction | None) -> Scored:
        """The same with corrected scores."""
        if correction is None or self.standing is None:
            return self
        scores = self.scores.copy()
        for start in range(0, len(scores), CHUNK):
            rows = slice(start, start + CHUNK)
            scores[rows] += self.standing.added(correction, self.quality[rows], rows).astype(np.float32)
        return replace(self, scores=scores)

    def tops(self) -> tuple[Floats, int]:
        """Searches of strangers: the highest score of each probe in the gallery less its own person.

        Returns:
            [P] and N, people of those galleries.
        """
        own = self.own[:, self.gallery]
        best = np.where(own, -np.inf, self.scores[:, self.gallery]).max(axis=1)
        everybody = len(np.unique(self.templates[self.gallery]))
        return best.astype(np.float64), everybody - int(own.any())

    def searched(self) -> Searched:
        """Searches of strangers, and of people who are enrolled."""
        best, own = self.by_person(self.scores)
        return Searched(self.tops()[0], self.probes, best[np.arange(len(best)), own], self.probes[self.searches])

    def by_person(self, values: FloatArray | Floats) -> tuple[Floats, Ints]:
        """The best of each person's templates in the gallery, for probes whose person is there.

        Args:
            values: [P, G], scores or what a calibration made of them.

        Returns:
            [searches, people], and the column of each search's own person.
        """
        people, column = np.unique(self.templates[self.gallery], return_inverse=True)
        out = np.full((len(self.searches), len(people)), -np.inf)
        chosen = values[np.ix_(self.searches, self.gallery)]
        for at in range(chosen.shape[1]):
            np.maximum(out[:, column[at]], chosen[:, at], out=out[:, column[at]])
        return out, np.searchsorted(people, self.probes[self.searches]).astype(np.int64)


def load_scored(
    options: BenchOptions,
    system: System,
    cache: Path,
    *,
    finder: FaceFinder,
    wanted: Sequence[tuple[str, str]] = tuple(MODES.items()),
    cohort: Cohort | None = None,
    leave_out: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> tuple[BenchData, Iterator[Scored]]:
    """A labelled set, and its scores mode by mode and level by level.

    Args:
        options: What is scored; its caption regimes are not looked at.
        system: Whose scores.
        cache: Folder of faces and features.
        finder: How photos become faces.
        wanted: (mode, caption regime), in this order; those with words are left out where nobody is described.
        cohort: Whom probes and templates are held against.
        leave_out: The people of the cohort take no part, instead of an error.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Raises:
        InputError: As `load_data`; there is no person with two photos; or somebody is in the cohort too.
    """
    data = load_data(options, [system], cache, finder, workers, progress)
    if cohort is not None and leave_out:
        one_set = data.templates is data.probes
        data = join(_rest(data.probes, cohort), None if one_set else _rest(data.templates, cohort), options.seed)
    if not len(data.roles.searches):
        raise InputError(f"{options.probes}", found="nobody with two photos", expected="people with two or more")
    if cohort is not None:
        require_nobody_of(cohort, data)
    cells = Cells(options, data, np.empty((0, 0), np.float32), cache / "cells")
    return data, scored_cells(cells, system, wanted, cohort)


def require_nobody_of(cohort: Cohort, data: BenchData) -> None:
    """Refuses data that share a person with a cohort.

    Raises:
        InputError: Somebody is in both.
    """
    for side, what in ((data.probes, "probes"), (data.templates, "gallery")):
        cohort.require_disjoint(set(_photos(side)), set(side.subjects), side.chips.data_sha256, what)


def _photos(side: Side) -> list[str]:
    return [side.sha256(at) for at in range(len(side))]


def _rest(side: Side, cohort: Cohort) -> Side:
    """The images of those who are not in a cohort.

    Raises:
        InputError: Everybody is.
    """
    inside = cohort.people_of(_photos(side), side.subjects, side.chips.data_sha256)
    keep = [at for at, subject in enumerate(side.subjects) if subject not in inside]
    if not keep:
        raise InputError("cohort", found="everybody of the data", expected="people beside them")
    return side.take(keep)


def scored_cells(
    cells: Cells, system: System, wanted: Sequence[tuple[str, str]], cohort: Cohort | None
) -> Iterator[Scored]:
    """Scores of a labelled set that is read already, mode by mode and level by level.

    Args:
        cells: Its cells.
        system: Whose scores.
        wanted: As `load_scored`.
        cohort: Whom probes and templates are held against; nobody of it may be among them (`require_nobody_of`).
    """
    roles, options = cells.data.roles, cells.options
    for mode, regime in wanted:
        said, _ = cells.captions(regime)
        kind, count = parts_of(mode)
        rows = np.array([mode == "image" or len(lines) == count for lines in said.probe])
        if not rows.any():
            continue
        for level in options.levels:
            probes, templates = cells.vectors(Cell(system, level, regime))
            pairs = np.ones((len(probes), len(templates)), bool)
            if roles.one_set:
                pairs = np.tril(pairs, -1)
                borrowed = np.flatnonzero(said.described >= 0)
                pairs[borrowed, said.described[borrowed]] = False
            standing = None
            if cohort is not None:
                own = probes.take(np.flatnonzero(rows))
                standing = cohort.standing(own, templates[:, :-1], kind)
            yield Scored(
                mode,
                regime,
                np.flatnonzero(rows).astype(np.int64),
                level,
                probes.dense()[rows] @ templates.T,
                probes.quality[rows].astype(np.float64),
                roles.probe_subjects[rows],
                roles.template_subjects,
                pairs[rows],
                roles.gallery,
                np.flatnonzero(np.isin(np.flatnonzero(rows), roles.searches)).astype(np.int64),
                standing,
            )
