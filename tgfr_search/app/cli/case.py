"""The commands of a case. Exit codes as in `cli.py`; `replay` ends with 1 where something differs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Actor, Audit, make_journal
from tgfr_search.app.cli.options import DEFAULT_INDEX, Aligned, Device, Index, Json, Model, Multiple, make_finder
from tgfr_search.audit.journal import account
from tgfr_search.errors import InputError
from tgfr_search.terms import LEAD_NOTICE, QUERY_MODES

case_app = typer.Typer(
    no_args_is_help=True, help=f"A case: evidence, searches, and the log of every act. {LEAD_NOTICE}"
)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the case.")]
Kind = Annotated[
    str | None,
    typer.Option(help="still (the default), video frame, document, sketch, composite or look-alike."),
]


@case_app.command()
def new(
    directory: Folder,
    purpose: Annotated[str, typer.Option(help="Why faces are searched; the log keeps a commitment to it.")],
    basis: Annotated[str, typer.Option(help="On which legal basis; likewise.")],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Start a case in a new folder, with a log of its own."""
    from pipelines.casework.case import Case

    case = Case.new(directory, purpose=purpose, basis=basis, actor=actor or account())
    values = {"case": str(directory), "id": case.id}
    console.emit(values, as_json, lambda: console.pairs(values))


@case_app.command()
def add(
    directory: Folder,
    file: Annotated[Path, typer.Argument(help="File of evidence; its bytes are kept as they are.")],
    actor: Actor = None,
    kind: Kind = None,
    as_json: Json = False,
) -> None:
    """Receive a file of evidence."""
    from pipelines.casework.case import Case

    values = {"evidence": Case.open(directory).add(file, actor=actor or account(), kind=kind)}
    console.emit(values, as_json, lambda: console.pairs(values))


@case_app.command()
def search(
    directory: Folder,
    probe: Annotated[
        Path | None, typer.Argument(help="Probe photo, received as evidence; leave out to search by description alone.")
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
    on_multiple: Multiple = "largest",
    aligned: Aligned = False,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Search in a case: the answer is kept in it, and logged, before it is shown."""
    from pipelines.casework.case import Case
    from pipelines.casework.replay import search as run
    from pipelines.search.gallery import Gallery

    if kind is not None and probe is None:
        raise InputError("--kind", found="no probe", expected="a photo whose kind it is")
    case = Case.open(directory)
    finder = make_finder(on_multiple, aligned)
    gallery = Gallery.open(index, model=model, device=device, finder=finder, journal=make_journal(audit))
    evidence = None if probe is None else case.add(probe, actor=actor or account(), kind=kind)
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
    )
    values = {"search": name, "evidence": evidence, **result.as_dict()}

    def show() -> None:
        rows = [[str(hit.rank), hit.subject_id, str(hit.row_id), f"{hit.score:.3f}", hit.image] for hit in result]
        console.table(f"search {name}", ("rank", "subject", "row", "score", "image"), rows)
        console.say(result.notice, err=True)

    console.emit(values, as_json, show)


@case_app.command()
def note(
    directory: Folder,
    text: Annotated[str, typer.Argument(help="What is to be kept; the log keeps a commitment to it.")],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Keep a note."""
    from pipelines.casework.case import Case

    values = {"note": Case.open(directory).note(text, actor=actor or account())}
    console.emit(values, as_json, lambda: console.pairs(values))


@case_app.command()
def export(
    directory: Folder,
    target: Annotated[Path, typer.Argument(metavar="OUT.zip", help="New file: a BagIt bag with log and verifier.")],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Write a case as one zip that a stranger can check; twice the same case is twice the same bytes."""
    from pipelines.casework.case import Case
    from pipelines.casework.export import export as write

    made = write(Case.open(directory), target, actor=actor or account())
    values = {"export": str(target), "sha256": made.sha256, "left_out": list(made.left_out)}

    def show() -> None:
        console.pairs({"export": str(target), "sha256": made.sha256})
        for name in made.left_out:
            console.say(f"note: {name} is in no entry of the log, and left out", err=True)

    console.emit(values, as_json, show)


@case_app.command()
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
    """Run a search again; exit code 1 where a candidate, a score, the model or the index's state differs."""
    from dataclasses import asdict

    from pipelines.casework.case import Case
    from pipelines.casework.replay import index_of_search
    from pipelines.casework.replay import replay as run
    from pipelines.search.gallery import Gallery

    case = Case.open(directory)
    asked = case.read_search(name)["asked"]
    finder = make_finder(asked["on_multiple"], asked["aligned"])
    path = index or index_of_search(case, name)
    gallery = Gallery.open(path, model=model, device=device, finder=finder, journal=make_journal(audit))
    found = run(case, gallery, name, actor=actor or account())
    console.emit(asdict(found), as_json, lambda: console.pairs(asdict(found)))
    if not found.same:
        raise typer.Exit(1)


@case_app.command()
def close(directory: Folder, actor: Actor = None, as_json: Json = False) -> None:
    """Close a case: nothing is added to it any more."""
    from pipelines.casework.case import Case

    Case.open(directory).close(actor=actor or account())
    console.emit({"closed": str(directory)}, as_json, lambda: console.pairs({"closed": str(directory)}))
