"""The commands of the audit log: check it, take a checkpoint away, look at it.

Exit codes: 0 whole, 1 not, 2 bad input.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import Json
from tgfr_search.errors import InputError

if TYPE_CHECKING:
    from tgfr_search.audit.journal import LogJournal

audit_app = typer.Typer(
    no_args_is_help=True, help="The log of every act: verify it, take its checkpoint away, look at it."
)
Log = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a log, or of a case.")]
Actor = Annotated[
    str | None,
    typer.Option(envvar="TGFR_ACTOR", show_envvar=True, help="Account that acts; default the system's. It is logged."),
]
Audit = Annotated[
    Path | None,
    typer.Option(
        "--audit",
        envvar="TGFR_AUDIT",
        show_envvar=True,
        help="Folder of an audit log: the act is written there before it is answered.",
    ),
]


def make_journal(audit: Path | None) -> LogJournal | None:
    """Where a command's acts are told; None where no log was asked for.

    Raises:
        AuditError: The log cannot be used.
    """
    if audit is None:
        return None
    from tgfr_search.audit.journal import LogJournal

    return LogJournal.without_case(audit)


def _log_of(directory: Path) -> Path:
    """The folder of a log, which may be that of a case.

    Raises:
        InputError: There is no part of one.
    """
    from tgfr_search.audit.verify import log_folder

    if (found := log_folder(directory)) is None:
        what = "no audit log in it" if directory.is_dir() else "a file" if directory.exists() else "no such folder"
        raise InputError(
            f"{directory}", found=what, expected="the folder of a log, of a case, or of an export that was unpacked"
        )
    return found


@audit_app.command()
def verify(
    directory: Log,
    against: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint kept elsewhere; may be given several times.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the whole log, and that it has only grown since each checkpoint; of a case its files too."""
    from dataclasses import asdict

    from pipelines.casework.case.whole import check_files
    from tgfr_search.audit.verify import check_folder

    _log_of(directory)
    report = check_folder(directory, against or ())
    if not report.problems:
        problems, notes = check_files(directory)
        report.problems += problems
        report.notes += notes
    values = {"log": str(directory), "whole": not report.problems, **asdict(report)}

    def show() -> None:
        for problem in report.problems:
            console.say(f"PROBLEM: {problem}")
        for note in report.notes:
            console.say(f"note: {note}")
        if not against:
            console.say("note: without --against nobody sees whether the log was written anew as a whole")
        console.say(f"{report.size} entries ({report.removed} without their body), root {report.root}")
        console.say("not whole" if report.problems else "whole")

    console.emit(values, as_json, show)
    if report.problems:
        raise typer.Exit(1)


@audit_app.command()
def anchor(
    directory: Log,
    out: Annotated[Path | None, typer.Option(help="File to write the checkpoint to; else it is printed.")] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Take the log's checkpoint, a signed note: keep it where nobody who can write the log can reach it."""
    from tgfr_search.audit.entries import Act, Entry
    from tgfr_search.audit.journal import account
    from tgfr_search.audit.log import AuditLog
    from tgfr_search.files import replace_text

    if out is not None and out.exists():
        raise InputError(
            f"{out}", found="a file", expected="none: a checkpoint is never written over", do="name another"
        )
    log = AuditLog(_log_of(directory))
    log.append(Entry(Act.ANCHOR, actor=actor or account()))
    note = log.checkpoint()
    if out is not None:
        replace_text(out, note)
    values = {"log": str(log.folder), "checkpoint": note, "out": None if out is None else str(out)}
    console.emit(values, as_json, lambda: console.say(note.rstrip("\n")) if out is None else None)


@audit_app.command()
def show(
    directory: Log,
    last: Annotated[int, typer.Option(help="Entries shown, the newest last.")] = 20,
    as_json: Json = False,
) -> None:
    """The newest entries: who did what, when, in which case. Names are not in the log."""
    from collections import deque

    from tgfr_search.audit.retention import read_entries

    newest = [entry for _, entry in deque(read_entries(_log_of(directory)), max(1, last))]

    fields = ("seq", "ended", "act", "actor", "case")
    rows = [[entry.get(name) for name in fields] for entry in newest]
    console.emit({"log": str(directory), "entries": newest}, as_json, lambda: console.table("", fields, rows))
