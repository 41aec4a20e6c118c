"""Validates a calibration on people whom it was not fitted on, and writes `validation.json`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import tgfr_search
from pipelines.casework.calibration.scored import MODES, WRONG, Scored, load_scored
from pipelines.casework.calibration.validation_page import page
from pipelines.faces.aligned import Progress, silent
from pipelines.measure.checks import tuned_on
from pipelines.measure.data import BenchOptions
from pipelines.measure.systems import System
from pipelines.search.evidence import binding_of
from tgfr_search.data.regimes import BORROWED
from tgfr_search.errors import InputError
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import replace_text
from tgfr_search.forensic.ablation import typicality_record
from tgfr_search.forensic.bounds import Bounds
from tgfr_search.forensic.calibration import Calibration
from tgfr_search.forensic.modes import ModeCalibration
from tgfr_search.forensic.pairs import Floats
from tgfr_search.forensic.statement import propositions
from tgfr_search.forensic.validation import (
    INTERVALS,
    cell_record,
    crowdedness_record,
    curve_record,
    search_record,
    threshold_record,
    words_record,
)
from tgfr_search.forensic.verdict import Criteria, verdict
from tgfr_search.forensic.words import mixture
from tgfr_search.model.cohort import Cohort
from tgfr_search.strict import to_dict
from tgfr_search.terms import LEAD_NOTICE
from tgfr_search.types import FloatArray

RESULT, PAGE = "validation.json", "validation.html"
SCHEMA = 1
GALLERIES = (0.2, 0.5)
"""Sizes of simulated galleries, in the people of the data."""

SIZES = (100, 300, 600)
"""People of galleries in which thresholds are tried, where there are so many."""

SEARCHES = 4000
FPIRS = (0.01, 0.1)
SCORED_ROWS = 128
"""Probes whose ratios are computed at a time."""


def validate(
    options: BenchOptions,
    system: System,
    calibration: Calibration,
    out: Path,
    cache: Path,
    *,
    finder: FaceFinder,
    cohort: Cohort | None = None,
    criteria: Criteria | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measures a calibration.

    Args:
        options: The labelled set, its levels, the seed and number of resamples.
        system: Whose scores; the calibration must be of this model.
        calibration: What is validated.
        out: Folder; `validation.json` and `validation.html` are written there.
        cache: Folder of faces and features.
        finder: How photos become faces.
        cohort: That the calibration was fitted with; None where it was fitted without.
        criteria: That it is held against, fixed beforehand; None takes the project's own.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Returns:
        What was written.

    Raises:
        InputError: The calibration is of another model or cohort, or was fitted on these very people; or somebody is in
            the cohort too.
    """
    calibration.require(binding_of(system.model, finder.detector, cohort))
    data, scored = load_scored(
        options, system, cache, finder=finder, wanted=_wanted(calibration), cohort=cohort, workers=workers,
        progress=progress,
    )  # fmt: skip
    same_data = calibration.origin.data_sha256 == data.probes.chips.data_sha256
    if same_data and options.split is not None and calibration.origin.split in ("", options.split):
        raise InputError(
            f"{options.probes}, split {options.split}", found="the people whom the calibration was fitted on",
            expected="other people", do="name another split, or other data",
        )  # fmt: skip
    if same_data and options.split is None:
        raise InputError(
            f"{options.probes}", found="data of the calibration", expected="other people", do="give --split"
        )
    weights = subject_weights(data.roles.subject_count, options.seed, options.resamples).astype(np.float64)
    records: dict[str, list[Any]] = {"cells": [], "search": [], "crowdedness": [], "thresholds": [], "words": []}
    records |= {"curves": [], "typicality": []}
    steps, pictures = len(_wanted(calibration)) * len(options.levels), dict[str, FloatArray]()
    unseen: list[str] = []
    for at, plain in enumerate(scored):
        if not (plain.own & plain.pairs).any():
            unseen.append(f"{plain.mode}, words {plain.regime}, {plain.level}: not validated, no pair of one person")
            continue
        one = plain.corrected(calibration.modes[plain.mode].correction)
        if cohort is not None and plain.regime == MODES[plain.mode]:
            records["typicality"] += _typical(plain, one, weights)
        ratios = _ratios(one, calibration.modes[one.mode])
        if one.mode == "image":
            pictures[one.level] = ratios
        else:
            alone = pictures[one.level][one.rows], calibration.modes["image"].calibrator.bounds
            records["words"].append(_words(one, ratios, calibration.modes[one.mode], *alone, weights))
        if one.regime == MODES[one.mode]:
            _measure(one, ratios, calibration.modes[one.mode], options, weights, records)
        progress("modes and levels", at + 1, steps)
    tree: dict[str, Any] = {
        "schema": SCHEMA,
        "package": tgfr_search.__version__,
        "notice": LEAD_NOTICE,
        "propositions": list(propositions(calibration.population)),
        "data": {"source": f"{options.probes}", "split": options.split, "sha256": data.probes.chips.data_sha256},
        "people": data.roles.subject_count,
        "seed": options.seed,
        "calibration": {
            "sha256": calibration.sha256,
            "binding": to_dict(calibration.binding),
            "origin": to_dict(calibration.origin),
        },
        "intervals": INTERVALS,
        "warnings": [
            *tuned_on([system], data, options),
            *(f"of the calibration: {text}" for text in calibration.origin.warnings),
            *unseen,
            *data.warnings,
        ],
        **records,
    }
    asked = criteria or Criteria()
    tree["criteria"], tree["verdict"] = to_dict(asked), [asdict(each) for each in verdict(tree, asked)]
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / RESULT, json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    replace_text(out / PAGE, page(tree))
    return tree


