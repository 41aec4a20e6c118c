"""The commands of `data`: what a data set holds, before anything is done with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import Json, SubjectLevel

data_app = typer.Typer(help="Data sets: what they hold and what is wrong with them.", no_args_is_help=True)


@data_app.callback()
def _data() -> None:
    """Keeps `inspect` a command of its own: Typer would make an only command the group itself."""


@data_app.command("inspect")
def data_inspect(
    source: Annotated[
        Path, typer.Argument(metavar="PATH", help="Folder of photos or of a published data set, Parquet, or table.")
    ],
    captions: Annotated[Path | None, typer.Option(help="captions.csv, .tsv, .jsonl or .parquet of a folder.")] = None,
    split: Annotated[str | None, typer.Option(help="Look at this part only.")] = None,
    subject_level: SubjectLevel = None,
    report: Annotated[Path | None, typer.Option(help="Also write a page with thumbnails (.html).")] = None,
    text_encoder: Annotated[
        str | None, typer.Option(help="Whose tokens are counted, as configurations name it; default the shipped one's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which images become thumbnails.")] = 0,
    as_json: Json = False,
) -> None:
    """Count images, subjects, splits and captions; name missing files, unmatched captions and duplicates."""
    from pipelines.tools.inspect import inspect_data

    with console.stages(quiet=as_json) as progress:
        found = inspect_data(
            source,
            captions=captions,
            split=split,
            subject_level=subject_level,
            text_encoder=text_encoder,
            report=report,
            seed=seed,
            progress=progress,
        )

    def show() -> None:
        tree = found.as_dict()
        parts = {"all": tree.pop("total"), **tree.pop("splits")}
        lists = {
            "left out": tree.pop("examples"),
            "duplicate": tree.pop("duplicate_examples"),
            "note": tree.pop("notes"),
        }
        columns = [name for name in parts["all"] if name != "images_per_subject"]
        rows = [
            [
                name,
                *(part[column] for column in columns),
                "–".join(str(part["images_per_subject"][end]) for end in ("least", "most"))
                if part["images_per_subject"]
                else None,
            ]
            for name, part in parts.items()
        ]
        console.table("images and subjects", ["split", *columns, "images_per_subject"], rows)
        console.pairs(tree)
        for what, examples in lists.items():
            for example in examples:
                console.say(f"{what}: {example}", err=True)
        if report is not None:
            console.say(f"report: {report}", err=True)

    console.emit(found.as_dict(), as_json, show)
