"""Gives a model folder its cohort and calibration, in one go: to be run again whenever the model has changed.

    python -m pipelines.tools.calibrate_model DATA --model tgfr-minilm-sface --split valid --people 140

The cohort is of people in no other use, one photo each: of another data set with the same subject ids (`--cohort`),
less those who are in DATA, or else of DATA's people, those with the fewest photos first, of whom a calibration would
learn least; the others calibrate then. Both files are written beside the model's weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.casework.calibration.calibrate import calibrate
from pipelines.casework.calibration.cohort import CohortOptions, make_cohort
from pipelines.measure.data import BenchOptions
from pipelines.measure.systems.names import load_systems
from pipelines.search.evidence import COHORT, FILE, cohort_of
from tgfr_search.errors import TgfrError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.tools.calibrate_model", description=__doc__)
    parser.add_argument("data", type=Path, help="labelled photos, as `benchmark` takes them")
    parser.add_argument("--model", default="default", help="shipped name or model folder")
    parser.add_argument("--split", default="valid", help="of whose people")
    parser.add_argument("--cohort", type=Path, default=None, help="labelled photos with the subject ids of DATA")
    parser.add_argument("--cohort-split", default=None, help="of whose people")
    parser.add_argument("--people", type=int, default=140, help="of the cohort, at most")
    parser.add_argument("--same-person", type=Path, default=None, help="decisions about labels of DATA")
    parser.add_argument("--population", default="", help="who the people are, for proposition H2")
    parser.add_argument("--cache", type=Path, default=Path("runs/calibrate"), help="faces and features")
    parser.add_argument("--workers", type=int, default=None, help="processes that find faces")
    asked = parser.parse_args(arguments)
    try:
        (system,) = load_systems([asked.model], "cpu")
        model = system.model
        finder = model.find_with()

        def told(what: str, done: int, total: int) -> None:
            sys.stderr.write(f"{what}: {done:,}{f' of {total:,}' if total else ''}\n")

        drawn = CohortOptions(asked.data, asked.split, people=asked.people)
        if asked.cohort is not None:
            drawn = CohortOptions(asked.cohort, asked.cohort_split, people=asked.people, apart=(asked.data,))
        _, count = make_cohort(
            drawn, model, model.folder / COHORT, asked.cache, finder=finder, workers=asked.workers, progress=told
        )
        options = BenchOptions(
            asked.data, split=asked.split, same_person=asked.same_person, enrolment=False, end_to_end=False
        )
        cohort = cohort_of(model, finder.detector)
        made = calibrate(
            options, system, asked.cache, finder=finder, cohort=cohort, leave_out=asked.cohort is None,
            population=asked.population, workers=asked.workers, progress=told,
        )  # fmt: skip
        made.write(model.folder / FILE)
    except TgfrError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{model.folder}: cohort of {count} people; calibration {made.sha256[:12]}, {list(made.modes)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
