"""What a `report.json` says: its figures by name, its verdicts, its answer in plain words. No drawing here.

Everything that is shown of a benchmark is made from the JSON alone, so that a report can be drawn again without data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tgfr_search.errors import InputError

SCHEMA = 1
END_TO_END = "end-to-end"
"""The condition of figures on degraded whole photos."""
PICTURES = "pictures"
"""Folder of the examples' faces, beside the report."""

Record = Mapping[str, Any]
"""One entry of `results`."""

Series = tuple[str, str]
"""(system, caption regime)."""

ABOUT = {
    "default": "the shipped default",
    "frozen": "the frozen face encoder",
    "control": "the image-only control",
    "caption": "the caption alone",
}
"""How a sentence speaks of a system."""

TOLD_APART, BETTER, WORSE = "not told apart", "better", "worse"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of the report.

    Attributes:
        name: As in `results`.
        at: The FAR, rank or FPIR; None for the EER and failure to enrol.
        label: As a column is headed.
        higher_is_better: Whether more is better.
    """

    name: str
    at: float | None
    label: str
    higher_is_better: bool

    def verdict(self, difference: Record | None) -> str:
        """What a paired difference shows; empty where there is none. A zero inside the interval shows nothing."""
        if difference is None or difference["low"] is None:
            return ""
        if difference["low"] <= 0.0 <= difference["high"]:
            return TOLD_APART
        return BETTER if (difference["low"] > 0.0) == self.higher_is_better else WORSE


EER = Metric("eer", None, "EER", False)
TARS = tuple(Metric("tar_at_far", 10.0**-n, f"TAR@FAR 1e-{n}", True) for n in (5, 4, 3))
RANKS = tuple(Metric("rank", rank, f"Rank-{rank}", True) for rank in (1, 5, 10))
FNIRS = tuple(Metric("fnir_at_fpir", fpir, f"FNIR@FPIR {fpir:g}", False) for fpir in (1e-2, 1e-1))
FTE = Metric("fte", None, "Failure to enrol", False)
VERIFICATION, IDENTIFICATION, OPEN_SET = (EER, *TARS), RANKS, FNIRS
HEADLINES = (RANKS[0], EER)
"""What the answer is told in: the first of these that could be measured."""

SUMMARY = (RANKS[0], EER, TARS[-1], FNIRS[-1])


def percent(value: float) -> str:
    """A rate as per cent, two places below one per cent. For rates only: a score is never shown so."""
    return f"{100 * value:.2f}" if 0 < abs(value) < 0.00995 else f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference of rates in percentage points, with its sign."""
    return f"{'−' if value < 0 else '+'}{percent(abs(value))}"


def spoken(level: str) -> str:
    """A level or group as it is read: `very_bad` is very bad."""
    return level.replace("_", " ")


