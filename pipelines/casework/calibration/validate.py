"""Validates a calibration on people whom it was not fitted on, and writes `validation.json`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import tgfr_search
from pipelines.casework.calibration.validation_page import page
from pipelines.faces.aligned import Progress, silent
from pipelines.measure.checks import decided_labels, require_others, tuned_on
from pipelines.measure.data import BenchData, BenchOptions
from pipelines.measure.evidence.measures import Measures
from pipelines.measure.evidence.scored import MODES, WRONG, load_scored
from pipelines.measure.systems.protocol import System
from pipelines.search.evidence import binding_of
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import replace_text
from tgfr_search.forensic.calibration import Calibration
from tgfr_search.forensic.statement import propositions
from tgfr_search.forensic.validation import INTERVALS
from tgfr_search.forensic.verdict import Criteria, verdict
from tgfr_search.model.cohort import Cohort
from tgfr_search.strict import to_dict
from tgfr_search.terms import LEAD_NOTICE

RESULT, PAGE = "validation.json", "validation.html"
SCHEMA = 1


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
    require_others(calibration, options, data.probes.chips.data_sha256)
    weights = subject_weights(data.roles.subject_count, options.seed, options.resamples).astype(np.float64)
    measures = Measures(calibration, options, weights, typical=cohort is not None, words=True)
    steps = len(_wanted(calibration)) * len(options.levels)
    for at, plain in enumerate(scored):
        measures.add(plain)
        progress("modes and levels", at + 1, steps)
    warnings = [
        *tuned_on([system], data, options),
        *decided_labels(options),
        *(f"of the calibration: {text}" for text in calibration.origin.warnings),
        *measures.unseen,
        *data.warnings,
    ]
    tree = {**_about(options, calibration, data), "warnings": warnings, **measures.records}
    asked = criteria or Criteria()
    tree["criteria"], tree["verdict"] = to_dict(asked), [asdict(each) for each in verdict(tree, asked)]
    _write(out, tree)
    return tree


def _write(out: Path, tree: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / RESULT, json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    replace_text(out / PAGE, page(tree))


def _about(options: BenchOptions, calibration: Calibration, data: BenchData) -> dict[str, Any]:
    """What was validated, by which data: the head of `validation.json`."""
    return {
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
    }


def _wanted(calibration: Calibration) -> list[tuple[str, str]]:
    """The picture first; with words those of the person, then somebody else's."""
    return [
        (mode, regime)
        for mode, own in MODES.items()
        if mode in calibration.modes
        for regime in ([own] if mode == "image" else [own, WRONG[mode]])
    ]
