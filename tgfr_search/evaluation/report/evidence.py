"""The evidence part of the report page: what the scores are worth by a calibration that was fitted on other people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tgfr_search.evaluation.report.reading import Report, percent, spoken
from tgfr_search.evaluation.report.tables import Cell, Row, Table

NONE = "–"


def told(report: Report) -> str:
    """What the part says first: propositions and what Cllr is, or why there are no figures; empty of an old report."""
    own = report.tree.get("evidence")
    if own is None:
        return ""
    if own["reason"] is not None:
        return f"Not measured. {own['reason']}"
    return " ".join(
        (
            *own["propositions"],
            f"By the calibration {own['calibration'][:12]}, fitted on other people, as were its thresholds. Cllr is "
            "the cost of the likelihood ratios: 0 is perfect, 1 is worth nothing; Cllr_min is what is left of it after "
            "the best calibration possible. Words are of another photo of the person.",
        )
    )


def tables(report: Report) -> list[Table]:
    """Likelihood ratios, searches, thresholds and crowdedness; none where nothing was measured."""
    own = report.tree.get("evidence") or {}

    def of(kind: str) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = own.get(kind, ())
        return found

    made = [
        _table("Likelihood ratios", RATIOS, [_ratios(one) for one in of("cells")], own.get("notes", ())),
        _table("Posteriors of first candidates, in simulated searches", SEARCH, [_search(one) for one in of("search")]),
        _table("Thresholds set on the calibration's people", THRESHOLDS, [_threshold(one) for one in of("thresholds")]),
        _table("Crowded records", CROWDED, [_crowded(one) for one in of("crowdedness")]),
    ]
    return [table for table in made if table.rows]


RATIOS = (
    "pictures and words",
    "Cllr",
    "Cllr_min",
    "devPAV",
    "strangers above 10, %",
    "above 100, %",
    "people",
    "pairs",
)
SEARCH = ("pictures and words", "people searched", "mean error", "worst overconfidence")
THRESHOLDS = ("pictures and words", "people searched", "FPIR asked for, %", "FPIR seen, %", "FNIR, %", "")
CROWDED = ("pictures and words", "false matches of the most crowded tenth, in the median tenth's")


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str] = ()) -> Table:
    made = [Row([Cell(row[0], head=True), *(c if isinstance(c, Cell) else Cell(c) for c in row[1:])]) for row in rows]
    return Table(caption, heads, made, tuple(notes))


def _mode(one: Mapping[str, Any]) -> str:
    kind, _, lines = one["mode"].partition("-")
    count = int(lines or one.get("lines") or 0)
    words = f" and {count} line{'s' if count > 1 else ''}" if kind == "fused" else " alone"
    return f"{spoken(one['level'])}: picture{words}"


def _ratios(one: Mapping[str, Any]) -> tuple[str | Cell, ...]:
    above = {rate["lr"]: rate["stranger_above"] for rate in one["misleading"]}
    cllr = Cell(f"{one['cllr']:.3f}", f"({one['cllr_low']:.3f}–{one['cllr_high']:.3f})")
    devpav = NONE if one["devpav"] is None else f"{one['devpav']:.2f}"
    rates = (percent(above[k]) if k in above else NONE for k in (10, 100))
    counts = f"{one['people']:,}", f"{one['genuine']:,} and {one['impostor']:,}"
    return (_mode(one), cllr, f"{one['cllr_min']:.3f}", devpav, *rates, *counts)


def _search(one: Mapping[str, Any]) -> tuple[str, ...]:
    return _mode(one), f"{one['people']:,}", f"{one['ece']:.3f}", f"{one['worst_overconfidence']:.3f}"


def _crowded(one: Mapping[str, Any]) -> tuple[str, ...]:
    return _mode(one), NONE if one["ratio"] is None else f"{one['ratio']:.1f}"


def _threshold(one: Mapping[str, Any]) -> tuple[str | Cell, ...]:
    rates = (NONE if one[name] is None else percent(one[name]) for name in ("fpir_asked", "fpir_seen", "fnir"))
    return (_mode(one), f"{one['people']:,}", *rates, Cell(one["warning"], wraps=True))
