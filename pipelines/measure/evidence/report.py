"""The evidence part of a benchmark's report: what the scores of the system that it is about are worth, or why not said.

Everything is measured by the calibration that comes with the model, or another that was named: fitted elsewhere, on
other people, as are its thresholds. Where none fits, the reason stands in place of the figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pipelines.faces.aligned import Progress
from pipelines.measure.cells import Cells
from pipelines.measure.checks import require_others
from pipelines.measure.data import BenchData, BenchOptions
from pipelines.measure.evidence.measures import KINDS, Measures
from pipelines.measure.evidence.scored import MODES, require_nobody_of, scored_cells
from pipelines.measure.systems.protocol import System
from pipelines.measure.systems.searched import Searched
from pipelines.measure.systems.trained import CaptionAlone, Control, Trained
from pipelines.search.answers.typical import Typical
from pipelines.search.evidence import FILE, binding_of, cohort_of
from tgfr_search.errors import InputError
from tgfr_search.evaluation.evidence_results import EvidenceRecord
from tgfr_search.forensic.calibration import Calibration, read_calibration
from tgfr_search.forensic.pairs import Floats
from tgfr_search.forensic.statement import propositions
from tgfr_search.model.cohort import Cohort


def evidence_of(
    options: BenchOptions, system: System, cells: Cells, detector: str, weights: Floats, progress: Progress
) -> EvidenceRecord:
    """Likelihood ratios, thresholds and searches of one system: of the picture alone, and of words about another photo.

    Args:
        options: Of the benchmark; the calibration and cohort that it names, if it does.
        system: Of which the report is.
        cells: Of the benchmark.
        detector: That found the faces.
        weights: [R, S], resamples of people.
        progress: Called as the work goes on.

    Raises:
        InputError: A calibration or cohort that the options name is none, or of another model: what was asked for by
            name must not be passed over.
    """
    told: EvidenceRecord = {"system": system.name, "calibration": None, "reason": None, "propositions": [], "notes": []}
    try:
        found, cohort = _calibration(options, system, cells.data, detector)
    except InputError as error:
        if options.calibration is not None or options.cohort is not None:
            raise
        return {**told, "reason": str(error)}
    wanted = [(mode, own) for mode, own in MODES.items() if mode in found.modes and own in ("none", *options.regimes)]
    measures = Measures(found, options, weights, typical=False, words=False)
    for at, plain in enumerate(scored_cells(cells, system, wanted, cohort)):
        measures.add(plain)
        progress("evidence measured", at + 1, len(wanted) * len(options.levels))
    notes = [*(f"of the calibration: {text}" for text in found.origin.warnings), *measures.unseen]
    about = {"calibration": found.sha256, "propositions": list(propositions(found.population)), "notes": notes}
    return cast(EvidenceRecord, {**told, **about, **{kind: measures.records[kind] for kind in KINDS}})


def typical_of(options: BenchOptions, system: Searched, data: BenchData, detector: str) -> Typical:
    """The cohort and the corrections of a system that is scored with them.

    Raises:
        InputError: There are none for these scores and people.
    """
    found, cohort = _calibration(options, system, data, detector)
    if cohort is None:
        raise InputError(f"system {system.name!r}", found="a calibration without a cohort", expected="one with one")
    return Typical.of(found, cohort)


def _calibration(
    options: BenchOptions, system: System, data: BenchData, detector: str
) -> tuple[Calibration, Cohort | None]:
    """The calibration in force, and the cohort that it was fitted with.

    Raises:
        InputError: There is none for these scores and people.
    """
    what, model = f"likelihood ratios of {system.name}", system.model
    if not isinstance(system, Trained) or isinstance(system, CaptionAlone | Control):
        raise InputError(what, found="scores that nothing is calibrated for", expected="a model with a calibration")
    if options.condition != "clean-gallery":
        raise InputError(what, found="degraded templates", expected="records at full quality, as calibrations are of")
    if not len(data.roles.searches):
        raise InputError(what, found="nobody who is searched and enrolled", expected="people with two photos or more")
    path = options.calibration or Path(model.folder) / FILE
    if not path.is_file():
        raise InputError(what, found="no calibration", expected="one that comes with the model, or --calibration FILE")
    found = read_calibration(path)
    cohort = None
    if found.binding.cohort_sha256 or options.cohort is not None:
        cohort = cohort_of(model, detector, options.cohort)
    found.require(binding_of(model, detector, cohort), what)
    require_others(found, options, data.probes.chips.data_sha256)
    if cohort is not None:
        require_nobody_of(cohort, data)
    return found, cohort
