"""The command line: one command is one pipeline function. It parses, calls and prints, and alone sets exit codes.

Exit codes: 0 done, 1 nothing usable, 2 bad input, 3 done in part (some images are in quarantine).
Heavy imports are inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import tgfr_search
from tgfr_search import console
from tgfr_search.cli_benchmark import benchmark, degrade
from tgfr_search.cli_data import data_app
from tgfr_search.cli_explain import show_explained
from tgfr_search.cli_index import compact, delete, export, import_, publish, purge, restore, snapshot, update, verify
from tgfr_search.cli_model import model_app
from tgfr_search.cli_options import (
    DEFAULT_INDEX,
    PARTIAL,
    Aligned,
    Backend,
    Device,
    Index,
    Json,
    MilvusCollection,
    MilvusUri,
    Multiple,
    Out,
    make_finder,
)
from tgfr_search.errors import InputError, TgfrError
from tgfr_search.installed import check_own_packages, explain_import
from tgfr_search.terms import LEAD_NOTICE, QUERY_MODES

app = typer.Typer(
    name="tgfr-search",
    help=f"Text-guided face search. {LEAD_NOTICE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(model_app, name="model")
app.add_typer(data_app, name="data")

Model = Annotated[str | None, typer.Option("--model", help="Shipped model or checkpoint folder.")]


@app.command()
def index(
    gallery: Annotated[Path, typer.Argument(help="Folder of photos, image Parquet, or table of images.")],
    out: Out = DEFAULT_INDEX,
    captions: Annotated[Path | None, typer.Option(help="captions.csv, .jsonl or .parquet of a folder.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Part of a published data set, or of a table with a column `split`.")
    ] = None,
    on_multiple: Multiple = "largest",
    aligned: Aligned = False,
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
    model: Model = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Enrol a gallery. A second run adds only what is new; an interrupted one goes on where it was."""
    from pipelines.auto_captions import Describer
    from pipelines.engines import make_engine
    from pipelines.index import index_gallery
    from tgfr_search.model.attributes import load_attributes
    from tgfr_search.model.checkpoint import load_model

    if attributes is not None and not auto_captions:
        raise InputError("--attributes", found="no --auto-captions", expected="both", do="add --auto-captions")
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
    with console.progress("enrolling", quiet=as_json) as progress:
        summary = index_gallery(
            gallery,
            out,
            loaded,
            captions=captions,
            split=split,
            finder=make_finder(on_multiple, aligned),
            crops=crops,
            engine=chosen,
            describer=describer,
            progress=progress,
        )
    console.emit(summary.as_dict(), as_json, lambda: console.pairs(summary.as_dict()))
    if not summary.rows:
        raise typer.Exit(1)
    if summary.quarantined:
        raise typer.Exit(PARTIAL)


@app.command()
def query(
    probe: Annotated[Path | None, typer.Argument(help="Probe photo; leave out to search by description alone.")] = None,
    index: Index = DEFAULT_INDEX,
    caption: Annotated[list[str] | None, typer.Option(help="What a witness said; may be given several times.")] = None,
    top_k: Annotated[int, typer.Option(help="Candidates shown.")] = 10,
    mode: Annotated[str, typer.Option(help=f"One of: {', '.join(QUERY_MODES)}.")] = "auto",
    aggregate: Annotated[str, typer.Option(help="A subject's score: `max` of its rows, or `mean`.")] = "max",
    where: Annotated[
        str | None, typer.Option(help="Rank only rows for which this is true: \"site = 'A' and year >= 2024\".")
    ] = None,
    on_multiple: Multiple = "largest",
    aligned: Aligned = False,
    milvus_uri: MilvusUri = None,
    milvus_collection: MilvusCollection = None,
    sheet: Annotated[
        list[Path] | None, typer.Option(help="Also write a contact sheet: probe, candidates, scores (.html or .png).")
    ] = None,
    explain: Annotated[
        int, typer.Option(help="Say of the first N candidates which words and face regions moved their scores.")
    ] = 0,
    model: Model = None,
    device: Device = "auto",
    backend: Backend = "auto",
    as_json: Json = False,
) -> None:
    """Rank the gallery's subjects for a probe image, a description, or both."""
    from pipelines.query import Gallery

    if not as_json:
        console.tell_log("indexer")  # what `auto` chose and why, what was built and its recall
    gallery = Gallery.open(
        index,
        model=model,
        device=device,
        finder=make_finder(on_multiple, aligned),
        backend=backend,
        milvus_uri=milvus_uri if backend == "milvus" else None,
        milvus_collection=milvus_collection,
    )
    result = gallery.query(
        None if probe is None else str(probe),
        caption=caption or (),
        top_k=top_k,
        mode=mode,  # type: ignore[arg-type]
        aggregate=aggregate,  # type: ignore[arg-type]
        where=where,
    )
    explained = None
    if explain:
        from pipelines.explain import explain as explain_scores

        explained = explain_scores(gallery, result, None if probe is None else str(probe), caption or (), count=explain)
    for path in sheet or ():
        from pipelines.sheet import write_sheet

        write_sheet(path, gallery, result, probe, tuple(caption or ()), explained)

    def show() -> None:
        blocks = list(result.candidates[0].blocks) if result.candidates else []
        rows = [
            [
                str(c.rank),
                c.subject_id,
                f"{c.score:.3f}",
                *(f"{c.blocks[b]:.3f}" for b in blocks),
                c.image,
                ("[machine-made] " if c.auto_caption else "") + c.caption[:60],
            ]
            for c in result.candidates
        ]
        title = f"{result.mode} search" + (f" where {where}" if where else "")
        console.table(title, ["rank", "subject", "score", *blocks, "image", "caption"], rows)
        if explained is not None:
            show_explained(explained)
        typer.echo(f"timing ms: {' '.join(f'{k} {v:.1f}' for k, v in result.timing_ms.items())}", err=True)
        typer.echo(result.notice, err=True)

    values = result.as_dict() | ({} if explained is None else {"explained": explained.as_dict()})
    console.emit(values, as_json, show)


