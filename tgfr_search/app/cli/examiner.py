"""The command that tells how examiners decide: foils taken for the person sought, decisions, agreement."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import Json
from tgfr_search.errors import InputError

if TYPE_CHECKING:
    from pipelines.casework.review.examiners import Rate

examiner_app = typer.Typer(no_args_is_help=True, help="How examiners decide, counted apart from the cases.")
Statistics = Annotated[
    Path | None,
    typer.Option(
        envvar="TGFR_STATISTICS",
        show_envvar=True,
        help="Folder of the laboratory, apart from cases, in which it is counted how examiners decide.",
    ),
]


@examiner_app.command()
def stats(
    statistics: Statistics = None,
    cases: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="CASE", help="Count the reviews of a case first, anew; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell of each account what it decided blind, on candidates and on foils, and whether the second person agreed.

    Rates have a 95 % interval (Clopper-Pearson). A review that is counted again is never counted twice.
    """
    from pipelines.casework.exchange.imported import open_to_read
    from pipelines.casework.review.examiners import count_case, examiners

    if statistics is None:
        raise InputError(
            "--statistics", found="nothing", expected="a folder", do="--statistics DIR, or TGFR_STATISTICS"
        )
    for folder in cases or ():
        count_case(statistics, open_to_read(folder))
    found = examiners(statistics)
    values = {"examiners": [asdict(each) for each in found]}

    def show() -> None:
        heads = ("account", "reviews", "candidates", "foils", "same: false positives", "undecided", "agreed", "alike")
        rows = [
            [each.name, str(each.reviews), str(sum(each.decisions.values())), str(each.foils_same.of)]
            + [_told(rate) for rate in (each.foils_same, each.foils_undecided, each.agreed, each.decided_alike)]
            for each in found
        ]
        console.table("examiners", heads, rows)

    console.emit(values, as_json, show)


def _told(rate: Rate) -> str:
    """`1 of 20 (0.1–24.9 %)`."""
    if rate.low is None or rate.high is None:
        return "–"
    return f"{rate.count} of {rate.of} ({100 * rate.low:.1f}–{100 * rate.high:.1f} %)"
