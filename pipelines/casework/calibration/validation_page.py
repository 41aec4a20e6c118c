"""The page of a validation: verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tgfr_search.pages import render

LEFT, TOP, WIDTH, HEIGHT = 20, 10, 300, 170
"""Of a plot, in the units of its drawing."""

ECE_TOP = 1.0


def page(tree: Mapping[str, Any]) -> str:
    """HTML of what `validate` measured.

    Args:
        tree: Content of `validation.json`.
    """
    met, failed, unknown = (sum(each["met"] is value for each in tree["verdict"]) for value in (True, False, None))
    plots = _plots(tree["curves"])
    return render("validation.html", tree=tree, met=met, failed=failed, unknown=unknown, plots=plots)


def _plots(curves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    out = []
    for own in curves:
        name = f"{own['mode']}, {own['level'].replace('_', ' ')}"
        shares, costs = own["tippett"], own["ece"]
        low, high = -3.0, 3.0
        out.append(_plot(f"Tippett: {name}", shares["log10"], [shares["genuine"], shares["impostor"]], low, high, 1.0))
        lines = [costs["system"], costs["calibrated"], costs["neutral"]]
        out.append(_plot(f"ECE: {name}", costs["prior"], lines, low, high, ECE_TOP))
    return out


def _plot(
    title: str, at: Sequence[float], lines: Sequence[Sequence[float]], low: float, high: float, top: float
) -> dict[str, Any]:
    inside = [place for place, x in enumerate(at) if low <= x <= high]
    scale = WIDTH / (high - low)
    curves = [
        " ".join(
            f"{LEFT + (at[i] - low) * scale:.1f},{TOP + HEIGHT * (1 - min(line[i], top) / top):.1f}" for i in inside
        )
        for line in lines
    ]
    ticks = [(round(LEFT + (x - low) * scale), f"{x:+d}" if x else "0") for x in range(int(low), int(high) + 1)]
    return {"title": title, "curves": curves, "ticks": ticks, "top": f"{top:g}"}
