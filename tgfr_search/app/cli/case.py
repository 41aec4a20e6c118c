"""The commands of a case and of what it holds; searches are in `case_search.py`, reviews in `review.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Actor
from tgfr_search.app.cli.options import Json
from tgfr_search.audit.journal import account
from tgfr_search.errors import InputError
from tgfr_search.terms import LEAD_NOTICE

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
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=TEXT", help="What else the laboratory wants to know; may be repeated."),
    ] = None,
    lab: Annotated[
        Path | None, typer.Option(help="Rules of the laboratory (TOML).", envvar="TGFR_LAB", show_envvar=True)
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Start a case in a new folder, with a log of its own."""
    from pipelines.casework.case.case import Case
    from pipelines.casework.case.lab import Lab
    from tgfr_search.strict import load_toml

    told = dict(each.partition("=")[::2] for each in fields or ())
    rules = None if lab is None else load_toml(lab, Lab)
    case = Case.new(directory, purpose=purpose, basis=basis, actor=actor or account(), fields=told, lab=rules)
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
    from pipelines.casework.case.case import Case

    values = {"evidence": Case.open(directory).add(file, actor=actor or account(), kind=kind)}
    console.emit(values, as_json, lambda: console.pairs(values))


@case_app.command()
def derive(
    directory: Folder,
    parent: Annotated[str, typer.Argument(help="What it was made from, for instance E0001.jpg or D0001.png.")],
    file: Annotated[Path, typer.Argument(help="What was made; its bytes are kept as they are.")],
    operation: Annotated[
        str,
        typer.Option(
            help="frame (out of a video), crop, rotate, resize, brightness, contrast, sharpen, denoise, deblur, "
            "super-resolution, other; several steps are several derivatives."
        ),
    ],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=NUMBER", help="With which parameters; may be repeated.")
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Receive a derivative of evidence: what was done to what, and with which parameters."""
    from pipelines.casework.case.case import Case
    from pipelines.casework.case.evidence import derive as receive

    given = {}
    for each in settings or ():
        name, _, value = each.partition("=")
        try:
            given[name] = float(value)
        except ValueError as error:
            raise InputError("--set", found=each, expected="NAME=NUMBER, for instance left=10") from error
    name = receive(Case.open(directory), parent, file, actor=actor or account(), operation=operation, parameters=given)
    console.emit({"derived": name}, as_json, lambda: console.pairs({"derived": name}))


@case_app.command()
def note(
    directory: Folder,
    text: Annotated[str, typer.Argument(help="What is to be kept; the log keeps a commitment to it.")],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Keep a note."""
    from pipelines.casework.case.case import Case

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
    from pipelines.casework.case.case import Case
    from pipelines.casework.exchange.export import export as write

    made = write(Case.open(directory), target, actor=actor or account())
    values = {"export": str(target), "sha256": made.sha256, "left_out": list(made.left_out)}

    def show() -> None:
        console.pairs({"export": str(target), "sha256": made.sha256})
        for name in made.left_out:
            console.say(f"note: {name} is in no entry of the log, and left out", err=True)

    console.emit(values, as_json, show)


More = Annotated[
    list[Path] | None, typer.Option("--index", help="Where an index is now that it searched; may be repeated.")
]


@case_app.command()
def close(directory: Folder, index: More = None, actor: Actor = None, as_json: Json = False) -> None:
    """Close a case: nothing is added to it any more, and it holds no state of an index, unless on legal hold."""
    from pipelines.casework.case.case import Case
    from pipelines.casework.case.holds import close as end

    missing = end(Case.open(directory), actor=actor or account(), more=index or ())
    _tell_missing({"closed": str(directory)}, missing, as_json)


@case_app.command()
def hold(
    directory: Folder,
    release: Annotated[bool, typer.Option("--release", help="End it.")] = False,
    index: More = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Put a case on legal hold: neither its key nor what it holds of an index goes, whoever asks; or end that."""
    from pipelines.casework.case.case import Case
    from pipelines.casework.case.holds import hold_legally

    case = Case.open(directory)
    missing = hold_legally(case, actor=actor or account(), release=release, more=index or ())
    _tell_missing({"case": str(directory), "legal_hold": not release}, missing, as_json)


@case_app.command()
def erase(directory: Folder, actor: Actor = None, as_json: Json = False) -> None:
    """Remove what a closed case kept, and the key of its commitments, for good; its log stays and names nobody."""
    from pipelines.casework.case.erase import erase as end

    values = {"erased": str(directory), "files": end(directory, actor=actor or account())}
    console.emit(values, as_json, lambda: console.pairs(values))


def _tell_missing(values: dict[str, object], missing: list[Path], as_json: bool) -> None:
    told = {**values, "indexes_not_reached": [str(path) for path in missing]}

    def show() -> None:
        console.pairs(values)
        for path in missing:
            console.say(f"note: {path} could not be reached; run the same with --index WHERE-IT-IS-NOW", err=True)

    console.emit(told, as_json, show)


@case_app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="EXPORT.zip", help="What `case export` wrote somewhere.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New folder, to be read, not worked in.")],
    as_json: Json = False,
) -> None:
    """Unpack a case that somebody else exported, once our own verifier calls it whole."""
    from pipelines.casework.exchange.receive import receive_export

    made = receive_export(source, directory)
    values = {"folder": str(made.folder), "files": made.files, "whole": True, "notes": list(made.notes)}
    console.emit(values, as_json, lambda: console.pairs({"folder": str(made.folder), "files": made.files}))
