"""The commands `cohort …`. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import (
    MIN_EYES,
    Aligned,
    DetectorName,
    Device,
    Json,
    MinEyes,
    Model,
    Multiple,
    make_finder,
)
from tgfr_search.errors import InputError

cohort_app = typer.Typer(help="People against whom a score is held: typicality.", no_args_is_help=True)


@cohort_app.command()
def make(
    data: Annotated[Path, typer.Argument(help="Labelled photos of people in no other use, as `index` takes them.")],
    out: Annotated[Path, typer.Option(help="The cohort, a safetensors file.")],
    split: Annotated[str | None, typer.Option(help="Of a table with a column `split`.")] = None,
    captions: Annotated[Path | None, typer.Option(help="Captions table of a folder.")] = None,
    people: Annotated[int, typer.Option(min=100, help="Drawn at most, those with the fewest photos first.")] = 300,
    gallery: Annotated[
        Path | None, typer.Option(help="An index that is to be searched: its people are refused.")
    ] = None,
    apart_from: Annotated[
        list[Path] | None, typer.Option(help="Data with the same subject ids: its people are left out. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Faces and features; default beside the output.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that find faces; default one a core.")] = None,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    model: Model = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Make a cohort: people who are searched, trained and calibrated nowhere else, one template each.

    `calibrate --cohort` fits with it how much a score counts that strangers reach easily.
    """
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError(f"{out}", found="no place for a file", expected="a file in a folder that is there")
    from pipelines.casework.calibration.cohort import CohortOptions, make_cohort
    from tgfr_search.model.checkpoint import load_model

    options = CohortOptions(data, split, captions, people, seed, gallery, tuple(apart_from or ()))
    loaded = load_model(model, device=device)
    finder = loaded.find_with(make_finder(on_multiple, aligned, detector, min_eyes))
    with console.stages(quiet=as_json) as progress:
        sha, count = make_cohort(
            options,
            loaded,
            out,
            cache or out.with_suffix(".cache"),
            finder=finder,
            workers=workers,
            progress=progress,
        )
    told = {"cohort": str(out), "sha256": sha, "people": count, "model_id": loaded.model_id}
    console.emit(told, as_json, lambda: console.say(f"cohort: {out}, {count} people, {out.stat().st_size:,} bytes"))