def listing(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@dataclass(frozen=True)
class Report:
    """A benchmark's report.

    Attributes:
        tree: The JSON.
    """

    tree: Mapping[str, Any]

    @staticmethod
    def load(path: Path) -> Report:
        """Reads a `report.json`.

        Raises:
            InputError: It is not there, damaged, or of another schema.
        """
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}", found=str(error), expected="a report.json of `tgfr-search benchmark`"
            ) from error
        if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
            found = f"schema {tree.get('schema')!r}" if isinstance(tree, dict) else "no JSON object"
            raise InputError(f"{path}", found=found, expected=f"schema {SCHEMA}", do="measure again")
        return Report(tree)

    @cached_property
    def _by_key(self) -> dict[tuple[Any, ...], Record]:
        fields = ("system", "captions", "level", "metric", "at", "minus", "group")
        return {
            (record["condition"] == END_TO_END, *(record[name] for name in fields)): record
            for record in self.tree["results"]
        }

    def get(
        self,
        series: Series,
        level: str,
        metric: Metric,
        *,
        minus: str | None = None,
        group: str | None = None,
        whole: bool = False,
    ) -> Record | None:
        """One figure, or None where it was not asked for; of aligned faces, or of degraded whole photos."""
        return self._by_key.get((whole, *series, level, metric.name, metric.at, minus, group))

    @property
    def levels(self) -> list[str]:
        """Quality levels, best first."""
        return list(self.tree["options"]["levels"])

    @property
    def main(self) -> Series:
        """The system, in its caption regime, that the report is about."""
        about = self.tree["about"]
        return about["system"], about["captions"]

    @cached_property
    def measured(self) -> list[Series]:
        """Every system in every regime, in the order of measuring."""
        return list(dict.fromkeys((curve["system"], curve["captions"]) for curve in self.tree["curves"]))

    @cached_property
    def headline(self) -> list[Series]:
        """Every system in one regime: the report's own, or the only one that it has."""
        out: dict[str, Series] = {}
        for system, captions in self.measured:
            if system not in out or captions == self.main[1]:
                out[system] = system, captions
        return list(out.values())

    @property
    def systems(self) -> list[str]:
        """Names of the systems, in the order of measuring."""
        return list(dict.fromkeys(system for system, _ in self.measured))

    def curve(self, series: Series, level: str) -> dict[str, Any]:
        """Points of a system's curves at a level; empty where there are none."""
        keys = ("system", "captions", "level")
        found = (curve for curve in self.tree["curves"] if tuple(curve[key] for key in keys) == (*series, level))
        return next(found, {})

    @property
    def baselines(self) -> list[Series]:
        """The measured systems that the main one is compared with."""
        known: Mapping[str, str] = self.tree["about"]["baselines"]
        return [
            (name, regime) for name, regime in known.items() if (name, regime) in self.measured and name != self.main[0]
        ]

    @cached_property
    def answer_metric(self) -> Metric:
        """The figure that the answer is told in."""
        for metric in HEADLINES:
            if any((self.get(self.main, level, metric) or {}).get("value") is not None for level in self.levels):
                return metric
        return HEADLINES[0]

    def counts(self) -> Record:
        """Counts of the main system's figures, which are the same at every level."""
        found = self.get(self.main, self.levels[0], EER)
        return found if found is not None else {}

    def answers(self) -> list[str]:
        """The answer in plain sentences, one a baseline."""
        metric, name = self.answer_metric, ABOUT.get(self.main[0], self.main[0])
        if not self.baselines:
            return [f"Only {name} was measured: there is nothing to compare it with."]
        out = []
        for baseline in self.baselines:
            by_verdict: dict[str, list[str]] = {}
            for level in self.levels:
                difference = self.get(self.main, level, metric, minus=baseline[0])
                by_verdict.setdefault(metric.verdict(difference), []).append(spoken(level))
            parts = [
                f"{told} at {listing(by_verdict[verdict])} quality"
                for verdict, told in (
                    (BETTER, "better"),
                    (WORSE, "worse"),
                    (TOLD_APART, "not told apart"),
                    ("", "not measured"),
                )
                if verdict in by_verdict
            ]
            out.append(
                f"{name[0].upper()}{name[1:]} against {ABOUT[baseline[0]]}, by {metric.label}: {'; '.join(parts)}."
            )
        return out

    def summary(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of a terminal's table: a row a level and system, rates in per cent with their intervals."""
        metric = self.answer_metric
        columns = ["level", "system", "captions", *(f"{m.label} %" for m in SUMMARY)]
        columns += [f"{metric.label} vs {name}" for name, _ in self.baselines]
        rows = []
        for level in self.levels:
            for series in self.measured:
                row = [level, *series]
                row += [_plain(self.get(series, level, m)) for m in SUMMARY]
                row += [metric.verdict(self.get(series, level, metric, minus=name)) for name, _ in self.baselines]
                rows.append(row)
        return columns, rows


def _plain(record: Record | None) -> str:
    if record is None or record["value"] is None:
        return f"– ({record['reason']})" if record is not None else ""
    if record["low"] is None:
        return percent(record["value"])
    return f"{percent(record['value'])} ({percent(record['low'])}–{percent(record['high'])})"
