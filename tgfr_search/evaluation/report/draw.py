"""Draws a benchmark's report from `report.json`: the page, the tables, the plots."""

from __future__ import annotations

import csv
from pathlib import Path

from tgfr_search.evaluation.report.page import page
from tgfr_search.evaluation.report.plots import plots, save
from tgfr_search.evaluation.report.reading import PICTURES, Report


def draw_report(folder: Path) -> list[Path]:
    """Writes `report.html`, `tables.csv` and `plots/` beside a `report.json`; nothing else is needed.

    Args:
        folder: Where `report.json` is, and `pictures/` where faces of the examples were kept.

    Returns:
        The files written.

    Raises:
        InputError: There is no report, or it is of another schema.
    """
    report = Report.load(folder / "report.json")
    names = {name for example in report.tree["examples"] for name in example["pictures"].values()}
    kept = {name: path.read_bytes() for name in sorted(names) if (path := folder / PICTURES / name).is_file()}
    html, tables = folder / "report.html", folder / "tables.csv"
    html.write_text(page(report, kept), encoding="utf-8")
    _write_csv(report, tables)
    return [html, tables, *(path for plot in plots(report) for path in save(plot, folder / "plots"))]


def _write_csv(report: Report, path: Path) -> None:
    """One row a record, fields as in `results`; an empty field is a null."""
    rows = report.tree["results"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["system"])
        writer.writeheader()
        writer.writerows(rows)
