"""The paper's tables, measured by docs/protocol.md.

    python -m benchmarks.accuracy.paper_tables [--shared ../shared] [--runs runs] [--cache runs/features]
        [--tables NAME ...]

`mmceleba` and `face2text` are its Tables 2 and 5 on a test split each, for the shipped default. The paper's own
variants were trained over dlib's face network; their tables have `frozen`, `control` and `default` of the fast model,
which has it too: `mmceleba-dlib`, `face2text-dlib`, `mmceleba-both` (the paper's own condition), `ablation` (Table 3)
and `text-encoders` (Table 4).
Systems are the shipped ones and those that were trained to RUNS/<name>/model
(`tgfr-search train --config configs/…/<name>.toml --out RUNS/<name>`); a table names those that are missing. Writes
`benchmarks/results/<table>.json` (records as in a report.json, without curves) and `<table>.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.accuracy.carried import carried
from benchmarks.results import RESULTS, read_result, write_result
from pipelines.measure.benchmark import run_benchmark
from pipelines.measure.data import BenchOptions
from pipelines.measure.entries import DEGRADED
from pipelines.measure.systems.names import load_systems, shipped_systems
from tgfr_search.app.cli.console import stages
from tgfr_search.evaluation.report.reading import (
    EER,
    END_TO_END,
    FNIRS,
    RANKS,
    TARS,
    Metric,
    Report,
    Series,
    percent,
    points,
)

MMCELEBA, FACE2TEXT = "data/mmceleba_hq.parquet", "data/face2text.parquet"


class Table(NamedTuple):
    """One table: what is measured on, which systems, in which caption regimes, and which side is degraded.

    Attributes:
        data: In the folder of measurement data.
        systems: By name.
        regimes: Of captions.
        condition: Of `BenchOptions`.
        note: Above the table.
        whole: The regimes that are measured end to end too, on whole photos.
        shipped: System → the shipped weights it stands for here, where they are not its usual ones.
        decided: Decisions about its labels (`--same-person`), in the repository.
    """

    data: str
    systems: tuple[str, ...]
    regimes: tuple[str, ...]
    condition: str = "clean-gallery"
    note: str = ""
    whole: tuple[str, ...] = ()
    shipped: Mapping[str, str] = {}
    decided: str | None = None


FAST = "tgfr-minilm-dlib"
DLIB = {"frozen": FAST, "control": "control", "caption": FAST, "default": FAST}
SYSTEMS = ("frozen", "frozen-dlib", "control", "caption", "default", "searched")
OF_THE_PAPER = ("frozen", "control", "caption", "bilstm-flf", "bert-flf", "cgfr", "tgfr", "default")
REGIMES = ("own", "own3", "paper", "cross", "wrong", "constant", "none")
"""Those of docs/protocol.md 7; `cross3` and `wrong3` are for likelihood ratios, which `validate` measures."""
OVER_DLIB = (
    f"`frozen`, `control`, `caption` and `default` stand here for the fast model's, `{FAST}`: the paper's variants "
    "have its face network."
)
DESCRIPTIONS = (
    "Trained on MM-CelebA-HQ: captions of another kind. Only the default's step 3 read descriptions of Face2Text, "
    "those of its train split: other people."
)

TABLES = {
    "mmceleba": Table(MMCELEBA, SYSTEMS, REGIMES, whole=("own", "none")),
    "mmceleba-decided": Table(
        MMCELEBA,
        ("frozen", "default", "searched"),
        ("own", "none"),
        note="Labels as decided by looking at photos that the default finds unlike or alike: docs/results.md says how.",
        decided="configs/labels/mmceleba-test.csv",
    ),
    "mmceleba-dlib": Table(MMCELEBA, OF_THE_PAPER, REGIMES, shipped=DLIB),
    "mmceleba-both": Table(
        MMCELEBA,
        ("frozen", "cgfr", "tgfr", "default"),
        ("own",),
        "both",
        "Both images are degraded, as in the paper.",
        shipped=DLIB,
    ),
    "face2text": Table(FACE2TEXT, SYSTEMS, REGIMES, note=DESCRIPTIONS),
    "face2text-dlib": Table(FACE2TEXT, OF_THE_PAPER, REGIMES, note=DESCRIPTIONS, shipped=DLIB),
    "ablation": Table(
        MMCELEBA,
        ("frozen", "identity", "identity-cicl", "identity-wrcl", "identity-imcl", "tgfr"),
        ("own",),
        shipped=DLIB,
    ),
    "text-encoders": Table(MMCELEBA, ("frozen", "tgfr-bilstm", "tgfr-minilm-frozen", "tgfr"), ("own",), shipped=DLIB),
}
COLUMNS = (EER, *TARS, *RANKS[:1], FNIRS[1])
REPORT = ("protocol", "options", "seconds", "interval", "data", "ladder", "absent_captions", "shared_lines", "systems")
"""What a result file keeps of a report besides its records."""


def available(table: Table, runs: Path) -> tuple[list[str], list[str]]:
    """Those of its systems that can be measured, as `load_systems` takes them, and those that are not trained."""
    shipped, names = shipped_systems(), table.systems
    found = {name: name for name in names if name in shipped}
    found |= {name: f"{name}={folder}" for name, folder in table.shipped.items() if name in names}
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
        names, missing = available(table, arguments.runs)
        if len(names) == 1:
            print(f"{name}: none of {', '.join(missing)} is trained")
            continue
        options = BenchOptions(
            probes=arguments.shared / table.data,
            split=arguments.split,
            regimes=table.regimes,
            condition=table.condition,
            same_person=Path(table.decided) if table.decided else None,
            enrolment=table.condition == "clean-gallery" and not table.whole and not table.decided,
        )
        systems = load_systems(names)
        with stages() as progress:
            folder = arguments.runs / f"bench-{name}"
            tree = dict[str, Any](run_benchmark(options, systems, folder, arguments.cache, progress=progress))
            if table.whole:
                more = replace(options, regimes=table.whole, end_to_end=True)
                found = run_benchmark(more, systems, folder, arguments.cache, progress=progress)["results"]
                whole = [record for record in found if record["condition"] == END_TO_END]
                tree["results"] += whole
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
        notes = [table.note, OVER_DLIB if table.shipped else "", *(_when(*own) for own in older.systems.items())]
        page = markdown(Report(tree), title, " ".join(filter(None, notes)), missing)
        (RESULTS / f"{name}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
