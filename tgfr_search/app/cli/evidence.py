"""The commands `calibrate` and `validate`. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.options import (
    MIN_EYES,
    Aligned,
    CalibrationFile,
    CohortFile,
    DetectorName,
    Device,
    Json,
    MinEyes,
    Model,
    Multiple,
    SamePerson,
    make_finder,
)
from tgfr_search.app.cli.threshold import calibration_of
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import change
from tgfr_search.errors import InputError
from tgfr_search.outputs import check_folder

if TYPE_CHECKING:
    from pipelines.measure.data import BenchOptions
    from pipelines.measure.systems.protocol import System
    from tgfr_search.forensic.calibration import Calibration

EARLIER = ("validation.json", "validation.html", "cache")
"""What an earlier validation left in its folder."""

Split = Annotated[str | None, typer.Option(help="Part of a published data set, or of a table with a column `split`.")]
Levels = Annotated[str, typer.Option(help="Of the quality ladder, comma separated.")]
ALL_LEVELS = "normal,poor,bad,very_bad"
Cache = Annotated[Path | None, typer.Option(help="Faces and features; default beside the output.")]
Workers = Annotated[int | None, typer.Option(help="Processes that find faces; default one a core.")]


def calibrate(
    data: Annotated[Path, typer.Argument(help="Labelled photos, in any form that `benchmark` takes.")],
    out: Annotated[Path, typer.Option(help="The calibration, a JSON file.")],
    split: Split = None,
    captions: Annotated[Path | None, typer.Option(help="Captions table of a folder.")] = None,
    lines: Annotated[
        str, typer.Option(help="Of descriptions that are calibrated beside the picture alone: of 1, 2, 3.")
    ] = "1,2,3",
    population: Annotated[str, typer.Option(help="Who the people are, for proposition H2; default the data.")] = "",
    levels: Levels = ALL_LEVELS,
    same_person: SamePerson = None,
    cohort: CohortFile = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="People of the cohort who are in the data take no part.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Without a cohort: typicality corrects no score.")] = False,
    refits: Annotated[int, typer.Option(help="Fits on resampled people, for the 90 % interval.")] = 100,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    cache: Cache = None,
    workers: Workers = None,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Learn from labelled people what a score is worth: likelihood ratios with bounds, thresholds, expected strangers.

    Take people who were neither trained on nor will be validated with; 100 people and 300 genuine pairs at least.
    """
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError(f"{out}", found="no place for a file", expected="a file in a folder that is there")
    if leave_out and plain:
        raise InputError("--leave-out", found="--plain, so no cohort", expected="one of both")
    if plain and cohort is not None:
        raise InputError("--plain", found="a cohort", expected="one of both")
    from pipelines.casework.calibration.calibrate import calibrate as run
    from pipelines.search.evidence import cohort_of

    options, system = _options(data, split, captions, levels, same_person, seed, model, device)
    finder = system.model.find_with(make_finder(on_multiple, aligned, detector, min_eyes))
    with change(make_journal(audit), Act.CALIBRATE, {}) as logged, console.stages(quiet=as_json) as progress:
        made = run(
            options,
            system,
            cache or out.with_suffix(".cache"),
            finder=finder,
            cohort=None if plain else cohort_of(system.model, finder.detector, cohort),
            lines=_numbers(lines),
            leave_out=leave_out,
            population=population,
            refits=refits,
            workers=workers,
            progress=progress,
        )
        made.write(out)
        logged |= {"model_id": made.binding.model_id, "sha256": made.sha256}

    def show() -> None:
        rows = [
            [
                name,
                f"{own.people:,}",
                f"{own.genuine:,}",
                f"{own.impostor:,}",
                f"{own.quality_range[0]:.2f}–{own.quality_range[1]:.2f}",
                f"{own.calibrator.bounds.low:.2f} … {own.calibrator.bounds.high:.2f}",
            ]
            for name, own in made.modes.items()
        ]
        heads = ["mode", "people", "genuine pairs", "impostor pairs", "quality", "bounds of log10 LR"]
        console.table("calibrated", heads, rows)
        for warning in made.origin.warnings:
            console.say(f"note: {warning}", err=True)
        console.say(f"calibration: {out}", err=True)

    console.emit({"calibration": str(out), "sha256": made.sha256, **_told(made)}, as_json, show)


