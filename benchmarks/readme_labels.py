"""The part of docs/results.md that tells what decided labels change; `benchmarks.readme` puts it in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import read_result
from tgfr_search.data.same_person import counted, read_decisions
from tgfr_search.evaluation.report.reading import FNIRS, RANKS, TARS, Report, Series, percent

ROOT = Path(__file__).resolve().parent.parent
LABELS = ROOT / "configs/labels/mmceleba-test.csv"
SERIES: Series = ("searched", "own")


def decided() -> Iterator[str]:
    """The test split as its labels are and as was decided by looking at its photos."""
    plain, other = read_result("mmceleba"), read_result("mmceleba-decided")
    if plain is None or other is None:
        return
    reports = {"as labelled": Report({**plain, "curves": []}), "as decided": Report({**other, "curves": []})}
    levels = reports["as decided"].levels
    same, others = counted(read_decisions(LABELS))
    lines = [
        f"**Labels that were looked at** (`{LABELS.relative_to(ROOT)}`): {same} pairs of the test split's ids are one "
        f"person each, and {others} of {plain['data']['images']:,} photos are of somebody else than their id says. "
        "Found where the default itself contradicts a label (pairs of ids it finds alike; the 24 ids with the dearest "
        "pairs at normal), decided by eye, what was not plain left as it is: so the audit can only favour the default, "
        "and the figures above stand. `searched` with one line, per cent, and Cllr, as the labels are and as was "
        f"decided. `{other['command']}`; of Cllr "
        f"`{(read_result('validation-decided') or {}).get('command', 'not measured')}`",
        "",
        f"| | labels | {' | '.join(level.replace('_', ' ') for level in levels)} |",
        "|---|---" + "|---" * len(levels) + "|",
    ]
    for metric in (RANKS[0], TARS[-1], FNIRS[0]):
        for name, report in reports.items():
            records = [report.get(SERIES, level, metric) for level in levels]
            cells = [f"{percent(r['value'])} ({percent(r['low'])}–{percent(r['high'])})" if r else "–" for r in records]
            lines.append(f"| {metric.label} | {name} | {' | '.join(cells)} |")
    for name, label in (("validation", "as labelled"), ("validation-decided", "as decided")):
        tree = read_result(name)
        if tree is not None:
            lines.append(f"| Cllr of the picture | {label} | {' | '.join(_cllr(tree, level) for level in levels)} |")
    yield "\n".join(lines)


def _cllr(tree: dict[str, Any], level: str) -> str:
    (cell,) = [one for one in tree["cells"] if (one["level"], one["mode"]) == (level, "image")]
    return f"{cell['cllr']:.3f} ({cell['cllr_low']:.3f}–{cell['cllr_high']:.3f})"
