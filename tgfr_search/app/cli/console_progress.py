"""Progress on standard error: bars on a terminal, a line every ten seconds otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tgfr_search.app.cli.console_streams import say, shown

PLAIN_EVERY_SECONDS = 10.0


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

        described = TextColumn("{task.description}", markup=False)
        columns = (described, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(shown(what, err=True), total=None)
            yield lambda done, expected: bar.update(task, completed=done, total=max(done, expected))
    else:
        last = time.monotonic()

        def line(done: int, expected: int) -> None:
            nonlocal last
            if time.monotonic() - last >= PLAIN_EVERY_SECONDS:
                last = time.monotonic()
                say(f"{what}: {done} of about {max(done, expected)}", err=True)

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

        described = TextColumn("{task.description}", markup=False)
        columns = (described, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            tasks: dict[str, TaskID] = {}

            def move(what: str, done: int, expected: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(shown(what, err=True), total=None)
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
            say(f"{what}: {done}" + (f" of {expected}" if expected else "") + left, err=True)

        yield line


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