@app.command()
def info(
    index: Annotated[Path, typer.Argument(envvar="TGFR_INDEX")] = DEFAULT_INDEX,
    digest: Annotated[
        bool, typer.Option("--digest", help="Also the content digest: equal for equal rows, whatever their history.")
    ] = False,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Also rows that may be one photo saved twice; compares all rows.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What an index holds: rows, subjects, contract, quarantine."""
    from indexer import Store
    from pipelines.auto_captions import described_rows

    store = Store.open(index)
    values = {**store.info(), "auto_captions": described_rows(key for _, key in store.rows_by_image().values())}
    if digest:
        values["digest"] = store.digest()
    if near_duplicates:
        from pipelines.alike import find_alike

        values["near_duplicates"] = find_alike(store, at_most=len(store) ** 2).as_dict()
    console.emit(values, as_json, lambda: console.pairs(values))


@app.command()
def demo(
    directory: Annotated[Path, typer.Argument(help="Folder to write: gallery, captions, probes.")],
    people: Annotated[int, typer.Option(help="Synthetic subjects.")] = 100,
    views: Annotated[int, typer.Option(help="Gallery views of each.")] = 3,
    seed: Annotated[int, typer.Option(help="Another seed gives other people.")] = 0,
    as_json: Json = False,
) -> None:
    """Write a gallery of people who do not exist, with captions and degraded probes."""
    from dataclasses import asdict

    from pipelines.demo import write_demo

    summary = write_demo(directory, people=people, views=views, seed=seed)
    console.emit(asdict(summary), as_json, lambda: console.pairs(asdict(summary)))


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="TOML file of options, see configs/.")],
    out: Annotated[Path | None, typer.Option(help="Run folder: states, logs, and the finished model.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Rehearse on made-up data with random weights; needs neither, learns nothing."),
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes that find faces.")] = None,
    as_json: Json = False,
) -> None:
    """Train a model; a run that was killed goes on where it was and ends with the same weights."""
    from pipelines.rehearsal import check_options, rehearse
    from pipelines.train import train as run
    from tgfr_search.errors import InputError
    from tgfr_search.options import TrainOptions, load_toml

    options = load_toml(config, TrainOptions)
    if dry_run:
        rehearsed = rehearse(options)
        console.emit(rehearsed, as_json, lambda: console.pairs(rehearsed))
        return
    check_options(options)
    if out is None:
        raise InputError("--out", found="nothing", expected="the run's folder", do="--out runs/NAME, or --dry-run")

    def progress(what: str, done: int, total: int) -> None:
        if not as_json:
            typer.echo(f"{what}: {done}" + (f" of {total}" if total else ""), err=True)

    values = run(options, out, workers=workers, progress=progress)
    if values:  # of several processes only the first has something to say
        console.emit(values, as_json, lambda: console.pairs(values))


app.command()(verify)
app.command()(delete)
app.command()(update)
app.command()(compact)
app.command()(purge)
app.command()(snapshot)
app.command()(restore)
app.command()(export)
app.command("import")(import_)
app.command()(publish)
app.command()(benchmark)
app.command()(degrade)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Versions, device, FAISS build, weights; what is missing and the command that brings it."""
    from pipelines.doctor import examine

    report = examine()

    def show() -> None:
        console.pairs({"found": report["found"]})
        for problem in report["missing"]:
            typer.echo(f"MISSING: {problem['what']}: {problem['do']}")
        typer.echo("nothing is missing" if report["ok"] else "")

    console.emit(report, as_json, show)
    if not report["ok"]:
        raise typer.Exit(2)


def _version(value: bool) -> None:
    if value:
        typer.echo(tgfr_search.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # No hub, no telemetry: a forensic tool opens no socket unless a flag asks for it.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def main() -> None:
    """Entry point: runs a command, turns our errors into a line and an exit code."""
    import sys

    try:
        check_own_packages()
        app()
    except Exception as error:
        told = explain_import(error) if isinstance(error, ImportError) else error
        if not isinstance(told, TgfrError):
            from indexer.errors import IndexerError  # brings NumPy and PyArrow, which `--help` should not wait for

            if not isinstance(told, IndexerError):
                raise
        console.error(str(told), "--json" in sys.argv)
        sys.exit(told.exit_code)
