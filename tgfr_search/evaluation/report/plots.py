"""Plots of a report: each is a few panels, drawn as one picture for a paper and panel by panel for the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgfr_search.evaluation.report.palette import (
    COLOURS,
    DASHES,
    GENUINE,
    IMPOSTOR,
    INK,
    MARKERS,
    PANEL,
    PAPER_INK,
    REGIME_COLOURS,
    colour,
    label,
    style,
)
from tgfr_search.evaluation.report.reading import EER, FNIRS, FTE, RANKS, TARS, Metric, Report, Series, spoken

LADDER = (RANKS[0], TARS[-1], EER, FNIRS[-1])
DET_TICKS = (1e-5, 1e-3, 1e-2, 0.05, 0.2, 0.5, 0.8, 0.95)

Draw = Callable[[Axes], None]
Key = tuple[str, str]
"""(what it means, colour)."""


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: Above it.
        draw: Draws on the axes.
    """

    title: str
    draw: Draw


@dataclass(frozen=True)
class Plot:
    """Panels that belong together.

    Attributes:
        name: File name without its ending.
        panels: In reading order.
        keys: What the colours mean.
    """

    name: str
    panels: Sequence[Panel]
    keys: Sequence[Key]


def plots(report: Report) -> Iterator[Plot]:
    """Every plot that the report has points for."""
    series, levels = report.headline, report.levels
    keys = [(label(one), colour(one[0], report.systems)) for one in series]
    yield from _ladder("ladder", report, series, keys, LADDER)
    for name, needed, draw in (("cmc", "cmc", _cmc), ("roc", "far", _roc), ("det", "far", _det)):
        panels = []
        for level in levels:
            curves = [curve if needed in (curve := report.curve(one, level)) else {} for one in series]
            if any(curves):
                panels.append(Panel(spoken(level), _curves(curves, keys, draw)))
        if panels:
            yield Plot(name, panels, keys)
    for one in series:
        panels = [
            Panel(f"{label(one)}, {spoken(level)}", _histogram(curve))
            for level in levels
            if "bins" in (curve := report.curve(one, level))
        ]
        if panels:
            yield Plot(f"scores-{_safe(one[0])}", panels, [("genuine", GENUINE), ("impostor", IMPOSTOR)])
    yield from _tippett(report)
    by_words = [one for one in report.measured if one[0] == report.main[0]]
    if len(by_words) > 1:
        keys = [(regime, REGIME_COLOURS.get(regime, INK)) for _, regime in by_words]
        yield from _ladder("captions", report, by_words, keys, LADDER)
    yield from _ladder("enrolment", report, [("frozen", "none")], [("all photos", COLOURS["frozen"])], (FTE,))


def save(plot: Plot, folder: Path) -> list[Path]:
    """Writes a plot as PNG and SVG, for a paper or a slide: dark on white, with its legend.

    Args:
        plot: From `plots`.
        folder: Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context(style(PAPER_INK)):
        figure = Figure(figsize=(PANEL[0] * len(plot.panels), PANEL[1] + 0.3), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(plot.panels), squeeze=False)[0], plot.panels, strict=True):
            panel.draw(axes)
            axes.set_title(panel.title)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        if len(handles) > 1:
            figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(handles)))
        paths = [folder / f"{plot.name}.png", folder / f"{plot.name}.svg"]
        figure.savefig(paths[0], dpi=160)
        figure.savefig(paths[1], metadata={"Date": None})
    return paths


def inline(panel: Panel) -> str:
    """A panel as SVG for the page: without background, text and axes in the page's own colour."""
    with rc_context(style(INK)):
        figure = Figure(figsize=PANEL, layout="constrained")
        panel.draw(figure.subplots())
        buffer = StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(panel.title)}"', 1)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)


def _ladder(
    name: str, report: Report, series: Sequence[Series], keys: Sequence[Key], metrics: Sequence[Metric]
) -> Iterator[Plot]:
    """Figures with their intervals over the quality ladder."""
    panels = []
    for metric in metrics:
        found = [[report.get(one, level, metric) for level in report.levels] for one in series]
        points = [
            [(x, r["value"], r["low"], r["high"]) for x, r in enumerate(own) if r is not None and r["low"] is not None]
            for own in found
        ]
        if any(points):
            panels.append(Panel(metric.label, _over_levels(report.levels, points, keys, metric)))
    if panels:
        yield Plot(name, panels, keys)


