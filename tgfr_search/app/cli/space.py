"""The commands of an index's vector spaces: the same gallery under several models. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.options import DEFAULT_INDEX, Device, Json, Model, SubjectLevel
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import change, index_of

space_app = typer.Typer(
    no_args_is_help=True, help="The same gallery under several models: add one, search by it, drop the old one."
)
IndexFolder = Annotated[Path, typer.Argument(metavar="INDEX", help="Index directory.")]
Space = Annotated[str, typer.Argument(metavar="SPACE", help="Id of the space, or of its model; see `space list`.")]


@space_app.command()
def add(
    index: IndexFolder = DEFAULT_INDEX,
    model: Model = None,
    photos: Annotated[
        Path | None,
        typer.Option("--photos", help="The gallery, as `index` takes it: rows without a crop are encoded from it."),
    ] = None,
    subject_level: SubjectLevel = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Encode every row by another model too, from the crops; an interrupted run goes on where it was.

    With --photos rows without a crop are encoded from the photos of the gallery: the same bytes, under any name. A row
    whose photo is gone or changed is told with a reason code and left for the next run.
    """
    from pipelines.enrol.spaces.add import add as add_by_model
    from tgfr_search.model.checkpoint import load_model

    loaded = load_model(model, device=device)
    with console.progress("encoding", quiet=as_json) as progress:
        summary = add_by_model(
            index, loaded, photos=photos, subject_level=subject_level, progress=progress, journal=make_journal(audit)
        )
    _tell(summary.as_dict(), as_json)


@space_app.command("list")
def list_(index: IndexFolder = DEFAULT_INDEX, as_json: Json = False) -> None:
    """Which spaces an index has: id, model, rows with vectors, and which one is the default."""
    from indexer import Store
    from indexer.spaces import list_spaces

    spaces = list_spaces(Store.open(index))

    def show() -> None:
        for space in spaces:
            default = "  (default)" if space["default"] else ""
            console.say(f"{space['id']}  {space['model']}  {space['rows']:,} rows{default}")

    console.emit(spaces, as_json, show)


@space_app.command()
def default(index: IndexFolder, space: Space, audit: Audit = None, as_json: Json = False) -> None:
    """Search this space where no model says which; it must have vectors of every row."""
    from indexer import Store
    from indexer.spaces import make_default

    store = Store.open(index)
    with change(make_journal(audit), Act.SPACE, index_of(store)) as told:
        found = make_default(store, space)
        told |= {"default": found, "generation": store.generation}
    _tell({"index": str(index), "default": found, "generation": store.generation}, as_json)


@space_app.command()
def drop(index: IndexFolder, space: Space, audit: Audit = None, as_json: Json = False) -> None:
    """Forget a space that is not the default; `purge` then removes its vectors from the disk."""
    from indexer import Store
    from indexer.spaces import drop_space

    store = Store.open(index)
    with change(make_journal(audit), Act.SPACE, index_of(store)) as told:
        found = drop_space(store, space)
        told |= {"dropped": found, "generation": store.generation}
    _tell({"index": str(index), "dropped": found, "generation": store.generation}, as_json)


def _tell(values: dict[str, Any], as_json: bool) -> None:
    console.emit(values, as_json, lambda: console.pairs(values))
