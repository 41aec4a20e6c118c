"""The benchmark: every system × regime × quality level, measured by docs/protocol.md, resumable cell by cell."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np

import tgfr_search
from pipelines.enrol.index import detector_of, opened
from pipelines.faces.aligned import Progress, silent
from pipelines.measure.cells import Cells, Measured, cells_of
from pipelines.measure.checks import shared_lines, suspects, tuned_on
from pipelines.measure.data import BenchData, BenchOptions
from pipelines.measure.entries import Key, failure_to_enrol, figures
from pipelines.measure.evidence.report import evidence_of, typical_of
from pipelines.measure.examples import choose, clear_pictures, write_pictures
from pipelines.measure.failure_to_enrol import Outcome, failures_to_enrol
from pipelines.measure.load import load_data
from pipelines.measure.systems.names import BASELINES
from pipelines.measure.systems.protocol import System
from pipelines.measure.systems.searched import Searched
from pipelines.measure.whole import WholeCells, load_whole, measured_whole
from tgfr_search.data.degrade import LADDER
from tgfr_search.errors import InputError
from tgfr_search.evaluation.evidence_results import EvidenceRecord
from tgfr_search.evaluation.groups import group_members
from tgfr_search.evaluation.interval import LEVEL
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.evaluation.protocol import PROTOCOL_VERSION
from tgfr_search.evaluation.report.reading import END_TO_END, PICTURES, SCHEMA
from tgfr_search.evaluation.results import CurveRecord, DataRecord, ReportRecord, ResultRecord, SpreadRecord
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import replace_text
from tgfr_search.model.checkpoint import machine
from tgfr_search.types import LEAD_NOTICE


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
    _check(systems, options)
    if options.gallery is not None:
        finder = (finder or FaceFinder()).for_detector(detector_of(opened(options.gallery)))
    finder = systems[0].model.find_with(finder)
    data = load_data(options, systems, cache, finder, workers, progress)
    for system in systems:
        if isinstance(system, Searched):
            system.typical = typical_of(options, system, data, finder.detector)
    if options.group_by:
        group_members(data.probes.metadata, options.group_by)  # an unknown column should be told before the work
    weights = subject_weights(data.roles.subject_count, options.seed, options.resamples)
    cells = Cells(options, data, weights, out / "cells")
    main = next(each for each in systems if each.name == _subject_of_the_report(options, systems)[0])
    evidence = evidence_of(options, main, cells, finder.detector, weights.astype(np.float64), progress)
    measured, grouped = _measured(options, systems, cells, progress)
    failed, whole = _end_to_end(options, systems, data, cache, out / "cells", finder, workers, progress)
    enrolled = options.levels if options.enrolment else ()
    for level in (own for own in enrolled if own not in failed):
        failed[level] = failures_to_enrol(options, level, finder, out / "cells", workers, progress)
    fte = [failure_to_enrol(options, options.condition, level, failed[level]) for level in enrolled]
    results = [*figures(options, options.condition, measured, data.roles), *fte, *whole, *grouped]
    report = _report(options, systems, data, cells, measured, results, evidence, round(time.time() - started))
    clear_pictures(out / PICTURES)
    if pictures:
        write_pictures(out / PICTURES, report["examples"], data, options)
    replace_text(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False))
    return report


def _measured(
    options: BenchOptions, systems: Sequence[System], cells: Cells, progress: Progress
) -> tuple[dict[Key, Measured], list[ResultRecord]]:
    """Every cell, and the results of its groups."""
    wanted, measured, grouped = cells_of(options, systems), dict[Key, Measured](), list[ResultRecord]()
    for done, cell in enumerate(wanted):
        measured[cell.system.name, cell.captions, cell.level] = cells.measure(cell)
        if options.group_by:
            grouped += cells.groups(cell, options.group_by)
        progress("cells measured", done + 1, len(wanted))
    return measured, grouped


def _check(systems: Sequence[System], options: BenchOptions) -> None:
    """Refuse systems that cannot be measured, before any work.

    Raises:
        InputError: There are none, or two of one name, or one has nothing to be measured with.
    """
    if len({system.name for system in systems}) < len(systems) or not systems:
        names = ", ".join(system.name for system in systems) or "none"
        raise InputError("systems", found=names, expected="one or more, each name once")
    for system in systems:
        if not system.regimes(options.regimes):
            asked = ", ".join(options.regimes)
            raise InputError(f"system {system.name!r}", found=f"captions {asked}", expected="a regime with words")


def _report(
    options: BenchOptions,
    systems: Sequence[System],
    data: BenchData,
    cells: Cells,
    measured: Mapping[Key, Measured],
    results: list[ResultRecord],
    evidence: EvidenceRecord,
    seconds: int,
) -> ReportRecord:
    """What was measured, as `report.json` has it."""
    measures = {key: one.measures for key, one in measured.items()}
    about, captions = _subject_of_the_report(options, systems)
    return {
        "schema": SCHEMA,
        "protocol": PROTOCOL_VERSION,
        "notice": LEAD_NOTICE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "package": tgfr_search.__version__,
        "options": {k: (str(v) if isinstance(v, Path) else v) for k, v in vars(options).items()},
        "machine": machine(),
        "seconds": seconds,
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
        "results": results,
        "curves": [
            cast(CurveRecord, {"system": name, "captions": captions, "level": level, **m.curves})
            for (name, captions, level), m in measures.items()
        ],
        "evidence": evidence,
        "examples": choose(cells, measures, about, captions),
    }


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


def _end_to_end(
    options: BenchOptions,
    systems: Sequence[System],
    data: BenchData,
    cache: Path,
    folder: Path,
    finder: FaceFinder,
    workers: int | None,
    progress: Progress,
) -> tuple[dict[str, Outcome | None], list[ResultRecord]]:
    """What became of every photo at every level, and the entries of `results`; nothing where it is not asked for."""
    if not options.end_to_end:
        return {}, []
    if finder.options.aligned:
        return {}, [failure_to_enrol(options, END_TO_END, level, None) for level in options.levels]
    templates = None if data.roles.one_set else data.templates
    whole = load_whole(options, systems, templates, cache, finder, workers, progress)
    weights = subject_weights(whole.data.roles.subject_count, options.seed, options.resamples)
    cells = WholeCells(options, whole.data, weights, folder)
    measured = measured_whole(cells, cells_of(options, systems), progress)
    fte = [failure_to_enrol(options, END_TO_END, level, whole.outcome[level]) for level in options.levels]
    return dict(whole.outcome), [*figures(options, END_TO_END, measured, whole.data.roles), *fte]
