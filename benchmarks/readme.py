"""Fills docs/results.md, README's few lines of it and the models' cards from the files of `benchmarks/results`.

    python -m benchmarks.readme [--check]

Nothing between the markers is written by hand. A measurement whose file is not there is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.readme_labels import decided
from benchmarks.readme_service import service
from benchmarks.readme_speed import speed
from benchmarks.readme_words import ceiling, evidence, people_words, words
from benchmarks.results import read_result
from pipelines.measure.entries import DEGRADED
from tgfr_search.evaluation.report.reading import EER, FTE, RANKS, TARS, Metric, Report, Series, percent, points
from tgfr_search.model.checkpoint import DEFAULT_MODEL, WEIGHTS

ROOT = Path(__file__).resolve().parent.parent
README, RESULTS_PAGE = ROOT / "README.md", ROOT / "docs" / "results.md"
CARD, FAST_CARD = WEIGHTS / DEFAULT_MODEL / "CARD.md", WEIGHTS / "tgfr-minilm-dlib" / "CARD.md"
PAGES = (README, RESULTS_PAGE, CARD, FAST_CARD)
START, END = "<!-- results -->\n", "<!-- /results -->"
ROWS: tuple[Series, ...] = (
    ("frozen", "none"), ("frozen-dlib", "none"), ("control", "constant"), ("caption", "own"), ("bilstm-flf", "own"),
    ("bert-flf", "own"),
    ("cgfr", "own"), ("tgfr", "own"), ("default", "own"), ("default", "own3"), ("default", "cross"),
    ("default", "wrong"), ("default", "none"), ("searched", "own"), ("searched", "none"),
)  # fmt: skip
SHORT_ROWS: tuple[Series, ...] = (
    ("frozen", "none"), ("control", "constant"), ("default", "own"), ("searched", "own"), ("searched", "own3"),
)  # fmt: skip
TITLES = {"mmceleba": "MM-CelebA-HQ", "face2text": "Face2Text"}
DLIB = {f"{name}-dlib": f"{title}, the fast model and the paper's variants" for name, title in TITLES.items()}
WHOLE_ROWS: tuple[Series, ...] = (
    ("frozen", "none"), ("frozen-dlib", "none"), ("control", "constant"), ("default", "none"), ("default", "own"),
    ("searched", "none"), ("searched", "own"),
)  # fmt: skip
PAPER = {
    "ablation": "Losses of step 1 (the paper's Table 3); `tgfr` has all four",
    "text-encoders": "Text encoders under TGFR as printed (its Table 4)",
}


def section(path: Path) -> str:
    """All that stands between a page's markers: README has a few lines, a model's card the model's own figures only."""
    if path == README:
        parts = [*_short()]
    elif path == FAST_CARD:
        parts = [*_sets(DLIB)]
    else:
        parts = [*_sets(TITLES), *_photographs(), *_quality(), *evidence()]
    if path == RESULTS_PAGE:
        parts += [*decided(), *words(), *people_words(), *ceiling(), *_sets(DLIB), *_paper()]
        parts += [*speed(), *service(), *_demo()]
    return "\n" + "\n\n".join(parts) + "\n\n" if parts else "\n"


def _short() -> Iterator[str]:
    tree = read_result("mmceleba")
    if tree is not None:
        report = Report({**tree, "curves": []})
        data = tree["data"]
        yield (
            f"Rank-1 on MM-CelebA-HQ's test split ({data['images']:,} images of {data['subjects']:,} people never "
            "trained on), clean gallery, degraded probe, per cent with 95 % intervals. The control is the same model "
            "trained without words; `searched` is the default as `query` ranks: how probe and record stand to people "
            f"who are in no other use counts too. ▲ is better than the frozen face encoder. `{tree['command']}`"
        )
        yield "\n".join(_table(report, RANKS[0], report.levels, SHORT_ROWS))
    yield from _photographs()


def _sets(titles: Mapping[str, str]) -> Iterator[str]:
    for name, title in titles.items():
        tree = read_result(name)
        if tree is None:
            continue
        report = Report({**tree, "curves": []})
        data, levels = tree["data"], report.levels
        some = report.get(("default", "own"), levels[0], EER) or {}
        yield (
            f"**{title}, test split**, people never trained on: {data['images']:,} images, "
            f"{data['subjects']:,} people, {some['n_genuine']:,} genuine and {some['n_impostor']:,} impostor pairs. "
            f"Clean gallery, degraded probe, by `docs/protocol.md`; per cent with 95 % intervals; ▲ better and "
            f"▼ worse than the frozen face encoder (paired difference). `{tree['command']}`; "
            f"everything in `benchmarks/results/{name}.md`."
        )
        yield _budgets(tree["systems"])
        yield "\n".join(_text_gain(report, [*levels, DEGRADED]))
        for metric in (RANKS[0], TARS[-1], EER):
            yield "\n".join(_table(report, metric, levels))
        whole = report.get(("frozen", "none"), levels[0], FTE, whole=True) is not None
        if whole:
            yield "End to end: the whole photo is degraded, then found, aligned and encoded; no face is a miss."
            yield "\n".join(_table(report, RANKS[0], levels, WHOLE_ROWS, whole=True))
        fte = " · ".join(f"{level} {_value(report, ('frozen', 'none'), level, FTE, whole=whole)}" for level in levels)
        yield f"No face found on degraded whole photos (failure to enrol, %): {fte}."


