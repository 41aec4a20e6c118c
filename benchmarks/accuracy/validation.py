"""What the default's scores are worth, on people whom its calibration was not fitted on (docs/protocol.md 13).

    python -m benchmarks.accuracy.validation [--shared ../shared] [--cache runs/features] [--split test]
        [--same-person configs/labels/mmceleba-test.csv]

As `tgfr-search validate`, with the calibration and the cohort that come with the default; its page, with all points
of its curves, is written below the cache. With decisions about labels, validation-decided.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.results import write_result
from pipelines.casework.calibration.validate import validate
from pipelines.measure.data import BenchOptions
from pipelines.measure.systems.names import load_systems
from pipelines.search.evidence import Judge
from tgfr_search.app.cli.console import stages
from tgfr_search.errors import InputError

KEPT = (
    "data", "people", "seed", "calibration", "warnings", "cells", "crowdedness", "thresholds", "words", "typicality",
    "criteria", "verdict",
)  # fmt: skip


def main() -> None:
    """Measures and writes benchmarks/results/validation.json, or validation-decided.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--same-person", type=Path)
    asked = parser.parse_args()
    (system,) = load_systems(["default"])
    finder = system.model.find_with()
    judge = Judge.of(system.model, finder.detector)
    if judge.calibration is None:
        raise InputError("default", found="no calibration", expected="the one that comes with it")
    data = asked.shared / "data/mmceleba_hq.parquet"
    options = BenchOptions(data, split=asked.split, same_person=asked.same_person, enrolment=False)
    name = "validation-decided" if asked.same_person else "validation"
    with stages() as progress:
        tree = validate(
            options, system, judge.calibration, asked.cache / name, asked.cache, finder=finder,
            cohort=judge.cohort, progress=progress,
        )  # fmt: skip
    search = [{name: value for name, value in row.items() if name != "bins"} for row in tree["search"]]
    kept = {name: tree[name] for name in KEPT}
    print(write_result(name, {"model_id": system.model.model_id, **kept, "search": search}))


if __name__ == "__main__":
    main()
