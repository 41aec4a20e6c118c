"""What words are worth at most: a reading that misses nothing, and the 40 true attributes, beside the shipped default.

    python -m benchmarks.accuracy.word_ceiling [--shared ../shared] [--cache runs/features]

MM-CelebA-HQ valid by docs/protocol.md (closed set, clean gallery). What is said of a probe (one line or three of its
own picture, of another picture of the person, of somebody else's; or the 40 labels of that picture) meets what is on
record: all lines of the gallery's picture, or without lines its 40 labels, or what its row shows of them. Readings are
compared by bilinear scores learnt on train (`word_readings`). Beside a picture the words' weight is fitted a level on
the searches of one half of the people and judged on the other half, which no search can have; the default's weights are
its own.
Writes `benchmarks/results/word_ceiling.json`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.accuracy.people_words import SEED
from benchmarks.accuracy.word_readings import Bilinear, TrainSet, signed
from benchmarks.accuracy.word_searches import Scores, Searches, Shipped, Told
from benchmarks.results import write_result
from pipelines.faces.aligned import Progress
from pipelines.measure.data import Side, join
from pipelines.train.attributes.head import labels_of
from pipelines.train.attributes.rows import LEVELS, StatementOptions, embedded, some_chips
from tgfr_search.app.cli.console import stages
from tgfr_search.data.degrade import LADDER
from tgfr_search.evaluation.interval import Interval
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import FloatArray

REGIMES = ("own", "own3", "cross", "cross3", "wrong", "wrong3")
RECORDS = ("lines", "attributes", "shown")
"""On record: all lines of the picture; without lines its 40 labels, or how likely its row shows each of them."""
ASKED = {
    "beside": {"own": [1, 2.5, 4], "own3": [1.5, 4, 6], "wrong": [-0.5, -1, -2], "own, no lines": [None, None, 1.5]},
    "alone": {"lines": [4, 24], "no lines": [4, 22]},
}
"""Goals in points: Rank-1 over the picture alone at poor, bad, very bad; Rank-1 and Rank-10 of one line alone."""

READER, DEFAULT, ATTRIBUTES_SAID = "the reader's block", "default", "attributes"
Row = list[float | None]


def plain(interval: Interval) -> Row:
    """[value, low, high]."""
    return [None if x is None else round(x, 4) for x in (interval.value, interval.low, interval.high)]


class Ceiling:
    """All that is measured on one set.

    Args:
        model: The shipped default.
        options: Data and cache.
        workers: Processes that find faces.
        progress: Called as the work goes on.
    """

    def __init__(
        self, model: FaceTextModel, options: StatementOptions, workers: int | None, progress: Progress
    ) -> None:
        chips = some_chips(options, options.valid, 1, model.find_with(), workers, progress)
        levels = dict(zip(LADDER, LEVELS, strict=True))
        seen = {level: embedded(model, chips, [view] * len(chips), options, progress) for level, view in levels.items()}
        self.data, self.progress = join(Side.of(chips, {}), None, SEED), progress
        known: dict[str, FloatArray] = {}
        side, directions = self.data.probes, model.directions
        assert directions is not None
        labels = signed(labels_of(chips)[side.order])
        shown = signed(directions.probabilities(*seen["normal"])[side.order])
        self.told = {name: Told(name, self.data, labels, shown, known) for name in REGIMES}
        self.searches = Searches.of(self.data)
        own = [each for told in self.told.values() for each in (*told.said, *told.enrolled)]
        self.shipped = Shipped(model, seen, self.data, sorted({line for lines in own for line in lines}))
        train = TrainSet(options.data, options.train, known, SEED)
        self.by: dict[tuple[str, str], Bilinear] = {}
        self.losses: dict[str, float] = {}
        for reading in ("one line", "three lines", ATTRIBUTES_SAID):
            for record in ("lines", "attributes"):
                self.by[reading, record], loss = train.score(reading, record)
                self.losses[f"{reading} against {record}"] = round(loss, 4)
                progress(f"learnt: {reading} against {record}, {loss:.3f}", 1, 1)

    def words(self, regime: str, record: str) -> Iterator[tuple[str, Scores]]:
        """What each way to compare words says of the searches, [P, G]."""
        told, kind = self.told[regime], "lines" if record == "lines" else "attributes"
        yield told.reading, told.scores(told.reading, record, self.by[told.reading, kind])
        if not regime.endswith("3"):
            yield ATTRIBUTES_SAID, told.scores(ATTRIBUTES_SAID, record, self.by[ATTRIBUTES_SAID, kind])
        if record != "attributes":
            there = self.shipped.gallery(told.enrolled if record == "lines" else [()] * len(told.enrolled))
            said = self.shipped.words(told.said).blocks["description"]
            yield READER, said @ there.blocks["description" if record == "lines" else "looks"].T

    def beside(self) -> dict[str, Any]:
        """Rank-1 of the picture alone at each level, and what words add: record → regime → by what → level."""
        nobody: list[tuple[str, ...]] = [()] * len(self.searches.mates)
        out: dict[str, Any] = {"picture": {}, **{record: {name: {} for name in REGIMES} for record in RECORDS}}
        empty = self.shipped.gallery([()] * len(self.data.roles.gallery))
        picture = {level: self.shipped.scores(level, nobody, empty) for level in LADDER}
        alone = {level: self.searches.rate(own) for level, own in picture.items()}
        out["picture"] = {level: plain(own) for level, own in alone.items()}
        for record in RECORDS:
            for regime in REGIMES:
                own = out[record][regime]
                fitted_on = dict(self.words(regime.replace("wrong", "own"), record))
                for name, words in self.words(regime, record):
                    for level in LADDER:
                        both = self.searches.beside(picture[level], fitted_on[name], words)
                        own.setdefault(name, {})[level] = plain(self.searches.rate(both).minus(alone[level]))
                if record != "attributes":
                    told = self.told[regime]
                    there = self.shipped.gallery(told.enrolled) if record == "lines" else empty
                    found = {level: self.shipped.scores(level, told.said, there) for level in LADDER}
                    own[DEFAULT] = {k: plain(self.searches.rate(each).minus(alone[k])) for k, each in found.items()}
                self.progress(f"beside a picture: {record}, {regime}", 1, 1)
        return out

    def alone(self) -> dict[str, Any]:
        """Rank-1 and Rank-10 of words alone: record → regime → by what."""
        out: dict[str, Any] = {record: {} for record in RECORDS}
        for record in RECORDS:
            for regime in (name for name in REGIMES if not name.startswith("wrong")):
                found = dict(self.words(regime, record))
                told = self.told[regime]
                if record != "attributes":
                    lines = told.enrolled if record == "lines" else [()] * len(told.enrolled)
                    found[DEFAULT] = self.shipped.scores("normal", told.said, self.shipped.gallery(lines), "caption")
                out[record][regime] = {
                    name: {f"rank_{rank}": plain(self.searches.rate(own, rank)) for rank in (1, 10)}
                    for name, own in found.items()
                }
        return out


def main() -> None:
    """Measures and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--workers", type=int, help="Processes that find faces.")
    asked = parser.parse_args()
    started, model = time.time(), load_model()
    options = StatementOptions(data=asked.shared / "data/mmceleba_hq.parquet", cache=asked.cache)
    with stages() as progress:
        own = Ceiling(model, options, asked.workers, progress)
        values = {"picture_and_words": own.beside(), "words_alone": own.alone()}
    searches = {name: int(told.there.sum()) for name, told in own.told.items()}
    counts = {**own.data.counts, "searches": len(own.searches.mates), "with words": searches}
    head = {"model_id": model.model_id, "split": options.valid, "seed": SEED, "data": counts, "asked": ASKED}
    seconds = round(time.time() - started)
    print(write_result("word_ceiling", {**head, "losses_on_train": own.losses, **values, "seconds": seconds}))


if __name__ == "__main__":
    main()
