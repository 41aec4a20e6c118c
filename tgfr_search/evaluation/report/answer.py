"""The top of the report page: the answer, level by level, and what is odd about the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tgfr_search.evaluation.report.palette import colour
from tgfr_search.evaluation.report.reading import (
    BETTER,
    FTE,
    TOLD_APART,
    WORSE,
    Metric,
    Record,
    Report,
    Series,
    listing,
    percent,
    points,
    spoken,
)
from tgfr_search.evaluation.report.words import REGIMES

EXPLAINED = {
    "Rank-1": "Rank-1: share of searches whose first candidate is the right person.",
    "EER": "EER: the error rate at the threshold where false accepts and false rejects are equally frequent.",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One system's rate on a strip; places and widths are in per cent of it.

    Attributes:
        name: The system.
        shade: Its colour.
        main: Whether it is the one that the report is about.
        shown: The rate, or a dash.
        limits: Its interval.
        reason: Why there is no rate.
        at: Place of the rate.
        left: Where the interval begins.
        width: How wide it is; 0 is none.
        title: What a pointer that rests on it is told.
    """

    name: str
    shade: str
    main: bool
    shown: str = "–"
    limits: str = ""
    reason: str = ""
    at: float = 0.0
    left: float = 0.0
    width: float = 0.0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Pill:
    """What a paired difference from one baseline shows."""

    style: str
    told: str
    detail: str
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of quality: the rates of the systems, how they differ, and which photos were lost before."""

    name: str
    size: str
    bars: list[Bar]
    pills: list[Pill]
    lost: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer in sentences, and one card a level; `upper` is the right end of the strips."""

    sentences: list[str]
    explained: str
    levels: list[Level]
    upper: str


def answer(report: Report) -> Answer:
    """The answer in sentences, then one card a level: rates with intervals, and whether they can be told apart."""
    metric = report.answer_metric
    upper = _upper(report, metric)
    better = "Higher is better" if metric.higher_is_better else "Lower is better"
    levels = [_level(report, metric, level, upper) for level in report.levels]
    return Answer(list(report.answers()), f"{EXPLAINED[metric.label]} {better}.", levels, percent(upper))


def _shown(report: Report) -> list[Series]:
    return [report.main, *report.baselines]


def _upper(report: Report, metric: Metric) -> float:
    """Right end of the strips: the largest limit, rounded up to tenths."""
    found = (report.get(series, level, metric) for series in _shown(report) for level in report.levels)
    highest = max((r["high"] or r["value"] for r in found if r is not None and r["value"] is not None), default=1.0)
    return max(0.1, math.ceil(10 * highest) / 10)


def _level(report: Report, metric: Metric, level: str, upper: float) -> Level:
    side = (report.tree["ladder"].get(level) or {}).get("side")
    bars = [_bar(report, metric, series, report.get(series, level, metric), upper) for series in _shown(report)]
    pills = [_pill(metric, report.get(report.main, level, metric, minus=name), name) for name, _ in report.baselines]
    fte = report.get(("frozen", "none"), level, FTE)
    lost = ""
    if fte is not None and fte["value"] is not None:
        lost = (
            f"{percent(fte['value'])} % of the photos give no face at all once the whole photo is this poor "
            f"({percent(fte['low'])}–{percent(fte['high'])}); they are not in the figures above."
        )
    size = f"face crop of {side} × {side} px" if side else "faces as they are"
    return Level(spoken(level), size, bars, pills, lost)


def _bar(report: Report, metric: Metric, series: Series, record: Record | None, upper: float) -> Bar:
    shade, main = colour(series[0], report.systems), series == report.main
    if record is None or record["value"] is None:
        return Bar(series[0], shade, main, reason=record["reason"] if record else "not measured")
    value, low, high = record["value"], record["low"], record["high"]
    left, width, limits = 0.0, 0.0, ""
    if low is not None:
        left, width = 100 * low / upper, 100 * (high - low) / upper
        limits = f"({percent(low)}–{percent(high)})"
    title = f"{series[0]}: {metric.label} {percent(value)} %"
    return Bar(series[0], shade, main, f"{percent(value)} %", limits, "", 100 * value / upper, left, width, title)


def _pill(metric: Metric, record: Record | None, baseline: str) -> Pill:
    verdict = metric.verdict(record)
    if record is None or not verdict:
        reason = record["reason"] if record is not None else "not measured"
        return Pill("same", f"against {baseline}:", reason or "no interval")
    limits = f"({points(record['low'])} to {points(record['high'])})"
    told = {BETTER: f"▲ {BETTER} than {baseline}", WORSE: f"▼ {WORSE} than {baseline}"}
    style = verdict if verdict != TOLD_APART else "same"
    return Pill(style, told.get(verdict, f"≈ {verdict} from {baseline}"), f"{points(record['value'])} points", limits)


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
    return " · ".join(parts)


def warnings(report: Report) -> list[str]:
    """What is odd about the data, the most important first."""
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
    return told
