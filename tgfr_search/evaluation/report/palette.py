"""Colours and lettering of a report's plots, the same on the page and in the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tgfr_search.evaluation.report.reading import Series

COLOURS = {
    "frozen": "#8b8f98",
    "control": "#0d9488",
    "caption": "#d97706",
    "default": "#3b82f6",
    "tgfr": "#a855f7",
    "cgfr": "#16a34a",
    "bilstm-flf": "#db2777",
    "bert-flf": "#b45309",
}
"""Of the systems of the paper; each can be told on white and on black."""

SPARE = ("#06b6d4", "#84cc16", "#ef4444", "#6366f1")
REGIME_COLOURS = {
    "own": "#3b82f6",
    "own3": "#a855f7",
    "paper": "#06b6d4",
    "cross": "#16a34a",
    "cross2": "#65a30d",
    "cross3": "#0d9488",
    "wrong": "#ef4444",
    "wrong2": "#db2777",
    "wrong3": "#b45309",
    "constant": "#d97706",
    "none": "#8b8f98",
}
GENUINE, IMPOSTOR = "#2a9d8f", "#d1495b"
MARKERS = "osD^vP*X"
DASHES = ("-", "--", "-.", ":")
INK, PAPER_INK = "#012345", "#1f2328"
"""Text and axes: a colour that nothing else has, so that the page can put its own in its place; and a picture's."""

PANEL = (3.3, 2.7)
"""Inches."""


def style(ink: str) -> Any:
    """Settings of matplotlib with text and axes in one colour."""
    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color")
    return {
        **dict.fromkeys((*inked, "axes.titlecolor"), ink),
        "svg.fonttype": "none",
        "svg.hashsalt": "tgfr-search",  # the same report gives the same bytes
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.6,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "legend.frameon": False,
    }


def colour(system: str, every: Sequence[str]) -> str:
    """The colour of a system, the same in every plot of a report.

    Args:
        system: Its name.
        every: All systems of the report, in its order.
    """
    unknown = [name for name in every if name not in COLOURS]
    return COLOURS[system] if system in COLOURS else SPARE[unknown.index(system) % len(SPARE)]


def label(series: Series) -> str:
    """A system with its caption regime, where it has a choice of those."""
    return series[0] if series[1] in ("none", "constant") else f"{series[0]} · {series[1]}"
