"""The command `index`. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.info import show_summary
from tgfr_search.app.cli.options import (
    DEFAULT_INDEX,
    MIN_EYES,
    PARTIAL,
    Aligned,
    DetectorName,
    Device,
    Json,
    MinEyes,
    Model,
    MultipleOrAll,
    Out,
    SubjectLevel,
    make_finder,
)
from tgfr_search.errors import InputError


def index(
    gallery: Annotated[Path, typer.Argument(help="Folder of photos, image Parquet, or table of images.")],
    out: Out = DEFAULT_INDEX,
    captions: Annotated[Path | None, typer.Option(help="captions.csv, .tsv, .jsonl or .parquet of a folder.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Part of a published data set, or of a table with a column `split`.")
    ] = None,
    subject_level: SubjectLevel = None,
    on_multiple: MultipleOrAll = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    workers: Annotated[
        int | None, typer.Option(help="Processes that find faces, default one a core; of Ray: encoders.")
    ] = None,
    crops: Annotated[bool, typer.Option(help="Keep the aligned face with its row.")] = True,
    auto_captions: Annotated[
        bool, typer.Option("--auto-captions", help="Describe photos without a caption from the picture, marked so.")
    ] = False,
    attributes: Annotated[
        Path | None, typer.Option(help="Attribute model of --auto-captions; default shipped.")
    ] = None,
    engine: Annotated[str, typer.Option(help="`local`, or `ray`: a Ray cluster, see docs/scale.md.")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="Cluster of --engine ray, as HOST:PORT; default Ray on this machine alone.")
    ] = None,
    shards: Annotated[
        Path | None, typer.Option(help="Folder of --engine ray that every node sees; default OUT.shards.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete rows whose photo is not in the gallery any more.")
    ] = False,
    prune_most: Annotated[
        bool, typer.Option("--prune-most", help="--prune, also where more than half of the rows go.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Enrol also photos that `delete` removed from the index earlier.")
    ] = False,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Enrol a gallery. A second run takes over what has changed; an interrupted one goes on where it was."""
    from pipelines.enrol.auto_captions import Describer
    from pipelines.enrol.engines import make_engine
    from pipelines.enrol.index import index_gallery, model_of, opened
    from pipelines.search.watch.match import Watching
    from tgfr_search.model.attributes import load_attributes
    from tgfr_search.model.checkpoint import load_model

    if attributes is not None and not auto_captions:
        raise InputError("--attributes", found="no --auto-captions", expected="both", do="add --auto-captions")
    model = model or model_of(opened(out))
    loaded = load_model(model, device=device)
    describer = Describer.of(load_attributes(attributes, loaded.tgfr.device), loaded) if auto_captions else None
    chosen = make_engine(
        engine,
        out,
        workers=workers,
        model=model,
        device=device,
        address=ray_address,
        shards=shards,
        describer=describer,
        attributes=attributes,
    )
    finder, journal = make_finder(on_multiple, aligned, detector, min_eyes, several=True), make_journal(audit)
    watching = Watching.of(out, loaded, journal)
    with console.progress("enrolling", quiet=as_json) as progress:
        summary = index_gallery(
            gallery,
            out,
            loaded,
            captions=captions,
            split=split,
            subject_level=subject_level,
            finder=finder,
            crops=crops,
            engine=chosen,
            describer=describer,
            prune=prune,
            prune_most=prune_most,
            again=again,
            progress=progress,
            journal=journal,
            committed=watching,
        )
    told = watching.as_list()

    def show() -> None:
        show_summary(summary)
        for each in told:
            found = each.get("problem") or f"{each['hits']:,} hits among {each['rows']:,} new rows; see `watch list`"
            console.say(f"watch {each['watch']}: {found}")

    console.emit({**summary.as_dict(), **({"watches": told} if told else {})}, as_json, show)
    if not summary.rows:
        raise typer.Exit(1)
    if summary.quarantined:
        raise typer.Exit(PARTIAL)
