"""The tables of the report page: a row a system, a figure with its interval a cell, a reason where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tgfr_search.evaluation.report.palette import colour, label
from tgfr_search.evaluation.report.reading import (
    BETTER,
    TOLD_APART,
    WORSE,
    Metric,
    Record,
    Report,
    Series,
    percent,
    points,
    spoken,
)

SIGNS = {BETTER: "▲", WORSE: "▼", TOLD_APART: "≈"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a table.

    Attributes:
        text: The figure, or words.
        limits: Its interval, below it.
        verdict: `better`, `worse`, `not told apart`, or nothing.
        note: Number of the reason why there is no figure; 0 where there is one.
        title: What a pointer that rests on it is told.
        shade: Colour of the dot before it.
        head: Whether it heads its row.
        strong: Whether it is printed bold.
        wraps: Whether it is a text of several lines.
    """

    text: str = ""
    limits: str = ""
    verdict: str = ""
    note: int = 0
    title: str = ""
    shade: str = ""
    head: bool = False
    strong: bool = False
    wraps: bool = False

    @property
    def sign(self) -> str:
        """The verdict as a sign."""
        return SIGNS.get(self.verdict, "")


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `classes` are those of the style sheet: `first` of a level, `main` system."""

    cells: Sequence[Cell]
    classes: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the reasons of its empty cells."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()


@dataclass
class Notes:
    """Reasons of empty cells, numbered below their table: each once, however many cells it explains."""

    reasons: list[str] = field(default_factory=list)

    def mark(self, reason: str) -> Cell:
        """An empty cell that refers to its reason."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return Cell("–", note=self.reasons.index(reason) + 1, title=reason)


def interval(value: float, low: float | None, high: float | None, verdict: str = "") -> Cell:
    """A rate with its interval, in per cent."""
    limits = "" if low is None or high is None else f"{percent(low)}–{percent(high)}"
    return Cell(percent(value), limits, verdict)


def figures(
    report: Report,
    series: Sequence[Series],
    metrics: Sequence[Metric],
    caption: str,
    *,
    counts: Sequence[str] = (),
    whole: bool = False,
) -> Table:
    """Rates of several systems at every level; a mark where one is better or worse than `frozen`.

    Args:
        report: What was measured.
        series: Rows within a level.
        metrics: Columns.
        caption: Of the table.
        counts: Further columns, fields of a record: (`n_probes`, …).
        whole: Of degraded whole photos.
    """
    notes = Notes()

    def cells(one: Series, level: str) -> Iterator[Cell]:
        yield from (_cell(report, one, level, metric, notes, whole) for metric in metrics)
        record = report.get(one, level, metrics[-1], whole=whole) or {}
        yield from (_count(record.get(name)) for name in counts)

    heads = [*(f"{metric.label}, %" for metric in metrics), *(name[2:] for name in counts)]
    return _by_level(report, series, cells, heads, caption, notes)


def _by_level(
    report: Report,
    series: Sequence[Series],
    cells: Callable[[Series, str], Iterable[Cell]],
    heads: Sequence[str],
    caption: str,
    notes: Notes,
) -> Table:
    """A row a level and system, the level told once."""
    rows = []
    for level in report.levels:
        for at, one in enumerate(series):
            classes = " ".join(name for name, on in (("first", at == 0), ("main", one == report.main)) if on)
            head = Cell(spoken(level) if at == 0 else "", head=True)
            who = Cell(one[0], shade=colour(one[0], report.systems))
            rows.append(Row([head, who, Cell(one[1]), *cells(one, level)], classes))
    return Table(caption, ["level", "system", "captions", *heads], rows, notes.reasons)


def _cell(report: Report, series: Series, level: str, metric: Metric, notes: Notes, whole: bool = False) -> Cell:
    record = report.get(series, level, metric, whole=whole)
    if record is None:
        return Cell()
    if record["value"] is None:
        return notes.mark(record["reason"])
    verdict = metric.verdict(report.get(series, level, metric, minus="frozen", whole=whole))
    shown = verdict if verdict in (BETTER, WORSE) else ""
    return interval(record["value"], record["low"], record["high"], shown)


def differences(
    report: Report, series: Sequence[Series], metrics: Sequence[Metric], baseline: str, caption: str
) -> Table:
    """Paired differences from one baseline, in percentage points."""
    notes = Notes()

    def cells(one: Series, level: str) -> Iterator[Cell]:
        for metric in metrics:
            yield _difference(metric, report.get(one, level, metric, minus=baseline), notes)

    return _by_level(report, series, cells, [f"{m.label}, points" for m in metrics], caption, notes)


def _difference(metric: Metric, record: Record | None, notes: Notes) -> Cell:
    """A paired difference with its interval and what it shows."""
    if record is None:
        return Cell()
    if record["value"] is None or record["low"] is None:
        return notes.mark(record["reason"] or "no interval")
    limits = f"{points(record['low'])} to {points(record['high'])}"
    return Cell(points(record["value"]), limits, metric.verdict(record))


def groups(report: Report, series: Series, metrics: Sequence[Metric], column: str) -> Table:
    """Error rates within each value of a column at every level, with the ratio of the largest to the smallest."""
    named = (record["group"] or "" for record in report.tree["results"])
    values = list(dict.fromkeys(name for name in named if name.startswith(f"{column}=")))
    notes, rows = Notes(), []
    for level in report.levels:
        found = {m: [report.get(series, level, m, group=value) for value in values] for m in metrics}
        for at, value in enumerate(values):
            head = Cell(spoken(level) if at == 0 else "", head=True)
            cells = [_error(m, found[m][at], notes) for m in metrics]
            probes = _count((found[metrics[-1]][at] or {}).get("n_probes"))
            rows.append(Row([head, Cell(value.partition("=")[2]), *cells, probes], "" if at else "first"))
        ratios = [Cell(_ratio(m, found[m]), strong=True) for m in metrics]
        rows.append(Row([Cell(head=True), Cell("largest ÷ smallest"), *ratios, Cell()]))
    heads = ["level", column, *(_error_label(m) for m in metrics), "probes"]
    return Table(f"{label(series)}, by {column}", heads, rows, notes.reasons)


def _error_label(metric: Metric) -> str:
    return f"1 − {metric.label}, %" if metric.higher_is_better else f"{metric.label}, %"


def _error(metric: Metric, record: Record | None, notes: Notes) -> Cell:
    if record is None:
        return Cell()
    if record["value"] is None:
        return notes.mark(record["reason"])
    value, low, high = record["value"], record["low"], record["high"]
    if not metric.higher_is_better:
        return interval(value, low, high)
    return interval(1 - value, None if high is None else 1 - high, None if low is None else 1 - low)


def _ratio(metric: Metric, records: Iterable[Record | None]) -> str:
    rates = [r["value"] for r in records if r is not None and r["value"] is not None]
    errors = [1 - rate if metric.higher_is_better else rate for rate in rates]
    if len(errors) < 2:
        return "–"
    return f"{max(errors) / min(errors):.2f}" if min(errors) > 0 else "– (a group without an error)"


def _count(value: int | None) -> Cell:
    return Cell("" if value is None else f"{value:,}")