def validate(
    data: Annotated[Path, typer.Argument(help="Labelled photos of people who were not calibrated on.")],
    out: Annotated[Path, typer.Option(help="Folder of validation.json.")],
    split: Split = None,
    calibration: CalibrationFile = None,
    cohort: CohortFile = None,
    criteria: Annotated[
        Path | None, typer.Option(help="What it is held against, TOML, fixed beforehand; default the project's own.")
    ] = None,
    captions: Annotated[Path | None, typer.Option(help="Captions table of a folder.")] = None,
    levels: Levels = ALL_LEVELS,
    same_person: SamePerson = None,
    resamples: Annotated[int, typer.Option(help="Of people, for intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    cache: Cache = None,
    workers: Workers = None,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Measure likelihood ratios and thresholds on other people: Cllr, reliability of searches, crowdedness."""
    check_folder(
        out,
        inputs=[path for path in (data, captions, same_person, calibration, cohort) if path is not None],
        known_by=EARLIER,
    )
    from pipelines.casework.calibration.validate import PAGE
    from pipelines.casework.calibration.validate import validate as run
    from pipelines.search.evidence import cohort_of
    from tgfr_search.forensic.verdict import Criteria
    from tgfr_search.strict import load_toml

    asked = None if criteria is None else load_toml(criteria, Criteria)
    made = calibration_of(calibration, model)
    options, system = _options(data, split, captions, levels, same_person, seed, model, device, resamples)
    finder = system.model.find_with(make_finder(on_multiple, aligned, detector, min_eyes))
    with change(make_journal(audit), Act.VALIDATE, {}) as logged, console.stages(quiet=as_json) as progress:
        tree = run(
            options,
            system,
            made,
            out,
            cache or out / "cache",
            finder=finder,
            cohort=cohort_of(system.model, finder.detector, cohort) if made.binding.cohort_sha256 or cohort else None,
            criteria=asked,
            workers=workers,
            progress=progress,
        )
        missed = sum(each["met"] is False for each in tree["verdict"])
        logged |= {"model_id": made.binding.model_id, "calibration": made.sha256, "criteria_not_met": missed}

    def show() -> None:
        rows = [
            [
                cell["level"],
                cell["mode"],
                f"{cell['lines']}",
                f"{cell['cllr']:.3f} ({cell['cllr_low']:.3f}–{cell['cllr_high']:.3f})",
                f"{cell['cllr_min']:.3f}",
                "–" if cell["devpav"] is None else f"{cell['devpav']:.2f}",
            ]
            for cell in tree["cells"]
        ]
        console.table("likelihood ratios", ["level", "mode", "lines", "Cllr", "Cllr_min", "devPAV"], rows)
        for warning in tree["warnings"]:
            console.say(f"note: {warning}", err=True)
        for each in tree["verdict"]:
            if each["met"] is False:
                console.say(f"not met: {each['what']} {each['asked']}, found {each['found']:.3f} ({each['where']})")
        console.say(f"report: {out / PAGE}", err=True)
        console.say(tree["notice"], err=True)

    shown = {name: value for name, value in tree.items() if name != "curves"}
    console.emit({"report": str(out / PAGE), **shown}, as_json, show)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError("--lines", found=text, expected="of 1, 2, 3, with commas between") from error


def _options(
    data: Path, split: str | None, captions: Path | None, levels: str, same_person: Path | None, seed: int,
    model: str | None, device: str, resamples: int = 1,
) -> tuple[BenchOptions, System]:  # fmt: skip
    from pipelines.measure.data import BenchOptions
    from pipelines.measure.systems.names import load_systems

    chosen = tuple(part.strip() for part in levels.split(",") if part.strip())
    options = BenchOptions(
        probes=data,
        captions_file=captions,
        split=split,
        levels=chosen,
        same_person=same_person,
        seed=seed,
        resamples=resamples,
        enrolment=False,
    )
    return options, load_systems([model or "default"], device)[0]


def _told(made: Calibration) -> dict[str, Any]:
    modes = {
        name: {
            "people": own.people,
            "genuine": own.genuine,
            "impostor": own.impostor,
            "quality_range": list(own.quality_range),
            "bounds": [own.calibrator.bounds.low, own.calibrator.bounds.high],
        }
        for name, own in made.modes.items()
    }
    return {"model_id": made.binding.model_id, "warnings": list(made.origin.warnings), "modes": modes}