def _over_levels(
    levels: Sequence[str], points: Sequence[Sequence[tuple[float, ...]]], keys: Sequence[Key], metric: Metric
) -> Draw:
    def draw(axes: Axes) -> None:
        step = min(0.12, 0.6 / len(points))
        for at, (own, (name, shade)) in enumerate(zip(points, keys, strict=True)):
            if not own:
                continue
            x, value, low, high = np.array(own).T
            reach = 100 * np.maximum(0, [value - low, high - value])  # a limit may lie a rounding beyond the value
            axes.errorbar(
                x + (at - (len(points) - 1) / 2) * step, 100 * value, reach, color=shade, label=name, capsize=2.5,
                marker=MARKERS[at % len(MARKERS)], markersize=4, elinewidth=1.2, linewidth=1.2,
            )  # fmt: skip
        axes.set_xticks(range(len(levels)), [spoken(level) for level in levels])
        axes.set_xlim(-0.5, len(levels) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(f"{metric.label}, %")

    return draw


def _curves(
    curves: Sequence[dict[str, Any]], keys: Sequence[Key], draw_one: Callable[[Axes, dict[str, Any], Any], None]
) -> Draw:
    def draw(axes: Axes) -> None:
        for at, (curve, (name, shade)) in enumerate(zip(curves, keys, strict=True)):
            if curve:
                draw_one(axes, curve, {"color": shade, "label": name, "linestyle": DASHES[at % len(DASHES)]})

    return draw


def _cmc(axes: Axes, curve: dict[str, Any], line: Any) -> None:
    axes.plot(np.arange(1, len(curve["cmc"]) + 1), 100 * np.array(curve["cmc"]), **line)
    axes.set_xlabel("rank")
    axes.set_ylabel("found, %")
    axes.set_ylim(0, 100)


def _roc(axes: Axes, curve: dict[str, Any], line: Any) -> None:
    axes.plot(100 * np.array(curve["far"]), 100 * np.array(curve["tar"]), **line)
    axes.set_xscale("log")
    axes.set_xlabel("false accept rate, %")
    axes.set_ylabel("true accept rate, %")
    axes.set_ylim(0, 100)


def _det(axes: Axes, curve: dict[str, Any], line: Any) -> None:
    """Both error rates on normal deviate scales, where scores that are normally distributed give a straight line."""
    deviate = np.vectorize(NormalDist().inv_cdf, otypes=[float])
    far, frr = np.array(curve["far"]), 1 - np.array(curve["tar"])
    inside = (far > 0) & (far < 1) & (frr > 0) & (frr < 1)
    axes.plot(deviate(far[inside]), deviate(frr[inside]), **line)
    for axis, what in ((axes.xaxis, "false accept"), (axes.yaxis, "false reject")):
        axis.set_ticks(deviate(DET_TICKS), [f"{100 * tick:g}" for tick in DET_TICKS])
        axis.set_label_text(f"{what} rate, %")
    axes.set_xlim(deviate(0.5e-5), deviate(0.6))
    axes.set_ylim(deviate(0.5e-3), deviate(0.97))


def _tippett(report: Report) -> Iterator[Plot]:
    """Shares of pairs with a likelihood ratio above each value, where those were measured."""
    curves = (report.tree.get("evidence") or {}).get("curves", ())
    panels = [Panel(f"{own['mode']}, {spoken(own['level'])}", _shares(own["tippett"])) for own in curves]
    if panels:
        yield Plot("tippett", panels, [("genuine", GENUINE), ("impostor", IMPOSTOR)])


def _shares(curve: dict[str, list[float]]) -> Draw:
    def draw(axes: Axes) -> None:
        for name, shade in (("genuine", GENUINE), ("impostor", IMPOSTOR)):
            axes.plot(curve["log10"], 100 * np.array(curve[name]), color=shade, label=name)
        axes.set_xlabel("log10 LR above")
        axes.set_ylabel("pairs, %")
        axes.set_ylim(0, 100)

    return draw


def _histogram(curve: dict[str, Any]) -> Draw:
    def draw(axes: Axes) -> None:
        for name, shade in (("impostor", IMPOSTOR), ("genuine", GENUINE)):
            axes.stairs(curve[name], curve["bins"], color=shade, fill=True, alpha=0.45, label=name)
            axes.stairs(curve[name], curve["bins"], color=shade, linewidth=1.1)
        axes.set_xlabel("score")
        axes.set_yticks([])
        axes.set_ylabel("density")

    return draw
