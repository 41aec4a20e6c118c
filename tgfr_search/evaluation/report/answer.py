"""The top of the report page: the answer, level by level, and what is odd about the data."""

from __future__ import annotations

import math
from html import escape

from tgfr_search.evaluation.report.palette import colour
from tgfr_search.evaluation.report.reading import (
    FTE,
    TOLD_APART,
    Metric,
    Record,
    Report,
    Series,
    listing,
    percent,
    points,
    spoken,
)
from tgfr_search.evaluation.report.tables import swatch
from tgfr_search.evaluation.report.words import REGIMES

EXPLAINED = {
    "Rank-1": "Rank-1: share of searches whose first candidate is the right person.",
    "EER": "EER: the error rate at the threshold where false accepts and false rejects are equally frequent.",
}


def answer(report: Report) -> str:
    """The answer in sentences, then one card a level: rates with intervals, and whether they can be told apart."""
    metric = report.answer_metric
    sentences = "".join(f'<p class="verdict">{escape(sentence)}</p>' for sentence in report.answers())
    upper = _upper(report, metric)
    cards = "".join(_level(report, metric, level, upper) for level in report.levels)
    better = "higher is better" if metric.higher_is_better else "lower is better"
    return (
        f'<section id="answer">{sentences}<p class="soft">{EXPLAINED[metric.label]} {better.capitalize()}. Bars and '
        f"brackets are 95 % intervals over subjects; better and worse mean that the interval of the paired difference "
        f'excludes zero.</p><div class="levels">{cards}</div></section>'
    )


def _shown(report: Report) -> list[Series]:
    return [report.main, *report.baselines]


def _upper(report: Report, metric: Metric) -> float:
    """Right end of the strips: the largest limit, rounded up to tenths."""
    found = (report.get(series, level, metric) for series in _shown(report) for level in report.levels)
    highest = max((r["high"] or r["value"] for r in found if r is not None and r["value"] is not None), default=1.0)
    return max(0.1, math.ceil(10 * highest) / 10)


def _level(report: Report, metric: Metric, level: str, upper: float) -> str:
    side = (report.tree["ladder"].get(level) or {}).get("side")
    size = f"face crop of {side} × {side} px" if side else "faces as they are"
    rows = "".join(_row(report, metric, series, report.get(series, level, metric), upper) for series in _shown(report))
    axis = f'<span></span><div class="axis"><span>0</span><span>{percent(upper)} %</span></div><span></span>'
    pills = "".join(
        _pill(metric, report.get(report.main, level, metric, minus=name), name) for name, _ in report.baselines
    )
    fte = report.get(("frozen", "none"), level, FTE)
    lost = ""
    if fte is not None and fte["value"] is not None:
        lost = (
            f'<div class="fte">{percent(fte["value"])} % of the photos give no face at all once the whole photo is '
            f"this poor ({percent(fte['low'])}–{percent(fte['high'])}); they are not in the figures above.</div>"
        )
    return (
        f'<article class="level"><h3>{spoken(level)}<small>{size}</small></h3><div class="bars">{rows}{axis}</div>'
        f'<div class="pills">{pills}</div>{lost}</article>'
    )


def _row(report: Report, metric: Metric, series: Series, record: Record | None, upper: float) -> str:
    name = f"{swatch(report, series[0])}{escape(series[0])}"
    head = f"<b>{name}</b>" if series == report.main else f"<span>{name}</span>"
    if record is None or record["value"] is None:
        return (
            f'{head}<small>{escape(record["reason"] if record else "not measured")}</small><span class="value">–</span>'
        )
    shade = colour(series[0], report.systems)
    low, high = record["low"], record["high"]
    band, limits = "", ""
    if low is not None:
        left, width = 100 * low / upper, 100 * (high - low) / upper
        band = f'<i style="left:{left:.2f}%;width:{width:.2f}%;background:{shade}"></i>'
        limits = f" <small>({percent(low)}–{percent(high)})</small>"
    dot = f'<u style="left:{100 * record["value"] / upper:.2f}%;background:{shade}"></u>'
    shown = f"{percent(record['value'])} %{limits}"
    what = escape(f"{series[0]}: {metric.label} {percent(record['value'])} %")
    return f'{head}<div class="strip" title="{what}">{band}{dot}</div><span class="value">{shown}</span>'


def _pill(metric: Metric, record: Record | None, baseline: str) -> str:
    verdict = metric.verdict(record)
    if record is None or not verdict:
        reason = record["reason"] if record is not None else "not measured"
        return f'<div class="pill same">against {baseline}: <span>{escape(reason or "no interval")}</span></div>'
    word = f"{verdict} from {baseline}" if verdict == TOLD_APART else f"{verdict} than {baseline}"
    marks = {"better": "▲", "worse": "▼", TOLD_APART: "≈"}
    style = verdict if verdict != TOLD_APART else "same"
    return (
        f'<div class="pill {style}">{marks[verdict]} {word}<br><span>{points(record["value"])} points '
        f"<small>({points(record['low'])} to {points(record['high'])})</small></span></div>"
    )


def facts(report: Report) -> str:
    """One line: how much was measured, and in which condition."""
    data, options, counts = report.tree["data"], report.tree["options"], report.counts()
    gallery = (
        "templates at full quality" if options["condition"] == "clean-gallery" else "templates as poor as the probes"
    )
    parts = [
        f"{data['images']:,} images of {data['subjects']:,} subjects",
        f"{counts.get('n_genuine') or 0:,} genuine and {counts.get('n_impostor') or 0:,} impostor pairs",
        f"{counts.get('n_probes') or 0:,} searches in a gallery of {counts.get('n_gallery') or 0:,}",
        gallery,
        f"said of a probe: {REGIMES.get(report.main[1], report.main[1])}",
    ]
    return f'<p class="facts">{" · ".join(escape(part) for part in parts)}</p>'


def warnings(report: Report) -> str:
    """What is odd about the data: told at once, the long tail of it folded."""
    data = report.tree["data"]
    told: list[str] = [*data["warnings"]]
    if data["not_detected"]:
        lost = listing([f"{count:,} × {reason}" for reason, count in sorted(data["not_detected"].items())])
        told.append(f"photos without a usable face: {lost}; they count as failures to enrol and in no other figure")
    doubtful = report.tree["suspects"]
    if doubtful["pairs"]:
        few = listing([f"{a} / {b} ({count})" for a, b, count in doubtful["subjects"][:3]])
        told.append(
            f"{doubtful['pairs']:,} impostor pairs look more alike to the face encoder than half of all genuine pairs: "
            f"doubtful labels decide the figures at the lowest FAR and FPIR. Most are of the subjects {few}"
        )
    if not told:
        return ""
    first = "".join(f"<li>{escape(text)}</li>" for text in told[:5])
    rest = "".join(f"<li>{escape(text)}</li>" for text in told[5:])
    more = f"<details><summary>{len(told) - 5} more</summary><ul>{rest}</ul></details>" if rest else ""
    return f'<section id="data"><h2>About these data</h2><ul>{first}</ul>{more}</section>'
