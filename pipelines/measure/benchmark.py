"""The benchmark: every system × regime × quality level, measured by docs/protocol.md, resumable cell by cell."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np

import tgfr_search
from pipelines.enrol.index import detector_of, opened
from pipelines.faces.aligned import Progress, silent
from pipelines.measure.cells import Cell, Cells, Measured, entry
from pipelines.measure.checks import shared_lines, suspects, tuned_on
from pipelines.measure.data import LEVELS, BenchData, BenchOptions
from pipelines.measure.examples import choose, clear_pictures, write_pictures
from pipelines.measure.failure_to_enrol import failures_to_enrol
from pipelines.measure.load import load_data
from pipelines.measure.systems import BASELINES, System
from tgfr_search.data.degrade import LADDER
from tgfr_search.errors import InputError
from tgfr_search.evaluation.groups import group_members
from tgfr_search.evaluation.intervals import LEVEL, Interval, rate_interval, subject_weights
from tgfr_search.evaluation.protocol import PROTOCOL_VERSION
from tgfr_search.evaluation.report.reading import PICTURES, SCHEMA
from tgfr_search.evaluation.results import CurveRecord, DataRecord, ReportRecord, ResultRecord, SpreadRecord
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import replace_text
from tgfr_search.model.checkpoint import machine
from tgfr_search.types import LEAD_NOTICE

DEGRADED = "degraded"
"""In place of a level: the mean of a figure over all levels but `normal`."""

Key = tuple[str, str, str]
"""(system, captions, level)."""


def run_benchmark(
    options: BenchOptions,
    systems: Sequence[System],
    out: Path,
    cache: Path,
    *,
    finder: FaceFinder | None = None,
    workers: int | None = None,
    pictures: bool = False,
    progress: Progress = silent,
) -> ReportRecord:
    """Measures every cell; finished cells are kept in `out/cells` and not measured again.

    Args:
        options: What to measure.
        systems: Whom.
        out: Output folder; `report.json` is written there.
        cache: Folder of chips and features.
        finder: How photos become faces.
        workers: Processes that find faces.
        pictures: Also write the faces of the examples, to `out/pictures`.
        progress: Called as the work goes on.

    Returns:
        The report, as written to `report.json`.

    Raises:
        InputError: The data, the group column or the systems are not what they should be.
        NothingUsableError: There is no face at all.
        ContractMismatchError: The gallery is an index of another model.
    """
    started = time.time()
    if len({system.name for system in systems}) < len(systems) or not systems:
        names = ", ".join(system.name for system in systems) or "none"
        raise InputError("systems", found=names, expected="one or more, each name once")
    for system in systems:
        if not system.regimes(options.regimes):
            asked = ", ".join(options.regimes)
            raise InputError(f"system {system.name!r}", found=f"captions {asked}", expected="a regime with words")
    finder = (finder or FaceFinder()).for_alignment(systems[0].model.face_encoder.spec.alignment)
    if options.gallery is not None:
        finder = finder.for_detector(detector_of(opened(options.gallery)))
    data = load_data(options, systems, cache, finder, workers, progress)
    if options.group_by:
        group_members(data.probes.metadata, options.group_by)  # an unknown column should be told before the work
    weights = subject_weights(data.roles.subject_count, options.seed, options.resamples)
    cells = Cells(options, data, weights, out / "cells")
    wanted = [
        Cell(system, level, regime)
        for system in systems
        for regime in system.regimes(options.regimes)
        for level in options.levels
    ]
    measured: dict[Key, Measured] = {}
    grouped: list[ResultRecord] = []
    for done, cell in enumerate(wanted):
        measured[cell.system.name, cell.captions, cell.level] = cells.measure(cell)
        if options.group_by:
            grouped += cells.groups(cell, options.group_by)
        progress("cells measured", done + 1, len(wanted))
    fte = list(_enrolment(options, finder, out / "cells", workers, progress)) if options.enrolment else []
    figures = {key: one.measures for key, one in measured.items()}
    about, captions = _subject_of_the_report(options, systems)
    report: ReportRecord = {
        "schema": SCHEMA,
        "protocol": PROTOCOL_VERSION,
        "notice": LEAD_NOTICE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "package": tgfr_search.__version__,
        "options": {k: (str(v) if isinstance(v, Path) else v) for k, v in vars(options).items()},
        "machine": machine(),
        "seconds": round(time.time() - started),
        "interval": {"level": LEVEL, "resamples": options.resamples, "over": "subjects"},
        "data": cast(
            DataRecord,
            {
                **data.counts,
                "data_sha256": data.probes.chips.data_sha256,
                "warnings": [*tuned_on(systems, data, options), *data.warnings],
            },
        ),
        "ladder": {level: asdict(LADDER[level]) for level in options.levels},
        "absent_captions": {regime: cells.captions(regime)[0].absent for _, regime, _ in measured},
        "shared_lines": {
            regime: shared_lines(*cells.captions(regime), data.roles)
            for regime in options.regimes
            if regime not in ("constant", "none")
        },
        "suspects": suspects(data),
        "systems": {s.name: {"model_id": s.model_id, "provenance": s.model.config["provenance"]} for s in systems},
        "about": {"system": about, "captions": captions, "baselines": BASELINES},
        "quality": _quality(measured),
        "results": [*_figures(options, measured, data), *fte, *grouped],
        "curves": [
            cast(CurveRecord, {"system": name, "captions": captions, "level": level, **m.curves})
            for (name, captions, level), m in figures.items()
        ],
        "examples": choose(cells, figures, about, captions),
    }
    clear_pictures(out / PICTURES)
    if pictures:
        write_pictures(out / PICTURES, report["examples"], data, options)
    replace_text(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False))
    return report


def _subject_of_the_report(options: BenchOptions, systems: Sequence[System]) -> tuple[str, str]:
    """(system, caption regime) that the others are compared with: the shipped default where it takes part."""
    chosen = max(enumerate(systems), key=lambda each: (each[1].prominence, each[0]))[1]
    regimes = chosen.regimes(options.regimes)
    return chosen.name, "own" if "own" in regimes else regimes[0]


def _quality(measured: Mapping[Key, Measured]) -> dict[str, SpreadRecord]:
    """Predicted quality of the probes at each level, by the first system that predicts one."""
    out: dict[str, SpreadRecord] = {}
    for (_, _, level), one in measured.items():
        if one.quality is not None:
            out.setdefault(level, {"mean": one.quality[0], "sd": one.quality[1]})
    return out


def _figures(options: BenchOptions, measured: Mapping[Key, Measured], data: BenchData) -> Iterator[ResultRecord]:
    """Figures, then paired differences from the baselines at the same level; last the means of the degraded levels."""
    enrolled = len(np.unique(data.roles.template_subjects[data.roles.open_gallery]))
    figures = {key: one.measures.figures for key, one in measured.items()}
    for name, captions in dict.fromkeys(key[:2] for key in measured):
        degraded = [figures[name, captions, level] for level in options.levels if level != LEVELS[0]]
        if len(degraded) > 1:
            figures[name, captions, DEGRADED] = {at: Interval.mean([one[at] for one in degraded]) for at in degraded[0]}
    some = {key[:2]: one.measures.counts for key, one in measured.items()}
    for (name, captions, level), own in figures.items():
        for (metric, at), interval in own.items():
            counts = dict(some[name, captions])
            if metric == "fnir_at_fpir":
                counts |= {"n_probes": counts["n_mated"] + counts["n_nonmated"], "n_gallery": enrolled}
            yield entry(name, options.condition, level, captions, metric, at, interval, counts)
            for baseline, regime in BASELINES.items():
                other = figures.get((baseline, regime, level))
                if other is not None and name != baseline:
                    difference = interval.minus(other[metric, at])
                    yield entry(
                        name, options.condition, level, captions, metric, at, difference, counts, minus=baseline
                    )


def _enrolment(
    options: BenchOptions, finder: FaceFinder, folder: Path, workers: int | None, progress: Progress
) -> Iterator[ResultRecord]:
    """Failure to enrol at each level, on degraded whole photos."""
    for level in options.levels:
        if finder.options.aligned:
            none = Interval(None, None, None, "aligned chips: no detector ran", np.empty(0))
            yield entry("frozen", options.condition, level, "none", "fte", None, none, {})
            continue
        failed = failures_to_enrol(
            options.probes, options.captions_file, options.split, level, options.seed, finder, folder, workers, progress
        )
        # Subjects whose every photo failed have no place in the benchmark's own resamples: these are drawn apart.
        subjects, owners = np.unique([subject for subject, _ in failed], return_inverse=True)
        weights = subject_weights(len(subjects), options.seed, options.resamples)
        interval = rate_interval(np.array([float(f) for _, f in failed]), owners.astype(np.int64), weights)
        yield entry("frozen", options.condition, level, "none", "fte", None, interval, {"n_probes": len(failed)})
