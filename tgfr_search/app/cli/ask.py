"""The command `ask`: what to ask the witness, to tell the first candidates apart. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.options import (
    DEFAULT_INDEX,
    MIN_EYES,
    Aligned,
    Backend,
    DetectorName,
    Device,
    Index,
    Json,
    MinEyes,
    Model,
    Multiple,
    make_finder,
)


def ask(
    probe: Annotated[
        Path | None, typer.Argument(metavar="[PROBE]", help="Probe photo; leave out to search by description alone.")
    ] = None,
    index: Index = DEFAULT_INDEX,
    caption: Annotated[list[str] | None, typer.Option(help="What the witness has said so far.")] = None,
    where: Annotated[str | None, typer.Option(help="Rank only rows for which this is true, as `query` does.")] = None,
    first: Annotated[int, typer.Option(help="Candidates that are to be told apart.", min=2)] = 50,
    count: Annotated[int, typer.Option(help="Questions shown, the most telling first.", min=1)] = 5,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    model: Model = None,
    device: Device = "auto",
    backend: Backend = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Say what to ask the witness next: the question whose answer would best split the first candidates."""
    from pipelines.search.answers.ask import questions
    from pipelines.search.gallery import Gallery

    finder = make_finder(on_multiple, aligned, detector, min_eyes)
    gallery = Gallery.open(
        index, model=model, device=device, finder=finder, backend=backend, journal=make_journal(audit)
    )
    result = gallery.query(None if probe is None else str(probe), caption=caption or (), top_k=first, where=where)
    found = questions(result, first=first)[:count]
    values = {
        "first": min(first, len(result.candidates)),
        "mode": result.mode,
        "questions": [own.as_dict() for own in found],
        "notes": list(result.notes),
        "notice": result.notice,
    }

    def show() -> None:
        rows = [
            [own.text, f"{own.bits:.2f}", f"{100 * own.yes:.0f} %", _told(own.if_yes), _told(own.if_no)]
            for own in found
        ]
        heads = ["ask", "bits", "yes expected", "yes would raise", "no would raise"]
        console.table(f"what to ask, to tell {values['first']} candidates apart", heads, rows)
        for note in result.notes:
            console.say(f"note: {note}", err=True)
        console.say(
            "bits: what the answer is expected to tell of which candidate it is, if it is one of these", err=True
        )
        console.say(result.notice, err=True)

    console.emit(values, as_json, show)


def _told(raised: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{who} ×{factor:.1f}" for who, factor in raised if factor > 1) or "–"