def _wanted(calibration: Calibration) -> list[tuple[str, str]]:
    """The picture first; with words those of the person, then somebody else's."""
    return [
        (mode, regime)
        for mode, own in MODES.items()
        if mode in calibration.modes
        for regime in ([own] if mode == "image" else [own, WRONG[mode]])
    ]


def _ratios(one: Scored, mode: ModeCalibration) -> FloatArray:
    """Unbounded log10 LR of every probe against every template, float32 [P, G]."""
    ratios = np.empty(one.scores.shape, np.float32)
    for start in range(0, len(ratios), SCORED_ROWS):
        part = one.scores[start : start + SCORED_ROWS].astype(np.float64)
        quality = np.repeat(one.quality[start : start + SCORED_ROWS], part.shape[1])
        ratios[start : start + SCORED_ROWS] = mode.calibrator.unbounded(part.ravel(), quality).reshape(part.shape)
    return ratios


def _words(
    one: Scored, fused: FloatArray, mode: ModeCalibration, picture: FloatArray, limits: Bounds, weights: Floats
) -> dict[str, Any]:
    """What words of the usual reliability make of the picture's ratios: right ones, and another person's."""
    own = mode.calibrator.bounds
    probe, template = np.nonzero(one.pairs)
    alone = np.clip(picture[one.pairs].astype(np.float64), limits.low, limits.high)
    said = mixture(np.clip(fused[one.pairs].astype(np.float64), own.low, own.high), alone)
    people = one.probes[probe], one.templates[template]
    return words_record(one.level, one.mode, BORROWED[one.regime], said, alone, *people, weights)


def _measure(
    one: Scored,
    ratios: FloatArray,
    mode: ModeCalibration,
    options: BenchOptions,
    weights: Floats,
    records: dict[str, list[Any]],
) -> None:
    limits = mode.calibrator.bounds
    probe, template = np.nonzero(one.pairs)
    values = np.clip(ratios[probe, template].astype(np.float64), limits.low, limits.high)
    first, second = one.probes[probe], one.templates[template]
    names = one.level, one.mode
    records["cells"].append(cell_record(*names, values, first, second, weights, (limits.low, limits.high)))
    records["curves"].append(curve_record(*names, values, first == second))
    best, own = one.by_person(ratios)
    for share in GALLERIES:
        people = max(2, round(share * best.shape[1]))
        records["search"].append(search_record(*names, best, own, people, SEARCHES, options.seed))
    records["crowdedness"] += _crowded(one)
    records["thresholds"] += list(_thresholds(one, mode, options.seed))


def _typical(plain: Scored, one: Scored, weights: Floats) -> list[dict[str, Any]]:
    """What the correction does to searches: persons missed without it and with it, paired by person."""
    return [typicality_record(one.level, one.mode, plain.searched(), one.searched(), weights, fpir) for fpir in FPIRS]


def _crowded(one: Scored) -> list[dict[str, Any]]:
    """Crowdedness by one half of the people's probes, alarms by the other's: the same scores must not do both."""
    half = one.probes % 2 == 0
    strangers = np.where(one.own, np.nan, one.scores.astype(np.float64))
    chosen = strangers[half]
    count = max(1, chosen.shape[0] // 10)
    crowd = -np.sort(-np.nan_to_num(chosen, nan=-np.inf), axis=0)[:count].mean(axis=0)
    try:
        return [crowdedness_record(one.level, one.mode, strangers[~half], one.own[~half], crowd)]
    except InputError:
        return []  # too few pairs for a rate of 1e-3


def _thresholds(one: Scored, mode: ModeCalibration, seed: int) -> list[dict[str, Any]]:
    """Thresholds of the calibration in galleries of several sizes, drawn from the people here."""
    best, own = one.by_person(one.scores)
    out = []
    for size in (n for n in SIZES if n < best.shape[1]):
        rng = np.random.default_rng([seed, 14, size])
        tops, mates = np.empty(len(best)), best[np.arange(len(best)), own]
        for at in range(len(best)):
            others = rng.choice(best.shape[1] - 1, size=size, replace=False)
            tops[at] = best[at, others + (others >= own[at])].max()
        for fpir in FPIRS:
            try:
                threshold = mode.strangers.threshold(fpir, size)
            except InputError:
                continue  # the calibration had too few searches for this rate at this size
            out.append(threshold_record(one.level, one.mode, threshold, tops, mates))
    return out
