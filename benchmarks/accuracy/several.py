"""Several pictures of one unknown against one: pooled templates, on different photos of a person.

    python -m benchmarks.accuracy.several [--shared ../shared] [--cache runs/features] [--split valid]

The gallery is the first image of every subject, at full quality. Of each subject with enough others, `count` other
photos are drawn, each degraded by itself, and searched by image alone: the picture of the best predicted quality, a
picture drawn at random, the mean of the pictures' scores, and the pooled template (`pipelines.search.probes.several`)
with the quality of the best picture and with the mean of theirs. Rank-1 with 95 % intervals over subjects.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.results import write_result
from pipelines.measure.data import BenchOptions, Side
from pipelines.measure.load import load_data
from pipelines.measure.systems.names import load_systems
from pipelines.search.probes.several import pooled
from tgfr_search.app.cli.console import stages
from tgfr_search.data.degrade import LADDER, generator
from tgfr_search.evaluation.identification import mate_ranks
from tgfr_search.evaluation.intervals import rate_interval, subject_weights
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import rows_of, score, weigh
from tgfr_search.types import FloatArray, Templates

SEED, DRAWS, BATCH = 0, 5, 256
COUNTS = (2, 3)

Ints = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def main() -> None:
    """Measures and writes benchmarks/results/several.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--split", default="valid")
    arguments = parser.parse_args()
    (system,) = load_systems(["default"])
    finder = system.model.find_with()
    options = BenchOptions(arguments.shared / "data/mmceleba_hq.parquet", split=arguments.split, seed=SEED)
    with stages() as progress:
        side = load_data(options, [system], arguments.cache, finder, None, progress).probes
    owners = np.unique(side.subjects, return_inverse=True)[1]
    firsts = np.unique(owners, return_index=True)[1]
    rows = rows_of(_embedded(system.model, side, "normal")[0], system.model.tgfr.layout)[firsts]
    weights = subject_weights(len(firsts), SEED)
    values: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for level in LADDER:
        templates, quality = _embedded(system.model, side, level)
        values[level] = {}
        for count in COUNTS:
            drawn = list(_drawn(owners, firsts, count, level))
            people = np.array([subject for subject, _ in drawn])
            scores = [_ways(system.model, templates, quality, own, rows) for _, own in drawn]
            values[level][str(count)] = told = {}
            for name in scores[0]:
                ranks = mate_ranks(np.stack([each[name] for each in scores]), people, np.arange(len(firsts)))
                rank1 = rate_interval((ranks == 1).astype(np.float64), people, weights)
                told[name] = [rank1.value, rank1.low, rank1.high]
                print(level, count, name, told[name])
    searched = {
        str(count): len({subject for subject, _ in _drawn(owners, firsts, count, "normal")}) for count in COUNTS
    }
    head = {"model_id": system.model.model_id, "split": arguments.split, "gallery": len(firsts)}
    print(write_result("several", {**head, "searched": searched, "draws": DRAWS, "seed": SEED, "rank1": values}))


def _embedded(model: FaceTextModel, side: Side, level: str) -> tuple[Templates, FloatArray]:
    """Templates and predicted quality of every image at a level, without words."""
    features, view = side.features[model.face_encoder.spec.weights_key], side.view(level)
    batches = [side.order[at : at + BATCH] for at in range(0, len(side), BATCH)]
    out = [model.tgfr.embed(features.batch(rows, view), [()] * len(rows)) for rows in batches]
    return Templates.concat([each.templates for each in out]), np.concatenate([each.quality for each in out])


def _drawn(owners: Ints, firsts: Ints, count: int, level: str) -> Iterator[tuple[int, Ints]]:
    """(subject, rows of `count` of its images, none of them the gallery's), several times of each subject."""
    for subject in range(len(firsts)):
        others = np.setdiff1d(np.flatnonzero(owners == subject), firsts)
        for draw in range(DRAWS if len(others) >= count else 0):
            yield subject, generator(f"{subject}/{draw}", level, SEED).choice(others, count, replace=False)


def _ways(
    model: FaceTextModel, templates: Templates, quality: FloatArray, own: Ints, rows: FloatArray
) -> dict[str, Scores]:
    """Scores [G] of one unknown by each way to use its pictures."""
    layout, scoring = model.tgfr.layout, model.scoring
    mine = Templates({name: block[own] for name, block in templates.blocks.items()})

    def scored(of: Templates, at: FloatArray) -> Scores:
        return score(weigh(of, at, ["image"] * len(at), scoring, layout), rows)

    single, whole, best = scored(mine, quality[own]), pooled(mine, quality[own]), int(np.argmax(quality[own]))
    return {
        "a picture at random": single[0],
        "the best picture": single[best],
        "mean of scores": single.mean(axis=0),
        "pooled": scored(whole, quality[own][[best]])[0],
        "pooled, mean quality": scored(whole, quality[own].mean(keepdims=True))[0],
    }


if __name__ == "__main__":
    main()
