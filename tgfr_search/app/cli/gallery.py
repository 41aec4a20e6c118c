"""The commands `gallery …`. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.options import DEFAULT_INDEX, Device, Json, Model
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.journal import index_of
from tgfr_search.outputs import check_folder

gallery_app = typer.Typer(help="Labels of a gallery that the pictures contradict.", no_args_is_help=True)


@gallery_app.callback()
def group() -> None:
    """One command so far; it keeps its name."""


@gallery_app.command()
def check(
    out: Annotated[Path, typer.Option(help="Folder of check.html and decisions.csv.")],
    index: Annotated[Path, typer.Argument(help="Index directory.", envvar="TGFR_INDEX")] = DEFAULT_INDEX,
    decisions: Annotated[
        Path | None, typer.Option(help="Pairs that were decided, as decisions.csv: they are not told again.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Of each kind, at most so many.")] = 50,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """List two names that look like one person, names whose pictures look like two, and crowded records.

    Nothing is changed: a person looks at the page and writes what was decided into the table.
    """
    check_folder(out, inputs=[decisions] if decisions else [], outside=[index], known_by=("check.html",))
    from dataclasses import asdict

    from indexer import Store
    from pipelines.casework.labels.check import check_gallery
    from pipelines.casework.labels.page import PAGE, TABLE, write_check
    from pipelines.enrol.index import detector_of, model_of
    from tgfr_search.data.same_person import read_decisions
    from tgfr_search.model.checkpoint import load_model

    decided = () if decisions is None else read_decisions(decisions)
    store = Store.open(index)
    loaded, detector = load_model(model or model_of(store), device=device), detector_of(store)
    with console.stages(quiet=as_json) as progress:
        found = check_gallery(store, loaded, detector, most=most, decided=decided, progress=progress)
    if (journal := make_journal(audit)) is not None:
        pairs = {"one_person": len(found.one_person), "two_people": len(found.two_people)}
        details = {"what": "labels", **pairs, "crowded": len(found.crowded)}
        journal.record(Entry(Act.VIEW, index=index_of(store), details=details))
    write_check(out, store, found, decided)

    def show() -> None:
        kinds = {
            "two names that look like one person": len(found.one_person),
            "names whose pictures look like two": len(found.two_people),
            "records that answer to everybody": len(found.crowded),
        }
        console.pairs({name: str(count) for name, count in kinds.items()})
        console.say(f"page: {out / PAGE}; write decisions into {out / TABLE}", err=True)

    told = {name: value for name, value in asdict(found).items() if name != "crowded"}
    crowded = [{"row_id": row, "subject_id": subject, "times": times} for row, subject, times in found.crowded]
    console.emit({"page": str(out / PAGE), "decisions": str(out / TABLE), **told, "crowded": crowded}, as_json, show)
