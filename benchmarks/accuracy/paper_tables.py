"""The paper's tables, measured by docs/protocol.md.

    python -m benchmarks.accuracy.paper_tables [--shared ../shared] [--runs runs] [--cache runs/features]
        [--tables NAME ...]

`mmceleba` and `face2text` are its Tables 2 and 5 on a test split each (`mmceleba-both` in the paper's own condition),
`ablation` is Table 3, `text-encoders` Table 4.
Systems are the shipped ones and those that were trained to RUNS/<name>/model
(`tgfr-search train --config configs/…/<name>.toml --out RUNS/<name>`); a table names those that are missing. Writes
`benchmarks/results/<table>.json` (records as in a report.json, without curves) and `<table>.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.accuracy.carried import carried
from benchmarks.results import RESULTS, read_result, write_result
from pipelines.measure.benchmark import run_benchmark
from pipelines.measure.data import BenchOptions
from pipelines.measure.entries import DEGRADED
from pipelines.measure.systems import load_systems, shipped_systems
from tgfr_search.app.cli.console import stages
from tgfr_search.evaluation.report.reading import EER, FNIRS, RANKS, TARS, Metric, Report, Series, percent, points

MMCELEBA, FACE2TEXT = "data/mmceleba_hq.parquet", "data/face2text.parquet"


class Table(NamedTuple):
    """One table: what is measured on, which systems, in which caption regimes, and which side is degraded."""

    data: str
    systems: tuple[str, ...]
    regimes: tuple[str, ...]
    condition: str = "clean-gallery"
    note: str = ""


SYSTEMS = ("frozen", "control", "caption", "bilstm-flf", "bert-flf", "cgfr", "tgfr", "default")
REGIMES = ("own", "own3", "paper", "cross", "wrong", "constant", "none")
"""Those of docs/protocol.md 7; `cross3` and `wrong3` are for likelihood ratios, which `validate` measures."""

TABLES = {
    "mmceleba": Table(MMCELEBA, SYSTEMS, REGIMES),
    "mmceleba-both": Table(
        MMCELEBA,
        ("frozen", "cgfr", "tgfr", "default"),
        ("own",),
        "both",
        "Both images are degraded, as in the paper.",
    ),
    "face2text": Table(
        FACE2TEXT,
        SYSTEMS,
        REGIMES,
        note="Trained on MM-CelebA-HQ: captions of another kind. Only the default's step 3 read descriptions of "
        "Face2Text, those of its train split: other people.",
    ),
    "ablation": Table(
        MMCELEBA, ("frozen", "identity", "identity-cicl", "identity-wrcl", "identity-imcl", "tgfr"), ("own",)
    ),
    "text-encoders": Table(MMCELEBA, ("frozen", "tgfr-bilstm", "tgfr-minilm-frozen", "tgfr"), ("own",)),
}
COLUMNS = (EER, *TARS, *RANKS[:1], FNIRS[1])
REPORT = ("protocol", "options", "seconds", "interval", "data", "ladder", "absent_captions", "shared_lines", "systems")
"""What a result file keeps of a report besides its records."""


def available(names: Sequence[str], runs: Path) -> tuple[list[str], list[str]]:
    """Those of the systems that can be measured, as `load_systems` takes them, and those that are not trained."""
    shipped = shipped_systems()
    found = {name: name for name in names if name in shipped}
    for name in names:
        if (runs / name / "model/config.json").is_file() and name not in found:
            found[name] = f"{name}={runs / name / 'model'}"
    return [found[name] for name in names if name in found], [name for name in names if name not in found]


def markdown(report: Report, title: str, note: str, missing: Sequence[str]) -> str:
    """The tables as Markdown: every system by level, then the main system by caption regime."""
    data = report.tree["data"]
    counts = report.counts()
    lines = [
        f"# {title}",
        "",
        f"{data['images']:,} images of {data['subjects']:,} people; {counts['n_genuine']:,} genuine and "
        f"{counts['n_impostor']:,} impostor pairs. Rates in per cent with 95 % intervals (bootstrap over subjects); "
        f"{report.tree['options']['condition']}; ▲ better, ▼ worse than `frozen` (the paired difference's "
        "interval excludes zero). A score orders candidates; it is not a probability.",
        "",
    ]
    if note:
        lines += [note, ""]
    if missing:
        lines += [f"Not measured here, for want of a trained checkpoint: {', '.join(missing)}.", ""]
    lines += ["## Systems", "", *_table(report, report.headline)]
    lines += ["", "## Mean of the degraded levels", "", *_table(report, report.headline, [DEGRADED])]
    by_regime = [(name, captions) for name, captions in report.measured if name == report.main[0]]
    if len(by_regime) > 1:
        lines += ["", f"## `{report.main[0]}` by what the witness says", "", *_table(report, by_regime)]
    for baseline, _ in report.baselines:
        lines += ["", f"## `{report.main[0]}` − `{baseline}`, paired, in percentage points", ""]
        lines += list(_differences(report, by_regime, baseline))
    return "\n".join(lines) + "\n"


def _table(report: Report, series: Sequence[Series], levels: Sequence[str] = ()) -> Iterator[str]:
    yield f"| level | system | captions | {' | '.join(metric.label for metric in COLUMNS)} |"
    yield "|---" * (3 + len(COLUMNS)) + "|"
    for level in levels or report.levels:
        for one in series:
            yield f"| {level} | {' | '.join(one)} | {' | '.join(_cell(report, one, level, m) for m in COLUMNS)} |"


def _cell(report: Report, series: Series, level: str, metric: Metric) -> str:
    record = report.get(series, level, metric)
    if record is None or record["value"] is None:
        return "–"
    mark = {"better": " ▲", "worse": " ▼"}.get(metric.verdict(report.get(series, level, metric, minus="frozen")), "")
    return f"{percent(record['value'])} ({percent(record['low'])}–{percent(record['high'])}){mark}"


def _differences(report: Report, series: Sequence[Series], baseline: str) -> Iterator[str]:
    yield f"| level | captions | {' | '.join(metric.label for metric in COLUMNS)} |"
    yield "|---" * (2 + len(COLUMNS)) + "|"
    for level in (*report.levels, DEGRADED):
        for one in series:
            cells = []
            for metric in COLUMNS:
                found = report.get(one, level, metric, minus=baseline)
                if found is None or found["value"] is None:
                    cells.append("–")
                else:
                    cells.append(f"{points(found['value'])} ({points(found['low'])} to {points(found['high'])})")
            yield f"| {level} | {one[1]} | {' | '.join(cells)} |"


def _when(name: str, known: dict[str, Any]) -> str:
    return f"`{name}` ({known['model_id']}) was measured earlier, {known['measured']['created'][:10]}."


def kept(tree: dict[str, Any]) -> dict[str, Any]:
    """What a result file keeps: no curves, no examples, no breakdown by group."""
    return {
        **{name: tree[name] for name in REPORT},
        "results": [record for record in tree["results"] if record["group"] is None],
    }


def main() -> None:
    """Measures every table that has a trained system of its own and writes its files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--split", default="test")
    arguments = parser.parse_args()
    for name in arguments.tables:
        table = TABLES[name]
        names, missing = available(table.systems, arguments.runs)
        if names == ["frozen"]:
            print(f"{name}: none of {', '.join(missing)} is trained")
            continue
        options = BenchOptions(
            probes=arguments.shared / table.data,
            split=arguments.split,
            regimes=table.regimes,
            condition=table.condition,
            enrolment=table.condition == "clean-gallery",
        )
        systems = load_systems(names)
        with stages() as progress:
            folder = arguments.runs / f"bench-{name}"
            tree = dict[str, Any](run_benchmark(options, systems, folder, arguments.cache, progress=progress))
        result = kept(tree)
        older = carried(read_result(name), result, missing)
        missing = [one for one in missing if one not in older.systems]
        result["results"] += older.results
        result["systems"] |= older.systems
        print(write_result(name, {"not_trained": missing, **result}))
        rows = {(r["system"], r["captions"]): r["level"] for r in older.results}
        shown = [{"system": system, "captions": captions, "level": level} for (system, captions), level in rows.items()]
        tree = {**tree, "results": result["results"], "curves": [*tree["curves"], *shown]}
        title = f"{name}: {Path(table.data).stem}, {arguments.split}"
        notes = [table.note, *(_when(one, known) for one, known in older.systems.items())]
        page = markdown(Report(tree), title, " ".join(filter(None, notes)), missing)
        (RESULTS / f"{name}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
