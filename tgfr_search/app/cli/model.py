"""The commands of `model`: what is installed, what can be, and adding encoders from official files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import Json
from tgfr_search.errors import InputError
from tgfr_search.outputs import check_folder

model_app = typer.Typer(help="Models: what is installed, what it was trained on.", no_args_is_help=True)


@model_app.command("info")
def model_info(name: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Architecture, training data, numbers and limits of a model."""
    from tgfr_search.model.checkpoint import find_model, read_config

    folder = find_model(name)
    values = {"folder": str(folder), **read_config(folder)}

    def show() -> None:
        console.pairs(values)
        card = folder / "CARD.md"
        if card.is_file():
            console.say("")
            for line in card.read_text(encoding="utf-8").splitlines():
                console.say(line)

    console.emit(values, as_json, show)


@model_app.command("list")
def model_list(as_json: Json = False) -> None:
    """Models that come with the package, and every known encoder: installed, or the command that brings it."""
    from dataclasses import asdict

    from tgfr_search.encoders.catalogue import catalogue
    from tgfr_search.model.checkpoint import DEFAULT_MODEL, find_model, read_config, shipped

    rows = [
        [name, read_config(find_model(name))["model_id"], "default" if name == DEFAULT_MODEL else ""]
        for name in shipped()
    ]
    encoders = catalogue()
    values = {
        "models": [dict(zip(("name", "model_id", "note"), row, strict=True)) for row in rows],
        "encoders": [asdict(entry) for entry in encoders],
    }

    def show() -> None:
        console.table("models", ["name", "model id", ""], rows)
        lines = [[e.name, e.kind, e.what, "yes" if e.installed else e.command] for e in encoders]
        console.table("encoders", ["name", "kind", "what", "installed, or how"], lines)

    console.emit(values, as_json, show)


@model_app.command("add")
def model_add(
    name: Annotated[str, typer.Argument(help="Name under which options and configurations refer to it.")],
    source_file: Annotated[
        str,
        typer.Option("--from", help="Official .pth, .ckpt, .safetensors or .onnx."),
    ],
    arch: Annotated[str | None, typer.Option(help="Which network it is, where the file does not tell.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights; default what the publisher says.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the file comes from; default the publisher's page.")] = None,
    as_json: Json = False,
) -> None:
    """Add a face encoder from its official file. Nothing in the file is executed."""
    from dataclasses import asdict

    from tgfr_search.encoders.added import add_face_encoder

    card = add_face_encoder(name, Path(source_file), arch=arch, licence=licence, source=source)
    console.emit(asdict(card), as_json, lambda: console.pairs(asdict(card)))


@model_app.command("train-attributes")
def model_train_attributes(
    config: Annotated[Path, typer.Option(help="TOML file of options, see configs/attributes.toml.")],
    out: Annotated[Path, typer.Option(help="Folder of the finished attribute model.")],
    workers: Annotated[int | None, typer.Option(help="Processes that find faces.")] = None,
    as_json: Json = False,
) -> None:
    """Train the attribute model that `index --auto-captions` describes faces with."""
    from pipelines.train.attributes.head import train_attributes
    from pipelines.train.attributes.options import AttributeOptions
    from tgfr_search.strict import load_toml

    check_folder(out, inputs=[config])
    options = load_toml(config, AttributeOptions)
    with console.stages(quiet=as_json) as progress:
        values = train_attributes(options, out, workers=workers, progress=progress)
    shown = {name: value for name, value in values.items() if name not in ("options", "valid")}
    console.emit(values, as_json, lambda: console.pairs(shown))


@model_app.command("fit-statements")
def model_fit_statements(
    model: Annotated[str | None, typer.Argument(help="Name or folder; default the one that comes along.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Images with attributes and captions, of splits `train` and `valid`.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder of caches.")] = Path("runs/features"),
    every: Annotated[int, typer.Option(help="Of the train split only each so-many-th image.", min=1)] = 4,
    caption: Annotated[float, typer.Option(help="Weight of statements in a search by words.", min=0)] = 1.5,
    fused: Annotated[float, typer.Option(help="And in a search by photo and words.", min=0)] = 0.2,
    carry: Annotated[
        str | None,
        typer.Option("--from", help="Take another model's, whose trained modules are the same, as they are."),
    ] = None,
    rename: Annotated[
        list[str] | None, typer.Option(help="OLD=NEW: with --from, what a block is called in this model.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that find faces.")] = None,
    as_json: Json = False,
) -> None:
    """Make a model's directions of what descriptions state, anew: after its networks changed."""
    from pipelines.train.attributes.rows import StatementOptions
    from pipelines.train.attributes.statements import carry_statements, fit_statements
    from tgfr_search.model.checkpoint import load_model

    if (data is None) == (carry is None):
        found = "neither --data nor --from" if data is None else "--data and --from"
        raise InputError("fit-statements", found=found, expected="one of both: what to learn from, or whose to take")
    loaded = load_model(model, statements=False)
    if carry is not None:
        told = carry_statements(load_model(carry), loaded, dict(pair.split("=", 1) for pair in rename or ()))
        console.emit(told, as_json, lambda: console.pairs(told))
        return
    assert data is not None
    strength = {mode: weight for mode, weight in (("caption", caption), ("fused", fused)) if weight}
    options = StatementOptions(data=data, cache=cache, every=every, strength=strength)
    with console.stages(quiet=as_json) as progress:
        values = fit_statements(loaded, options, workers=workers, progress=progress)
    shown = {name: value for name, value in values.items() if name != "valid"}
    console.emit(values, as_json, lambda: console.pairs(shown))
