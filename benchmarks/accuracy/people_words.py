"""Words of people: what descriptions that people wrote add to a picture (docs/protocol.md 11).

    python -m benchmarks.accuracy.people_words [--shared ../shared] [--cache runs/features] [--split test]

Probes are the Face2Text images whose subject has another image in MM-CelebA-HQ's same split; the gallery is the first
such image of every subject there, with the lines of MM-CelebA-HQ or without any. The probe has its own lines (`human`),
none, or another person's (`wrong`). Rank-1 and Rank-10 with 95 % intervals over subjects, and what words add, paired.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.results import write_result
from pipelines.measure.data import BenchOptions, Side
from pipelines.measure.load import load_data
from pipelines.measure.systems.names import load_systems
from tgfr_search.app.cli.console import stages
from tgfr_search.data.degrade import LADDER
from tgfr_search.evaluation.identification import mate_ranks
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import rate_interval, subject_weights
from tgfr_search.model.probe import Probes
from tgfr_search.types import FloatArray

SEED, RANKS = 0, (1, 10)
DEGRADED = tuple(level for level in LADDER if level != "normal")

Ints = npt.NDArray[np.int64]
Lines = Sequence[tuple[str, ...]]


def main() -> None:
    """Measures and writes benchmarks/results/people_words.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--split", default="test")
    asked = parser.parse_args()
    fused, caption = load_systems(["default", "caption"])
    sides = []
    with stages() as progress:
        for name in ("face2text", "mmceleba_hq"):
            options = BenchOptions(asked.shared / f"data/{name}.parquet", split=asked.split, seed=SEED)
            sides.append(load_data(options, [fused], asked.cache, fused.model.find_with(), None, progress).probes)
    probes, gallery, own = chosen(*sides)
    people = np.unique(gallery.subjects, return_inverse=True)[1].astype(np.int64)
    weights = subject_weights(len(gallery), SEED)
    said: dict[str, Lines] = {"human": probes.captions, "none": [()] * len(probes), "wrong": of_others(probes, own)}
    kept: dict[str, Lines] = {"with lines": gallery.captions, "without": [()] * len(gallery)}
    figures: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for lines, enrolled in kept.items():
        rows = fused.templates(gallery, gallery.view("normal"), enrolled, None)
        ranks: dict[str, dict[str, Ints]] = {}
        for level in LADDER:
            ranks[level] = {
                name: searched(fused.probes(probes, probes.view(level), words, None), rows, own, people)
                for name, words in said.items()
            }
        by_words = caption.probes(probes, probes.view("normal"), probes.captions, None)
        alone = searched(by_words, rows, own, people)
        figures[lines] = told(ranks, alone, own, weights)
        for name, cells in figures[lines].items():
            print(lines, name, cells)
    counts = {"probes": len(probes), "subjects": len(set(probes.subjects)), "gallery": len(gallery)}
    head = {"model_id": fused.model_id, "split": asked.split, "seed": SEED, **counts}
    print(write_result("people_words", {**head, "figures": figures}))


def chosen(probes: Side, gallery: Side) -> tuple[Side, Side, Ints]:
    """Probes whose subject has another image in the gallery's data, the first such of everybody, and whose each is.

    A subject whose only image is a probe stands in the gallery by it and is not searched for.
    """
    used = set(probes.names)
    first: dict[str, int] = {}
    for at, (name, subject) in enumerate(zip(gallery.names, gallery.subjects, strict=True)):
        if subject not in first or (gallery.names[first[subject]] in used and name not in used):
            first[subject] = at
    place = {subject: number for number, subject in enumerate(first)}
    keep = [
        at
        for at, (name, subject) in enumerate(zip(probes.names, probes.subjects, strict=True))
        if subject in first and gallery.names[first[subject]] != name
    ]
    taken = probes.take(keep)
    return taken, gallery.take(list(first.values())), np.array([place[one] for one in taken.subjects], np.int64)


def of_others(probes: Side, own: Ints) -> Lines:
    """Each probe with the lines of a person drawn among the others."""
    generator = np.random.default_rng([SEED, 11])
    return [probes.captions[generator.choice(np.flatnonzero(own != mine))] for mine in own]


def searched(made: Probes, rows: FloatArray, own: Ints, people: Ints) -> Ints:
    """Rank of each probe's own person."""
    return np.asarray(mate_ranks((made.dense() @ rows.T).astype(np.float64), people[own], people))


def told(
    ranks: Mapping[str, Mapping[str, Ints]], alone: Ints, own: Ints, weights: npt.NDArray[np.float32]
) -> dict[str, dict[str, list[float | None]]]:
    """Rates and paired differences, [value, low, high] each."""

    def rate(found: Ints, rank: int) -> Interval:
        return rate_interval((found <= rank).astype(np.float64), own, weights)

    def row(interval: Interval) -> list[float | None]:
        return [interval.value, interval.low, interval.high]

    out = {f"rank_{rank}": {"caption": row(rate(alone, rank))} for rank in RANKS}
    for rank in RANKS:
        rates = {level: {name: rate(found, rank) for name, found in each.items()} for level, each in ranks.items()}
        names = next(iter(rates.values()))
        rates["degraded"] = {name: Interval.mean([rates[level][name] for level in DEGRADED]) for name in names}
        for level, each in rates.items():
            out[f"rank_{rank}"] |= {f"{level}, {name}": row(one) for name, one in each.items()}
            out[f"rank_{rank}"] |= {
                f"{level}, {name} − none": row(each[name].minus(each["none"])) for name in each if name != "none"
            }
    return out


if __name__ == "__main__":
    main()
