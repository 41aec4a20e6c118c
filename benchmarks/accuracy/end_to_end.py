"""Detectors end to end: the same whole photos found, aligned, encoded and searched by each, and their difference.

    python -m benchmarks.accuracy.end_to_end [--shared ../shared] [--subjects 85] [--cache runs/features]

On people drawn from the VALID split of MM-CelebA-HQ, today's default model and its frozen encoder, image alone and with
one line of the probe's own. The gallery is the first photo of everybody, at full quality; every other photo is searched
at every level, degraded as a whole. A photo without a face, of either side, is a miss. Figures with 95 % intervals over
people; differences are paired by probe.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.results import write_result
from pipelines.measure.cells import Measured, cells_of
from pipelines.measure.data import BenchOptions
from pipelines.measure.entries import Key
from pipelines.measure.systems.names import load_systems
from pipelines.measure.systems.protocol import System
from pipelines.measure.whole import WholeCells, load_whole, measured_whole
from tgfr_search.app.cli.console import stages
from tgfr_search.data.degrade import LADDER
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import rate_interval, subject_weights
from tgfr_search.evaluation.protocol import Roles
from tgfr_search.faces.detectors import dlib_hog
from tgfr_search.faces.detectors.registry import DETECTORS
from tgfr_search.faces.finder import FaceFinder, FaceOptions

SEED = 0
FAR = 1e-3


def some_people(source: Path, subjects: int, out: Path) -> Path:
    """The photos of people drawn from valid, as a data set of its own."""
    table = pq.read_table(source, filters=[("split", "=", "valid")])
    people = np.unique(table["identity"].to_numpy())
    drawn = np.random.default_rng(SEED).permutation(people)[:subjects]
    path = out / "valid.parquet"
    pq.write_table(table.filter(pc.is_in(table["identity"], value_set=pa.array(drawn))), path)
    return path


def measure(
    detector: str, options: BenchOptions, systems: list[System], cache: Path, folder: Path
) -> tuple[dict[Key, Measured], dict[str, float], Roles]:
    """Figures of one detector, the share of photos without a face by level, and who is compared with whom."""
    finder = FaceFinder(FaceOptions(detector=detector)).for_alignment(systems[0].model.face_encoder.spec.alignment)
    with stages() as progress:
        whole = load_whole(options, systems, None, cache, finder, 0, progress)
        weights = subject_weights(whole.data.roles.subject_count, SEED)
        cells = WholeCells(options, whole.data, weights, folder)
        found = measured_whole(cells, cells_of(options, systems), progress)
    failed = {level: float(np.mean([bad for _, bad in own])) for level, own in whole.outcome.items()}
    return found, failed, whole.data.roles


def told(interval: Interval) -> list[float | None]:
    """Value and limits."""
    return [interval.value, interval.low, interval.high]


def rank1(measured: Measured, roles: Roles) -> Interval:
    """Rank-1 of all searches, resampled alike for every detector."""
    hits = (measured.measures.searches.ranks == 1).astype(np.float64)
    return rate_interval(hits, roles.probe_subjects[roles.searches], subject_weights(roles.subject_count, SEED))


def main() -> None:
    """Measures and writes benchmarks/results/end_to_end.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--subjects", type=int, default=85)
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    arguments = parser.parse_args()
    systems = load_systems(["frozen", "default"])
    with tempfile.TemporaryDirectory() as temporary:
        source = some_people(arguments.shared / "data/mmceleba_hq.parquet", arguments.subjects, Path(temporary))
        options = BenchOptions(source, split="valid", regimes=("none", "own"), seed=SEED)
        out = {
            name: measure(name, options, systems, arguments.cache, arguments.cache / "end-to-end-cells")
            for name in DETECTORS
        }
    base, _, roles = out[dlib_hog.NAME]
    values: dict[str, Any] = {}
    for name, (found, failed, own_roles) in out.items():
        assert np.array_equal(own_roles.searches, roles.searches), "the same photos in the same roles"
        values[name] = {"without_a_face": {level: round(failed[level], 4) for level in LADDER}}
        for (system, captions, level), one in found.items():
            of = values[name].setdefault(f"{system}, {captions}", {}).setdefault(level, {})
            of["rank1"] = told(rank1(one, roles))
            of["tar_at_far_1e-3"] = told(one.measures.figures["tar_at_far", FAR])
            if name != dlib_hog.NAME:
                other = base[system, captions, level]
                of["rank1_less_dlib"] = told(rank1(one, roles).minus(rank1(other, roles)))
                of["tar_less_dlib"] = told(
                    one.measures.figures["tar_at_far", FAR].minus(other.measures.figures["tar_at_far", FAR])
                )
            print(name, system, captions, level, of)
    head = {"model_id": systems[-1].model_id, "split": "valid", "subjects": arguments.subjects, "seed": SEED}
    counts = {"searched": len(roles.searches), "gallery": len(roles.gallery)}
    print(write_result("end_to_end", {**head, **counts, "detectors": values}))


if __name__ == "__main__":
    main()
