"""The command `threshold`, and the calibration that a command asks for. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.options import CalibrationFile, Json, Model
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.errors import InputError

if TYPE_CHECKING:
    from tgfr_search.forensic.calibration import Calibration


def threshold(
    fpir: Annotated[float, typer.Option(help="Rate of searches of strangers that may report somebody, as 0.01.")],
    people: Annotated[
        int | None, typer.Option(help="People in the gallery; default as many as it was set with.")
    ] = None,
    mode: Annotated[
        str, typer.Option(help="Of the calibration: image, or fused-1, fused-2, fused-3 for so many lines of words.")
    ] = "image",
    calibration: CalibrationFile = None,
    model: Model = None,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """The score at or above which a first candidate is reported, for a stated rate of false alarms."""
    from dataclasses import asdict

    made = calibration_of(calibration, model)
    if mode not in made.modes:
        raise InputError(f"--mode {mode}", expected=f"of this calibration: {', '.join(made.modes)}")
    told = made.modes[mode].strangers.threshold(fpir, people)
    if (journal := make_journal(audit)) is not None:
        details = {"mode": mode, "score": told.score, "fpir": told.fpir, "people": told.people}
        contract = {"model_id": made.binding.model_id}
        journal.record(Entry(Act.THRESHOLD, contract=contract, calibration=made.sha256, details=details))

    def show() -> None:
        console.pairs({
            "threshold": f"{told.score:.3f}",
            "FPIR": f"{told.fpir:g}",
            "people searched": told.people,
            "set from": f"{told.searches:,} searches of strangers in galleries of {told.tested_people} people",
            "FMR": f"{told.fmr:.3g}",
        })  # fmt: skip
        if told.warning:
            console.say(f"note: {told.warning}", err=True)

    binding = {"model_id": made.binding.model_id, "calibration_sha256": made.sha256}
    console.emit({**asdict(told), "fmr": told.fmr, "mode": mode, **binding}, as_json, show)


def calibration_of(path: Path | None, model: str | None) -> Calibration:
    """The calibration at `path`, or the model's own.

    Raises:
        InputError: There is none.
    """
    from pipelines.search.evidence import FILE
    from tgfr_search.forensic.calibration import read_calibration
    from tgfr_search.model.checkpoint import find_model

    if path is None:
        folder = find_model(model)
        path = folder / FILE
        if not path.is_file():
            raise InputError(
                f"model {folder.name}", found="no calibration comes with it", expected="--calibration FILE",
                do="tgfr-search calibrate DATA --out calibration.json",
            )  # fmt: skip
    return read_calibration(path)
