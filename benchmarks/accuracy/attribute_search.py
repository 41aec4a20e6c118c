"""Attribute search: do descriptions find the faces they fit, where nobody described a face (docs/protocol.md 12)?

    python -m benchmarks.accuracy.attribute_search [--shared ../shared] [--cache runs/features] [--split test]

Every image of the split is a gallery face without captions; the descriptions are those of `attribute_phrases.toml`, one
line each. Of the first 50 faces the share that is as described, against the share among all faces of the described sex:
(P − chance) / (1 − chance). Beside it the same where a face of the other sex is no hit (`whole`).
Writes `benchmarks/results/attribute_search.json` and `.md`.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, write_result
from pipelines.measure.data import BenchOptions
from pipelines.measure.load import load_data
from pipelines.measure.systems.names import load_systems
from pipelines.train.attributes.head import labels_of
from tgfr_search.app.cli.console import stages
from tgfr_search.evaluation.attribute_search import FIRST, Described, over_chance, summary
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.evaluation.verification import Floats
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import make_probes, score
from tgfr_search.types import FloatArray

PHRASES = Path(__file__).with_name("attribute_phrases.toml")

Search = Callable[[str], Floats]
"""A description → scores of all faces."""


def read_phrases(path: Path = PHRASES) -> dict[str, list[Described]]:
    """Kind → descriptions."""
    tree = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        kind: [Described(row["text"], row["sex"], tuple(row["has"]), tuple(row["lacks"])) for row in rows]
        for kind, rows in tree.items()
    }


def word_search(model: FaceTextModel, templates: FloatArray) -> Search:
    """The search by words as `query` does it: one line, mode `caption`."""

    def scores(text: str) -> Floats:
        found: Floats = score(make_probes(model, None, [(text,)], ["caption"]), templates[:, :-1])[0]
        return found

    return scores


def run(options: BenchOptions, cache: Path) -> dict[str, Any]:
    """Every description searched for: `kinds`, `figures` of each description, and the means."""
    started = time.time()
    (system,) = load_systems(["default"])
    finder = system.model.find_with()
    with stages() as progress:
        data = load_data(options, [system], cache, finder, None, progress)
        side = data.templates
        labels = labels_of(side.chips)[side.order]
        if np.isnan(labels).any():
            raise SystemExit(f"{options.probes}: expected every attribute of every face")
        numbers = {subject: at for at, subject in enumerate(sorted(set(side.subjects)))}
        weights = subject_weights(len(numbers), options.seed, options.resamples)
        weights = weights[:, [numbers[subject] for subject in side.subjects]]
        templates = system.templates(side, side.view("normal"), [()] * len(side), None)
        models = {"query": system.model, "text encoder alone": replace(system.model, directions=None)}
        searches = {name: word_search(model, templates) for name, model in models.items()}
        results = {name: _measured(search, labels, weights, progress, name) for name, search in searches.items()}
    return {
        "seconds": round(time.time() - started),
        "model_id": system.model_id,
        "first": FIRST,
        "data": data.counts,
        "searches": results,
    }


def _measured(search: Search, labels: FloatArray, weights: FloatArray, progress: Any, name: str) -> dict[str, Any]:
    figures: dict[str, list[dict[str, Any]]] = {}
    gains: dict[str, dict[str, Interval]] = {}
    wholes: dict[str, dict[str, Interval]] = {}
    for kind, rows in read_phrases().items():
        figures[kind], gains[kind], wholes[kind] = [], {}, {}
        for described in rows:
            scores = search(described.text)
            own = over_chance(described, scores, labels, weights)
            whole = over_chance(described, scores, labels, weights, whole=True)
            gains[kind][described.text], wholes[kind][described.text] = own["gain"], whole["gain"]
            shown = {"text": described.text, **{k: _plain(v) for k, v in own.items()}, "whole": _plain(whole["gain"])}
            figures[kind].append(shown)
        progress(f"attribute search, {name}, {kind}", len(rows), len(rows))
    means = {k: _plain(v) for k, v in summary(gains).items()}
    whole_means = {k: _plain(v) for k, v in summary(wholes).items()}
    return {"means": means, "whole": whole_means, "figures": figures}


def _plain(value: Interval | int) -> Any:
    if isinstance(value, int):
        return value
    return [None if x is None else round(x, 4) for x in (value.value, value.low, value.high)]


def markdown(values: Mapping[str, Any], split: str) -> str:
    """The tables as Markdown."""
    data = values["data"]
    lines = [
        "# Attribute search",
        "",
        f"MM-CelebA-HQ {split}, {data['images']:,} images of {data['subjects']:,} people without captions, model "
        f"`{values['model_id']}`. (P − chance) / (1 − chance) of the first {values['first']} faces, 95 % intervals "
        "(bootstrap over subjects); chance is the share among faces of the described sex. `whole`: a face of the other "
        "sex is no hit.",
        "",
        "| search | kind | mean | whole | worse than chance |",
        "|---|---|---|---|---|",
    ]
    for name, own in values["searches"].items():
        for kind, rows in own["figures"].items():
            worse = f"{own['means'][f'{kind}_worse']} of {len(rows)}"
            lines.append(f"| {name} | {kind} | {_cell(own['means'][kind])} | {_cell(own['whole'][kind])} | {worse} |")
    names = list(values["searches"])
    lines += ["", f"| kind | description | chance | {' | '.join(names)} |", "|---" * (3 + len(names)) + "|"]
    for kind, rows in values["searches"][names[0]]["figures"].items():
        for at, row in enumerate(rows):
            precisions = [values["searches"][name]["figures"][kind][at]["precision"][0] for name in names]
            cells = " | ".join(f"{value:.2f}" for value in precisions)
            lines.append(f"| {kind} | {row['text']} | {row['chance'][0]:.2f} | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(value: list[float]) -> str:
    return "{:.2f} ({:.2f} to {:.2f})".format(*value)


def main() -> None:
    """Measures and writes the result files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=Path, default=RESULTS, help="Folder of the result files.")
    arguments = parser.parse_args()
    probes = arguments.shared / "data/mmceleba_hq.parquet"
    options = BenchOptions(
        probes=probes, split=arguments.split, enrolment=False
    )  # all levels: the benchmark's own cache
    values = run(options, arguments.cache)
    values = {"split": arguments.split, "seed": options.seed, "resamples": options.resamples, **values}
    print(write_result("attribute_search", values, arguments.out / "attribute_search.json"))
    (arguments.out / "attribute_search.md").write_text(markdown(values, arguments.split), encoding="utf-8")


if __name__ == "__main__":
    main()
