"""Whether a validation meets criteria that were fixed before it, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Criteria:
    """What a calibration must do on people whom it has not seen; a TOML file may say otherwise.

    Attributes:
        cllr: Highest Cllr of the picture alone at normal, poor, bad and very bad, in this order.
        cllr_cal: Highest Cllr − Cllr_min of any cell.
        devpav: Highest devPAV of any cell.
        search_ece: Highest expected calibration error of simulated searches.
        overconfidence: By how much no bin of 100 searches or more may be overconfident.
        crowdedness: Highest FMR of the most crowded tenth over the median's.
        three_lines: What three lines about another photo must take off the picture's Cllr at bad and very bad, lower
            end of its interval.
        wrong_words: By how much another person's words may raise the picture's Cllr.
        typicality: The share of persons missed that the cohort must save at FPIR .01, lower end of its interval.
        fpir_low: A threshold's false alarms, in what was asked for, at least.
        fpir_high: And at most.
    """

    cllr: tuple[float, ...] = (0.10, 0.13, 0.18, 0.30)
    cllr_cal: float = 0.01
    devpav: float = 0.25
    search_ece: float = 0.04
    overconfidence: float = 0.05
    crowdedness: float = 2.0
    three_lines: float = 0.0
    wrong_words: float = 0.03
    typicality: float = 0.0
    fpir_low: float = 0.3
    fpir_high: float = 3.0


@dataclass(frozen=True)
class Criterion:
    """One criterion and what was found.

    Attributes:
        what: In words.
        asked: The limit.
        found: The worst value, or None where nothing could be measured.
        where: Mode and level of it.
        met: Whether it holds everywhere; None where nothing could be measured.
    """

    what: str
    asked: str
    found: float | None
    where: str
    met: bool | None


FPIR = 0.01
LEVELS = ("normal", "poor", "bad", "very_bad")


def verdict(tree: Mapping[str, Any], criteria: Criteria) -> list[Criterion]:
    """Holds the records of a `validation.json` against criteria.

    Args:
        tree: Its content.
        criteria: Fixed beforehand.
    """
    cells, out = tree["cells"], []
    for level, limit in zip(LEVELS, criteria.cllr, strict=False):
        own = [cell for cell in cells if cell["level"] == level and cell["mode"] == "image"]
        out.append(_highest(f"Cllr of the picture alone, {level.replace('_', ' ')}", limit, own, "cllr"))
    out.append(_highest("Cllr − Cllr_min", criteria.cllr_cal, cells, "cllr_cal"))
    out.append(_highest("devPAV", criteria.devpav, cells, "devpav"))
    out.append(_misleading(cells))
    searches = tree["search"]
    out.append(_highest("error of a first candidate's posterior", criteria.search_ece, searches, "ece"))
    what = "overconfidence of any bin of 100 searches"
    out.append(_highest(what, criteria.overconfidence, searches, "worst_overconfidence"))
    what = "false matches of the most crowded tenth of records, in those of the median tenth"
    out.append(_highest(what, criteria.crowdedness, tree["crowdedness"], "ratio"))
    told = [row for row in tree["words"] if row["words"] == "cross" and row["mode"] == "fused-3"]
    told = [row for row in told if row["level"] in ("bad", "very_bad")]
    what = "Cllr that three lines take off the picture's at bad and very bad, lower end"
    out.append(_highest(what, criteria.three_lines, told, "saved_low", least=True))
    harm = [{**row, "harm": row["cllr"] - row["cllr_image"]} for row in tree["words"] if row["words"] == "wrong"]
    out.append(_highest("Cllr that another person's words add to the picture's", criteria.wrong_words, harm, "harm"))
    saved = [row for row in tree["typicality"] if row["fpir"] == FPIR]
    what = "persons missed at a FPIR of .01 that typicality saves, lower end"
    out.append(_highest(what, criteria.typicality, saved, "saved_low", least=True))
    rows = [
        {**row, "share": row["fpir_seen"] / row["fpir_asked"]}
        for row in tree["thresholds"]
        if row["fpir_seen"] is not None
    ]
    out.append(_highest("false alarms, in those asked for", criteria.fpir_high, rows, "share"))
    out.append(_highest("false alarms, in those asked for", criteria.fpir_low, rows, "share", least=True))
    return out


def _highest(
    what: str, limit: float, rows: Sequence[Mapping[str, Any]], name: str, *, least: bool = False
) -> Criterion:
    asked = f"{'at least' if least else 'at most'} {limit:g}"
    measured = [row for row in rows if row[name] is not None]
    if not measured:
        return Criterion(what, asked, None, "", None)
    worst = (min if least else max)(measured, key=lambda row: float(row[name]))
    value = float(worst[name])
    return Criterion(what, asked, value, _where(worst), value >= limit if least else value <= limit)


def _misleading(cells: Sequence[Mapping[str, Any]]) -> Criterion:
    """P(LR > k | stranger) ≤ 1/k: the highest k·P."""
    rows = [
        {**cell, "times": rate["lr"] * rate["stranger_above"]}
        for cell in cells
        for rate in cell["misleading"]
        if rate["lr"] > 1
    ]
    return _highest("strangers with an LR above k, in the 1/k that theory allows", 1.0, rows, "times")


def _where(row: Mapping[str, Any]) -> str:
    count = row.get("lines")
    lines = f" with {count} line{'s' if count > 1 else ''}" if count else ""
    people = f", {row['people']} people" if "ece" in row or "fpir_asked" in row else ""
    return f"{row['mode']}{lines}, {row['level'].replace('_', ' ')}{people}"
