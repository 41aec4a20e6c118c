"""The tables of the report page: a row a system, a figure with its interval a cell, a reason where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

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

MARKS = {BETTER: '<b class="better" title="better">▲</b>', WORSE: '<b class="worse" title="worse">▼</b>'}


@dataclass
class Notes:
    """Reasons of empty cells, numbered below their table: each once, however many cells it explains."""

    reasons: list[str] = field(default_factory=list)

    def mark(self, reason: str) -> str:
        """An empty cell that refers to its reason."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f'<span title="{escape(reason)}">– <sup>{self.reasons.index(reason) + 1}</sup></span>'

    def html(self) -> str:
        """The list of reasons."""
        if not self.reasons:
            return ""
        return f'<ol class="notes">{"".join(f"<li>{escape(reason)}</li>" for reason in self.reasons)}</ol>'


def dot(shade: str) -> str:
    """A dot of a colour."""
    return f'<span class="swatch" style="background:{shade}"></span>'


def swatch(report: Report, system: str) -> str:
    """A dot in a system's colour."""
    return dot(colour(system, report.systems))


def interval(value: float, low: float | None, high: float | None, mark: str = "") -> str:
    """A rate with its interval, in per cent."""
    limits = "" if low is None or high is None else f"<small>{percent(low)}–{percent(high)}</small>"
    return f"{percent(value)}{mark}{limits}"


def figures(
    report: Report, series: Sequence[Series], metrics: Sequence[Metric], caption: str, *, counts: Sequence[str] = ()
) -> str:
    """Rates of several systems at every level; a mark where one is better or worse than `frozen`.

    Args:
        report: What was measured.
        series: Rows within a level.
        metrics: Columns.
        caption: Of the table.
        counts: Further columns, fields of a record: (`n_probes`, …).
    """
    notes = Notes()

    def cells(one: Series, level: str) -> Iterator[str]:
        yield from (_cell(report, one, level, metric, notes) for metric in metrics)
        record = report.get(one, level, metrics[-1]) or {}
        yield from (_count(record.get(name)) for name in counts)

    heads = [*(f"{metric.label}, %" for metric in metrics), *(name[2:] for name in counts)]
    return _by_level(report, series, cells, heads, caption) + notes.html()


def _by_level(
    report: Report,
    series: Sequence[Series],
    cells: Callable[[Series, str], Iterable[str]],
    heads: Sequence[str],
    caption: str,
) -> str:
    """A row a level and system, the level told once."""
    rows = []
    for level in report.levels:
        for at, one in enumerate(series):
            classes = " ".join(name for name, on in (("first", at == 0), ("main", one == report.main)) if on)
            head = f"<th>{spoken(level) if at == 0 else ''}</th><td>{swatch(report, one[0])}{escape(one[0])}</td>"
            body = "".join(f"<td>{cell}</td>" for cell in cells(one, level))
            rows.append(f'<tr class="{classes}">{head}<td>{escape(one[1])}</td>{body}</tr>')
    return table(caption, ["level", "system", "captions", *heads], rows)


def _cell(report: Report, series: Series, level: str, metric: Metric, notes: Notes) -> str:
    record = report.get(series, level, metric)
    if record is None:
        return ""
    if record["value"] is None:
        return notes.mark(record["reason"])
    mark = MARKS.get(metric.verdict(report.get(series, level, metric, minus="frozen")), "")
    return interval(record["value"], record["low"], record["high"], f" {mark}" if mark else "")


def differences(
    report: Report, series: Sequence[Series], metrics: Sequence[Metric], baseline: str, caption: str
) -> str:
    """Paired differences from one baseline, in percentage points."""
    notes = Notes()

    def cells(one: Series, level: str) -> Iterator[str]:
        for metric in metrics:
            yield _difference(metric, report.get(one, level, metric, minus=baseline), notes)

    return _by_level(report, series, cells, [f"{m.label}, points" for m in metrics], caption) + notes.html()


def _difference(metric: Metric, record: Record | None, notes: Notes) -> str:
    """A paired difference with its interval and what it shows."""
    if record is None:
        return ""
    if record["value"] is None or record["low"] is None:
        return notes.mark(record["reason"] or "no interval")
    verdict = metric.verdict(record)
    mark = MARKS.get(verdict, f'<span class="same" title="{TOLD_APART}">≈</span>')
    return f"{points(record['value'])} {mark}<small>{points(record['low'])} to {points(record['high'])}</small>"


def groups(report: Report, series: Series, metrics: Sequence[Metric], column: str) -> str:
    """Error rates within each value of a column at every level, with the ratio of the largest to the smallest."""
    named = (record["group"] or "" for record in report.tree["results"])
    values = list(dict.fromkeys(name for name in named if name.startswith(f"{column}=")))
    notes, rows = Notes(), []
    for level in report.levels:
        found = {m: [report.get(series, level, m, group=value) for value in values] for m in metrics}
        for at, value in enumerate(values):
            cells = "".join(f"<td>{_error(m, found[m][at], notes)}</td>" for m in metrics)
            probes = _count((found[metrics[-1]][at] or {}).get("n_probes"))
            head = f"<th>{spoken(level) if at == 0 else ''}</th><td>{escape(value.partition('=')[2])}</td>"
            rows.append(f'<tr class="{"" if at else "first"}">{head}{cells}<td>{probes}</td></tr>')
        ratios = "".join(f"<td><b>{_ratio(m, found[m])}</b></td>" for m in metrics)
        rows.append(f"<tr><th></th><td>largest ÷ smallest</td>{ratios}<td></td></tr>")
    heads = ["level", column, *(_error_label(m) for m in metrics), "probes"]
    return table(f"{label(series)}, by {column}", heads, rows) + notes.html()


def _error_label(metric: Metric) -> str:
    return f"1 − {metric.label}, %" if metric.higher_is_better else f"{metric.label}, %"


def _error(metric: Metric, record: Record | None, notes: Notes) -> str:
    if record is None:
        return ""
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


def table(caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table that scrolls sideways where the window is narrow."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{title}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