def _paper() -> Iterator[str]:
    for name, title in PAPER.items():
        tree = read_result(name)
        if tree is not None:
            report = Report({**tree, "curves": []})
            rows = [(system, "none" if system == "frozen" else "own") for system in tree["systems"]]
            yield (
                f"**{title}**, on MM-CelebA-HQ's test split. One seed a row; SGD at "
                "the printed rate has not settled after so few epochs, and that is most of what the rows differ by "
                f"(`docs/experiments.md`, 25). `{tree['command']}`; more in `benchmarks/results/{name}.md`."
            )
            yield _budgets(tree["systems"])
            yield "\n".join(_table(report, RANKS[0], report.levels, rows))


def _budgets(systems: Mapping[str, Any]) -> str:
    """How long each system was trained, and which were measured in an earlier session."""
    names: dict[str, list[str]] = {}
    for name, known in systems.items():
        trained = known["provenance"].get("options")
        if trained and not name.startswith("frozen"):
            described = trained["describe"]["epochs"] if trained["model"].get("description_dim") else 0
            epochs = (*(trained.get(step, {}).get("epochs", 0) for step in ("adapt", "align", "fuse")), described)
            names.setdefault(" + ".join(map(str, epochs)), []).append(f"`{name}`")
    told = "; ".join(f"{', '.join(own)} {epochs}" for epochs, own in names.items())
    earlier = [f"`{name}`" for name, known in systems.items() if "measured" in known]
    kept = f" Measured in an earlier session: {', '.join(earlier)}." if earlier else ""
    shared = ""
    if "control" in systems:
        adapted = systems["default"]["provenance"].get("options", {}).get("adapt", {}).get("epochs", 0)
        shared = (
            " The control has the default's face network, for which step 0 is not run again."
            if adapted
            else " Both have adapted face networks that were trained before, each with a card of its own."
        )
    return f"Epochs of steps 0 (face network) + 1 + 2 (the paper's) + 3 (descriptions): {told}.{shared}{kept}"


def _text_gain(report: Report, levels: list[str]) -> Iterator[str]:
    """The default less its image-only control: what words are worth."""
    heads = " | ".join("mean of the degraded" if level == DEGRADED else level.replace("_", " ") for level in levels)
    yield f"| `default` − `control` (text gain), {RANKS[0].label} points | {heads} |"
    yield "|---" * (1 + len(levels)) + "|"
    for captions in ("own", "own3", "cross", "wrong"):
        cells = [report.get(("default", captions), level, RANKS[0], minus="control") for level in levels]
        told = [f"{points(r['value'])} ({points(r['low'])} to {points(r['high'])})" if r else "–" for r in cells]
        yield f"| {captions} | {' | '.join(told)} |"


def _table(
    report: Report, metric: Metric, levels: list[str], rows: Sequence[Series] = ROWS, *, whole: bool = False
) -> Iterator[str]:
    heads = " | ".join(level.replace("_", " ") for level in levels)
    yield f"| {metric.label} | witness says | {heads} |"
    yield "|---|---" + "|---" * len(levels) + "|"
    for row in rows:
        if report.get(row, levels[0], metric, whole=whole) is not None:
            cells = (_value(report, row, level, metric, whole=whole) for level in levels)
            yield f"| {row[0]} | {row[1]} | {' | '.join(cells)} |"


def _value(report: Report, series: Series, level: str, metric: Metric, *, whole: bool = False) -> str:
    record = report.get(series, level, metric, whole=whole)
    if record is None or record["value"] is None:
        return "–"
    mark = {"better": " ▲", "worse": " ▼"}.get(
        metric.verdict(report.get(series, level, metric, minus="frozen", whole=whole)), ""
    )
    return f"{percent(record['value'])} ({percent(record['low'])}–{percent(record['high'])}){mark}"


def _photographs() -> Iterator[str]:
    lfw = read_result("lfw")
    if lfw is not None:
        rank = lfw["rank_1"]
        yield (
            f"**Ordinary photographs (300 people of LFW), image only**: {lfw['enrolled']} of {lfw['gallery_photos']} "
            f"gallery photos enrolled; Rank-1 of {lfw['probes']} probes {percent(rank['value'])} % "
            f"({percent(rank['low'])}–{percent(rank['high'])}). `{lfw['command']}`"
        )


def _quality() -> Iterator[str]:
    quality = read_result("quality")
    if quality is not None:
        rho = quality["spearman_of_level_and_prediction"]
        means = " · ".join(f"{name} {level['predicted_mean']:.2f}" for name, level in quality["levels"].items())
        yield (
            f"**Predicted quality of a probe** (test split, {quality['images']:,} images a level): Spearman's "
            f"correlation with the level {rho['value']:.3f} ({rho['low']:.3f}–{rho['high']:.3f}); mean {means}. "
            f"`{quality['command']}`"
        )


def _demo() -> Iterator[str]:
    demo = read_result("demo_faces")
    if demo is not None:
        yield (
            f"**The people of `tgfr-search demo`**: a face is found in {percent(demo['found'])} % of their pictures; "
            f"image-only Rank-1 on {demo['people']} of them {percent(demo['clean']['rank_1'])} % (clean), "
            f"{percent(demo['bad']['rank_1'])} % (bad). They show that the program works, not how well."
        )


def filled(path: Path) -> str:
    """A page with its section of numbers made anew.

    Raises:
        ValueError: It has no markers.
    """
    page = path.read_text(encoding="utf-8")
    head, start, rest = page.partition(START)
    _, end, tail = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{path}: no {START.strip()} … {END}")
    return head + start + section(path) + end + tail


def main() -> None:
    """Writes the pages; with --check only says whether they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for path in PAGES:
        page = filled(path)
        if check and page != path.read_text(encoding="utf-8"):
            raise SystemExit(f"{path}: not up to date, run `make results`")
        path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
