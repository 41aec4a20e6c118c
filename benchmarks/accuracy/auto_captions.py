"""A gallery that nobody described: what words find in it, without captions and with machine-made ones.

    python -m benchmarks.accuracy.auto_captions [--shared ../shared] [--cache runs/features] [--attributes FOLDER]

MM-CelebA-HQ test by docs/protocol.md: own one-line probe captions, clean gallery; the gallery's captions are withheld
(`none`), written by the attribute model (`auto`), or those of the data set (`people`, what the other tables measure).
Image-only searches in the gallery without captions stand beside. Also how good the attribute model is on these people.
Writes `benchmarks/results/auto_captions.json` and `.md`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import RESULTS, write_result
from pipelines.faces.features import load_features
from pipelines.measure.cells import entry
from pipelines.measure.data import VIEW_OF_LEVEL, BenchData, BenchOptions
from pipelines.measure.load import load_data
from pipelines.measure.systems.names import load_systems
from pipelines.train.attributes.head import labels_of
from tgfr_search.app.cli.console import stages
from tgfr_search.data.regimes import assign
from tgfr_search.encoders.from_wide import reading
from tgfr_search.evaluation.attributes import attribute_figures
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.evaluation.measures import Key, Measures, measure
from tgfr_search.evaluation.report.reading import percent, points
from tgfr_search.faces.align import WIDE_CHIP
from tgfr_search.model.attributes import AttributeModel, load_attributes
from tgfr_search.model.line_cache import LineCache
from tgfr_search.types import FloatArray

Lines = Sequence[tuple[str, ...]]
GALLERIES = ("none", "auto", "people")
SHOWN: dict[str, Key] = {
    "EER": ("eer", None),
    "TAR@FAR 1e-3": ("tar_at_far", 1e-3),
    "Rank-1": ("rank", 1),
    "Rank-5": ("rank", 5),
    "Rank-10": ("rank", 10),
}
BATCH = 256
SEARCHES = ("caption", "image", "fused")


def attribute_probabilities(
    attributes: AttributeModel, data: BenchData, options: BenchOptions, cache: Path, progress: Any
) -> dict[str, FloatArray]:
    """Level → probabilities [N, 40] of the images, in the order of their chips."""
    views = [VIEW_OF_LEVEL.get(level, level) for level in options.levels]
    encoder = attributes.make_encoder(torch.device("cpu"), flip=False, precision="float32")
    if data.templates.chips.pixels.shape[1] == WIDE_CHIP.size:
        encoder = reading(encoder, WIDE_CHIP.name)
    features = load_features(data.templates.chips, views, encoder, cache, options.seed, progress)
    count = len(data.templates.chips)
    return {
        level: np.concatenate(
            [
                attributes.probabilities(features.batch(np.arange(start, min(start + BATCH, count)), view))
                for start in range(0, count, BATCH)
            ]
        )
        for view, level in enumerate(options.levels)
    }


def run(options: BenchOptions, attributes: AttributeModel, cache: Path, galleries: Sequence[str]) -> dict[str, Any]:
    """All measurements.

    Returns:
        `results`: entries as in a report, with `gallery` and `minus` (another gallery, same search); `attributes`: how
        good the attribute model is at each level.
    """
    started = time.time()
    fused, caption = load_systems(["default", "caption"])
    finder = fused.model.find_with()
    with stages() as progress:
        data = load_data(options, [fused], cache, finder, None, progress)
        side = data.templates
        probabilities = attribute_probabilities(attributes, data, options, cache, progress)
        truth = labels_of(side.chips)
        quality = {
            level: attribute_figures(p, truth, attributes.config["thresholds"], attributes.config["base_rates"])
            for level, p in probabilities.items()
        }
        keys = [side.chips.sha256[i] for i in side.order]
        said = assign("own", side.names, side.subjects, side.captions, options.seed)
        enrolled: dict[str, Lines] = {
            "none": [()] * len(side),
            "auto": attributes.lines(probabilities["normal"][side.order], keys),
            "people": side.captions,
        }
        enrolled = {name: enrolled[name] for name in galleries}
        progress("caption lines", 0, 0)
        every = {line for lines in [*enrolled.values(), said.probe] for own in lines for line in own}
        read = LineCache(fused.model.tgfr, sorted(every)).batch
        weights = subject_weights(data.roles.subject_count, options.seed, options.resamples)
        results: list[dict[str, Any]] = []
        done: dict[tuple[str, str, str], Measures] = {}
        for gallery, lines in enrolled.items():
            templates = fused.templates(side, side.view("normal"), lines, read)
            for name, level in _cells(gallery, options.levels):
                system = caption if name == "caption" else fused
                spoken: Lines = [()] * len(side) if name == "image" else said.probe
                probes = system.probes(side, side.view(level), spoken, read)
                done[name, level, gallery] = measure(probes.dense(), templates, data.roles, weights)
                progress(f"{name} search, gallery {gallery}, {level}", len(done), 0)
    for (name, level, gallery), measures in done.items():
        for minus, base in _bases(name, level, gallery):
            if base is not None and base not in done:
                continue
            for (metric, at), figure in measures.figures.items():
                own: Interval = figure if base is None else figure.minus(done[base].figures[metric, at])
                record = entry(name, options.condition, level, "own", metric, at, own, measures.counts, minus=minus)
                results.append({**record, "gallery": gallery})
    return {
        "seconds": round(time.time() - started),
        "model_id": fused.model_id,
        "attribute_model_id": attributes.model_id,
        "data": data.counts,
        "attributes": quality,
        "results": results,
    }


def _cells(gallery: str, levels: Sequence[str]) -> list[tuple[str, str]]:
    """(search, level) measured in a gallery: a search by words alone is the same at every level."""
    image = [("image", level) for level in levels] if gallery == "none" else []
    return [("caption", levels[0]), *image, *(("fused", level) for level in levels)]


def _bases(name: str, level: str, gallery: str) -> list[tuple[str | None, tuple[str, str, str] | None]]:
    """What a cell is shown as a difference to: nothing; the gallery without captions; the search by image alone."""
    out: list[tuple[str | None, tuple[str, str, str] | None]] = [(None, None)]
    if gallery != "none":
        out.append(("none", (name, level, "none")))
    if name == "fused":
        out.append(("image", ("image", level, "none")))
    return out


def markdown(values: dict[str, Any], levels: Sequence[str]) -> str:
    """The tables as Markdown."""
    found = {(r["system"], r["level"], r["gallery"], r["minus"], r["metric"], r["at"]): r for r in values["results"]}
    galleries = list(dict.fromkeys(r["gallery"] for r in values["results"]))
    data = values["data"]
    lines = [
        "# A gallery without captions",
        "",
        f"MM-CelebA-HQ test, {data['images']:,} images of {data['subjects']:,} people, model `{values['model_id']}`, "
        f"attribute model `{values['attribute_model_id']}`; own one-line probe captions, clean gallery, per cent with "
        "95 % intervals (bootstrap over subjects). Gallery captions: `none` withheld, `auto` machine-made, `people` "
        "the data set's. Differences are paired, in percentage points.",
        "",
        f"| search | level | gallery | {' | '.join(SHOWN)} |",
        "|---" * (3 + len(SHOWN)) + "|",
    ]
    cells = [(g, name, level) for name in SEARCHES for level in levels for g in galleries]
    for gallery, name, level in cells:
        row = [found.get((name, level, gallery, None, *key)) for key in SHOWN.values()]
        if row[0] is not None:
            shown = (f"{percent(r['value'])} ({percent(r['low'])}–{percent(r['high'])})" for r in row if r is not None)
            lines.append(f"| {name} | {level} | {gallery} | {' | '.join(shown)} |")
    lines += ["", f"| difference | level | {' | '.join(SHOWN)} |", "|---" * (2 + len(SHOWN)) + "|"]
    for gallery, name, level in cells:
        for minus in ("none", "image"):
            row = [found.get((name, level, gallery, minus, *key)) for key in SHOWN.values()]
            if row[0] is not None:
                against = f"{name}, {gallery} − {'image search' if minus == 'image' else 'none'}"
                shown = (
                    f"{points(r['value'])} ({points(r['low'])} to {points(r['high'])})" for r in row if r is not None
                )
                lines.append(f"| {against} | {level} | {' | '.join(shown)} |")
    lines += ["", "| attributes | balanced accuracy, mean | calibration error | statements a face | right | said |"]
    lines += ["|---|---|---|---|---|---|"]
    for level, q in values["attributes"].items():
        lines.append(
            f"| {level} | {100 * q['mean_balanced_accuracy']:.1f} | {100 * q['calibration_error']:.1f} "
            f"| {q['stated']:.1f} | {100 * q['precision']:.1f} | {100 * q['recall']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures and writes the result files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--attributes", type=Path, default=None)
    parser.add_argument("--split", default="test")
    parser.add_argument("--galleries", nargs="+", choices=GALLERIES, default=list(GALLERIES))
    arguments = parser.parse_args()
    probes = arguments.shared / "data/mmceleba_hq.parquet"
    options = BenchOptions(probes=probes, split=arguments.split, enrolment=False)
    values = run(options, load_attributes(arguments.attributes), arguments.cache, arguments.galleries)
    values = {"split": arguments.split, "seed": options.seed, "resamples": options.resamples, **values}
    print(write_result("auto_captions", values))
    (RESULTS / "auto_captions.md").write_text(markdown(values, options.levels), encoding="utf-8")


if __name__ == "__main__":
    main()
