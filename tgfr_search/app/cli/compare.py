"""The command `compare`, and how a likelihood ratio reads on a terminal. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.declared import (
    CaptionOrigin,
    Generated,
    PopulationName,
    ProbeKinds,
    Processing,
    Reliability,
    declared,
)
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
    make_finder,
)
from tgfr_search.audit.entries import now


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="The questioned picture.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The picture of a known person, the better one.")],
    caption: Annotated[
        list[str] | None, typer.Option(help="What a witness said of the person in A; may be given several times.")
    ] = None,
    calibration: CalibrationFile = None,
    cohort: CohortFile = None,
    probe_kind: ProbeKinds = "still",
    processing: Processing = None,
    generated: Generated = False,
    caption_origin: CaptionOrigin = "witness",
    reliability: Reliability = 0.8,
    population: PopulationName = "",
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Compare one picture with one: the score, and what it is worth as a likelihood ratio."""
    from pipelines.search.compare import compare as run
    from pipelines.search.compare import compared_entry
    from pipelines.search.evidence import Judge
    from tgfr_search.model.checkpoint import load_model

    loaded = load_model(model, device=device)
    finder = loaded.find_with(make_finder(on_multiple, aligned, detector, min_eyes))
    said = declared(probe_kind, processing, generated, caption_origin, population, reliability)
    judge = Judge.of(loaded, finder.detector, calibration, said, cohort)
    journal, started = make_journal(audit), now()
    told = run(loaded, finder, judge, str(first), str(second), caption or ())
    if journal is not None:
        journal.record(compared_entry(journal, told, started=started, lines=tuple(caption or ()), declared=said))

    def show() -> None:
        from tgfr_search.forensic.statement import lr_text, ratio_text

        parts = {"score": f"{told.score:.3f}", "quality of A": f"{told.probe['quality']:.2f}"}
        if told.lr["refused"] is None:
            worth = ratio_text(told.lr["log10"], told.lr["bounded"])
            parts |= {"log10 LR": lr_text(told.lr), "the comparison is": worth}
        else:
            parts["no likelihood ratio"] = told.lr["refused"]
        console.pairs(parts)
        for note in told.notes:
            console.say(f"note: {note}", err=True)
        for line in (told.calibration or {}).get("propositions", ()):
            console.say(line, err=True)
        console.say(told.notice, err=True)

    console.emit(told.as_dict(), as_json, show)
