"""What the command line prints: progress and tables on a terminal, plain lines otherwise, JSON on request."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer

PLAIN_EVERY_SECONDS = 10.0


def emit(value: Mapping[str, Any], as_json: bool, show: Callable[[], None]) -> None:
    """Prints a result: as one JSON object on standard output, or with `show` for people."""
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    else:
        show()


def error(message: str, as_json: bool) -> None:
    """Prints an error; with `--json` also as an object, so that a program need not read prose."""
    if as_json:
        typer.echo(json.dumps({"error": message}, ensure_ascii=False))
    typer.secho(f"error: {message}", fg="red", err=True)


def tell_log(name: str) -> None:
    """Shows what a package logs for a person, on standard error."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table: drawn on a terminal, tab-separated lines otherwise."""
    if not sys.stdout.isatty():
        typer.echo("\t".join(columns))
        for row in rows:
            typer.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*columns, title=title, title_justify="left")
    for row in rows:
        drawn.add_row(*row)
    Console().print(drawn)


def pairs(values: Mapping[str, Any], indent: str = "") -> None:
    """Name and value, one a line; nested mappings indented."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if isinstance(value, Mapping):
            typer.echo(f"{indent}{name}:")
            pairs(value, indent + "  ")
        else:
            typer.echo(f"{indent}{name:<{width}}  {value}")


@contextmanager
def progress(what: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress display on standard error: a bar on a terminal, a line every ten seconds otherwise.

    Yields:
        Called with (done, expected).
    """
    if quiet:
        yield lambda done, expected: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, expected: bar.update(task, completed=done, total=max(done, expected))
    else:
        last = time.monotonic()

        def line(done: int, expected: int) -> None:
            nonlocal last
            if time.monotonic() - last >= PLAIN_EVERY_SECONDS:
                last = time.monotonic()
                typer.echo(f"{what}: {done} of about {max(done, expected)}", err=True)

        yield line


@contextmanager
def stages(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A progress display of work in several stages on standard error: a bar each, or a line every ten seconds.

    The time left is that of the stage, at the pace of what this run itself has done of it: what an earlier run left
    finished is not counted as speed.

    Yields:
        Called with (stage, done, expected); 0 where it is not known how many to expect.
    """
    if quiet:
        yield lambda what, done, expected: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            tasks: dict[str, TaskID] = {}

            def move(what: str, done: int, expected: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=None)
                bar.update(tasks[what], completed=done, total=max(done, expected) or None)

            yield move
    else:
        seen: dict[str, tuple[float, int]] = {}
        last = time.monotonic()

        def line(what: str, done: int, expected: int) -> None:
            nonlocal last
            now = time.monotonic()
            began, before = seen.setdefault(what, (now, done))
            if now - last < PLAIN_EVERY_SECONDS:
                return
            last = now
            known = expected > done > before
            left = f", {_duration((now - began) * (expected - done) / (done - before))} left" if known else ""
            typer.echo(f"{what}: {done}" + (f" of {expected}" if expected else "") + left, err=True)

        yield line


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
