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
from tgfr_search.app.cli import console, console_streams
from tgfr_search.app.cli.ask import ask
from tgfr_search.app.cli.audit import audit_app
from tgfr_search.app.cli.benchmark import benchmark, benchmark_pairs, degrade
from tgfr_search.app.cli.case import case_app
from tgfr_search.app.cli.case_search import replay as case_replay
from tgfr_search.app.cli.case_search import search as case_search
from tgfr_search.app.cli.cohort import cohort_app
from tgfr_search.app.cli.compare import compare
from tgfr_search.app.cli.console_streams import INTERRUPTED, OutputError, PipeClosedError
from tgfr_search.app.cli.data import data_app
from tgfr_search.app.cli.effects import check_all
from tgfr_search.app.cli.enrol import index
from tgfr_search.app.cli.evidence import calibrate, validate
from tgfr_search.app.cli.examiner import examiner_app
from tgfr_search.app.cli.gallery import gallery_app
from tgfr_search.app.cli.index import (
    compact,
    delete,
    export,
    import_,
    publish,
    purge,
    restore,
    snapshot,
    update,
    verify,
)
from tgfr_search.app.cli.info import info
from tgfr_search.app.cli.model import model_app
from tgfr_search.app.cli.options import Json
from tgfr_search.app.cli.paths import DashGroup, read_paths
from tgfr_search.app.cli.query import query
from tgfr_search.app.cli.review import decide, open_, report
from tgfr_search.app.cli.serve import serve, token, user_app
from tgfr_search.app.cli.space import space_app
from tgfr_search.app.cli.threshold import threshold
from tgfr_search.app.cli.watch import watch_app
from tgfr_search.errors import InputError, TgfrError
from tgfr_search.installed import check_own_packages, explain_import
from tgfr_search.outputs import check_folder
from tgfr_search.terms import LEAD_NOTICE

app = typer.Typer(
    name="tgfr-search",
    cls=DashGroup,
    help=f"Text-guided face search. {LEAD_NOTICE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(model_app, name="model")
app.add_typer(data_app, name="data")
app.add_typer(audit_app, name="audit")
case_app.command("search")(case_search)
case_app.command("replay")(case_replay)
app.add_typer(cohort_app, name="cohort")
app.add_typer(gallery_app, name="gallery")
case_app.command("open")(open_)
case_app.command()(decide)
case_app.command()(report)
app.add_typer(case_app, name="case")
app.add_typer(examiner_app, name="examiner")
app.add_typer(space_app, name="space")
app.add_typer(user_app, name="user")
app.add_typer(watch_app, name="watch")

USAGE = 2
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]
"""What Typer raises for every wrong use of a command; it has its own copy of click or not, by its version."""


app.command()(index)
app.command()(query)


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

    from pipelines.tools.demo import write_demo

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
    from pipelines.train.rehearsal import check_options, rehearse
    from pipelines.train.run import train as run
    from tgfr_search.errors import InputError
    from tgfr_search.options import TrainOptions
    from tgfr_search.strict import load_toml

    options = load_toml(config, TrainOptions)
    if dry_run:
        rehearsed = rehearse(options)
        console.emit(rehearsed, as_json, lambda: console.pairs(rehearsed))
        return
    check_options(options)
    if out is None:
        raise InputError("--out", found="nothing", expected="the run's folder", do="--out runs/NAME, or --dry-run")

    check_folder(out, inputs=[config])

    def progress(what: str, done: int, total: int) -> None:
        if not as_json:
            console.say(f"{what}: {done}" + (f" of {total}" if total else ""), err=True)

    values = run(options, out, workers=workers, progress=progress)
    if values:  # of several processes only the first has something to say
        console.emit(values, as_json, lambda: console.pairs(values))


app.command()(info)
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
app.command()(serve)
app.command()(token)
app.command()(benchmark)
app.command("benchmark-pairs")(benchmark_pairs)
app.command()(degrade)
app.command()(ask)
app.command()(compare)
app.command()(calibrate)
app.command()(threshold)
app.command()(validate)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Versions, device, FAISS build, weights; what is missing and the command that brings it."""
    from pipelines.tools.doctor import examine

    report = examine()

    def show() -> None:
        console.pairs({"found": report["found"]})
        for problem in report["missing"]:
            console.say(f"MISSING: {problem['what']}: {problem['do']}")
        console.say("nothing is missing" if report["ok"] else "")

    console.emit(report, as_json, show)
    if not report["ok"]:
        raise typer.Exit(2)


def _version(value: bool) -> None:
    if value:
        console.say(tgfr_search.__version__)
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


read_paths(app)
check_all(app)


def main() -> None:
    """Entry point: runs a command, turns errors into a line and an exit code."""
    import sys

    sys.exit(console_streams.run(_run))


def _run() -> int:
    """The exit code of one command; our errors, wrong usage and the system's refusals are a line, not a traceback."""
    import sys

    console.begin()
    try:
        check_own_packages()
        code = app(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (OutputError, PipeClosedError):
        raise
    except typer.Abort:
        return INTERRUPTED
    except USAGE_ERROR as error:
        if type(error).__name__ != "NoArgsIsHelpError":  # that one has printed the help
            console.error(_usage(error), "--json" in sys.argv)
        return USAGE
    except Exception as error:
        told, code = _told(error)
        console.error(told, "--json" in sys.argv)
        return code


def _told(error: Exception) -> tuple[str, int]:
    """The line and the exit code of an error; what is none of ours, and not the system's, is raised again."""
    told = explain_import(error) if isinstance(error, ImportError) else error
    if isinstance(told, OSError) and told.errno:
        about = f"{told.filename}: " if told.filename else ""
        return f"{about}{os.strerror(told.errno)}", InputError.exit_code
    if not isinstance(told, TgfrError):
        from indexer.errors import IndexerError  # brings NumPy and PyArrow, which `--help` should not wait for

        if not isinstance(told, IndexerError):
            raise told
    return str(told), told.exit_code


def _usage(error: Exception) -> str:
    """A wrong option or command in our words; Typer's context knows which command it was."""
    context = getattr(error, "ctx", None)
    about = f"; what to do: {context.command_path} --help" if context is not None else ""
    return f"{getattr(error, 'format_message', error.__str__)()}{about}"
