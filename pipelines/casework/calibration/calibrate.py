"""Fits a calibration on a labelled set: likelihood ratios by mode, what strangers reach, searches for thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import tgfr_search
from pipelines.faces.aligned import Progress, silent
from pipelines.measure.checks import decided_labels, tuned_on
from pipelines.measure.data import BenchOptions
from pipelines.measure.evidence.scored import LINES, MODES, Scored, load_scored
from pipelines.measure.systems.protocol import System
from pipelines.search.evidence import binding_of
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.calibration import Calibration, Origin
from tgfr_search.forensic.correction import fit_correction
from tgfr_search.forensic.evidence import parts_of
from tgfr_search.forensic.lr import REFITS
from tgfr_search.forensic.modes import ModeCalibration, fit_mode, strangers_of
from tgfr_search.forensic.pairs import Pairs, thinned
from tgfr_search.forensic.statement import Population
from tgfr_search.model.cohort import Cohort

IMPOSTORS = 30_000
"""Impostor pairs of a level and mode that a calibrator is fitted on, the highest-scoring first."""


def calibrate(
    options: BenchOptions,
    system: System,
    cache: Path,
    *,
    finder: FaceFinder,
    cohort: Cohort | None = None,
    lines: Sequence[int] = LINES,
    leave_out: bool = False,
    population: str = "",
    refits: int = REFITS,
    workers: int | None = None,
    progress: Progress = silent,
) -> Calibration:
    """Fits every mode that the data allow.

    Args:
        options: The labelled set and the levels of quality.
        system: Whose scores.
        cache: Folder of faces and features.
        finder: How photos become faces.
        cohort: Of typicality, whose correction is fitted too; None corrects nothing.
        lines: Of descriptions that are calibrated beside the picture alone, each number a mode of its own.
        leave_out: The people of the cohort who are in the data take no part, instead of an error.
        population: Who the people are, for H2; empty names the data set.
        refits: Of the intervals.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Raises:
        InputError: Too few people or pairs, or they do not differ; somebody is in the cohort too; or no regime has so
            many lines. Where only those with words are too few, their mode is left out and a warning says so.
        NothingUsableError: There is no face at all.
    """
    wanted = _wanted(lines)
    data, scored = load_scored(
        options, system, cache, finder=finder, wanted=wanted, cohort=cohort, leave_out=leave_out, workers=workers,
        progress=progress,
    )  # fmt: skip
    modes, left_out = _modes(scored, wanted, options, refits, progress)
    warnings = [*tuned_on([system], data, options), *decided_labels(options), *left_out]
    split = options.split or ""
    origin = Origin(
        data.probes.chips.data_sha256,
        split,
        tgfr_search.__version__,
        options.seed,
        options.levels,
        tuple(warnings),
    )
    name = population or f"{options.probes.name}{f', split {split}' if split else ''}"
    people = len(set(data.probes.subjects) | set(data.templates.subjects))
    who = Population(name, people, "everybody in it with a face that was found")
    return Calibration(binding_of(system.model, finder.detector, cohort), origin, who, modes)


def _wanted(lines: Sequence[int]) -> list[tuple[str, str]]:
    """Modes with their caption regimes, the picture first.

    Raises:
        InputError: There is no regime with so many lines.
    """
    if any(count not in LINES for count in lines) or len(set(lines)) < len(lines):
        raise InputError(
            "--lines", found=",".join(map(str, lines)), expected=f"of {', '.join(map(str, LINES))}, none twice"
        )
    return [(mode, regime) for mode, regime in MODES.items() if mode == "image" or parts_of(mode)[1] in lines]


def _modes(
    scored: Iterable[Scored],
    wanted: Sequence[tuple[str, str]],
    options: BenchOptions,
    refits: int,
    progress: Progress,
) -> tuple[dict[str, ModeCalibration], list[str]]:
    """The modes that the data allow, and of each other with words why not.

    Raises:
        InputError: There are too few people or pairs for the picture alone.
    """
    by_mode: dict[str, list[Scored]] = {}
    modes: dict[str, ModeCalibration] = {}
    left_out: dict[str, str] = {}
    for at, one in enumerate(scored):
        by_mode.setdefault(one.mode, []).append(one)
        if len(by_mode[one.mode]) == len(options.levels):
            try:
                modes[one.mode] = _fit(by_mode.pop(one.mode), options.seed, refits)
            except InputError as error:
                if one.mode == "image":
                    raise
                left_out[one.mode] = str(error)
        progress("modes and levels", at + 1, len(wanted) * len(options.levels))
    for mode, _ in wanted:
        if mode not in modes:
            left_out.setdefault(mode, "no probe has so many lines")
    return modes, [f"{mode} is not calibrated: {why}" for mode, why in left_out.items()]


def _fit(levels: list[Scored], seed: int, refits: int) -> ModeCalibration:
    correction = None
    if levels[0].standing is not None:
        parts = [thinned(one.as_pairs(typicality=True), IMPOSTORS, seed + at) for at, one in enumerate(levels)]
        correction = fit_correction(Pairs.concat(parts))
        levels = [one.corrected(correction) for one in levels]
    kept, score, quality = [], [], []
    for at, one in enumerate(levels):
        every = one.as_pairs()
        other = ~every.genuine
        score.append(every.score[other])
        quality.append(every.quality[other])
        kept.append(thinned(every, IMPOSTORS, seed + at))
    tops, people = zip(*(one.tops() for one in levels), strict=True)
    probes = np.concatenate([one.quality for one in levels])
    strangers = strangers_of(np.concatenate(tops), probes, min(people))
    impostor = np.concatenate(score), np.concatenate(quality)
    return fit_mode(Pairs.concat(kept), impostor, strangers, refits=refits, seed=seed, correction=correction)
