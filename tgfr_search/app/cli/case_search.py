"""The commands that search in a case, and search again. `replay` ends with 1 where something differs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Actor, Audit, make_journal
from tgfr_search.app.cli.case import Folder, Kind
from tgfr_search.app.cli.declared import PopulationName
from tgfr_search.app.cli.options import (
    DEFAULT_INDEX,
    Aligned,
    Device,
    FaceBox,
    FaceEyes,
    FaceNumber,
    Index,
    Json,
    Model,
    Multiple,
    make_finder,
)
from tgfr_search.audit.journal import account
from tgfr_search.errors import InputError
from tgfr_search.terms import QUERY_MODES


def search(
    directory: Folder,
    probe: Annotated[
        Path | None,
        typer.Argument(
            help="Probe photo, received as evidence, or the name of a derivative, as D0001.jpg; leave out to search by "
            "description alone."
        ),
    ] = None,
    *,
    index: Index = DEFAULT_INDEX,
    actor: Actor = None,
    kind: Kind = None,
    caption: Annotated[list[str] | None, typer.Option(help="What a witness said; may be given several times.")] = None,
    origin: Annotated[
        str,
        typer.Option(
            help="Of the description: witness, made from the probe picture, made from other pictures, unknown."
        ),
    ] = "unknown",
    top_k: Annotated[int, typer.Option(help="Candidates.")] = 20,
    mode: Annotated[str, typer.Option(help=f"One of: {', '.join(QUERY_MODES)}.")] = "auto",
    where: Annotated[str | None, typer.Option(help="Rank only rows for which this is true.")] = None,
    face: FaceNumber = None,
    box: FaceBox = None,
    eyes: FaceEyes = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE|none", help="Says what scores are worth, and is kept; default the model's own."),
    ] = None,
    population: PopulationName = "",
    on_multiple: Multiple = "largest",
    aligned: Aligned = False,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Search in a case: the answer is kept in it, and logged, before it is shown."""
    from pipelines.casework.case.case import Case
    from pipelines.casework.case.evidence import about
    from pipelines.casework.searches.search import search as run
    from pipelines.search.gallery import Gallery
    from tgfr_search.faces.choice import FaceChoice

    if kind is not None and probe is None:
        raise InputError("--kind", found="no probe", expected="a photo whose kind it is")
    choice = FaceChoice.of(face, box, eyes)
    if choice is not None and probe is None:
        raise InputError("--face, --box, --eyes", found="no probe", expected="a photo with faces")
    weighed: Path | Literal["none"] | None = "none" if calibration == Path("none") else calibration
    case = Case.open(directory)
    finder = make_finder(on_multiple, aligned)
    gallery = Gallery.open(index, model=model, device=device, finder=finder, journal=make_journal(audit))
    evidence = None
    if probe is not None:
        known = about(case).get(probe.name, {})
        derived = "parent" in known and not probe.exists()
        if derived and kind is not None:
            raise InputError("--kind", found=kind, expected=f"none: {probe.name} has the kind of what it was made from")
        evidence = probe.name if derived else case.add(probe, actor=actor or account(), kind=kind)
    name, result = run(
        case,
        gallery,
        actor=actor or account(),
        evidence=evidence,
        lines=tuple(caption or ()),
        origin=origin,
        top_k=top_k,
        mode=mode,
        where=where,
        face=choice,
        calibration=weighed,
        population=population,
    )
    held = bool(case.read_search(name).get("held"))
    values = {"search": name, "evidence": evidence, "held": held, **result.as_dict()}

    def show() -> None:
        from tgfr_search.forensic.statement import lr_text

        rows = [
            [str(hit.rank), hit.subject_id, str(hit.row_id), f"{hit.score:.3f}", lr_text(hit.lr), hit.image]
            for hit in result
        ]
        console.table(f"search {name}", ("rank", "subject", "row", "score", "log10 LR", "image"), rows)
        console.say(result.notice, err=True)
        if not values["held"]:
            console.say(f"note: nothing holds this state of {index} for the case: keep a snapshot of it", err=True)

    console.emit(values, as_json, show)


def replay(
    directory: Folder,
    name: Annotated[str, typer.Argument(metavar="SEARCH", help="Name of the search, for instance S0001.")],
    actor: Actor = None,
    index: Annotated[Path | None, typer.Option(help="Where the index is now; default where it was.")] = None,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Run a search again; exit code 1 where a candidate, a score, the model or the index's state differs.

    Of an index that has moved on, the generation that was searched is opened, which an open case holds. An imported
    case is run again against `--index`; nothing is written to it.
    """
    from dataclasses import asdict

    from pipelines.casework.exchange.imported import open_to_read
    from pipelines.casework.searches.replay import index_of_search
    from pipelines.casework.searches.replay import replay as run
    from pipelines.search.gallery import Gallery

    case = open_to_read(directory)
    asked = case.read_search(name)["asked"]
    finder = make_finder(asked["on_multiple"], asked["aligned"])
    path = index or index_of_search(case, name)
    gallery = Gallery.open(path, model=model, device=device, finder=finder, journal=make_journal(audit))
    found = run(case, gallery, name, actor=actor or account())
    console.emit(asdict(found), as_json, lambda: console.pairs(asdict(found)))
    if not found.same:
        raise typer.Exit(1)
