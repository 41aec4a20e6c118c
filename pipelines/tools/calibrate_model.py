"""Gives a model folder its cohort and calibration, in one go: to be run again whenever the model has changed.

    python -m pipelines.tools.calibrate_model DATA --model tgfr-minilm-dlib --cohort-split train --split valid

The cohort is of people of one split, the calibration is fitted on another; both are written beside the model's weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.casework.calibration.calibrate import calibrate
from pipelines.casework.calibration.cohort import PEOPLE, CohortOptions, make_cohort
from pipelines.measure.data import BenchOptions
from pipelines.measure.systems import load_systems
from pipelines.search.evidence import COHORT, FILE, cohort_of
from tgfr_search.errors import TgfrError
from tgfr_search.faces.finder import FaceFinder


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.tools.calibrate_model", description=__doc__)
    parser.add_argument("data", type=Path, help="labelled photos, as `benchmark` takes them")
    parser.add_argument("--model", default="default", help="shipped name or model folder")
    parser.add_argument("--cohort-split", default="train", help="whose people are the cohort")
    parser.add_argument("--split", default="valid", help="on whose people is calibrated")
    parser.add_argument("--people", type=int, default=PEOPLE, help="of the cohort, at most")
    parser.add_argument("--population", default="", help="who the people are, for proposition H2")
    parser.add_argument("--cache", type=Path, default=Path("runs/calibrate"), help="faces and features")
    parser.add_argument("--workers", type=int, default=None, help="processes that find faces")
    asked = parser.parse_args(arguments)
    try:
        (system,) = load_systems([asked.model], "cpu")
        model = system.model
        finder = FaceFinder().for_alignment(model.face_encoder.spec.alignment)

        def told(what: str, done: int, total: int) -> None:
            sys.stderr.write(f"{what}: {done:,}{f' of {total:,}' if total else ''}\n")

        drawn = CohortOptions(asked.data, asked.cohort_split, people=asked.people)
        _, count = make_cohort(
            drawn, model, model.folder / COHORT, asked.cache, finder=finder, workers=asked.workers, progress=told
        )
        options = BenchOptions(asked.data, split=asked.split, enrolment=False, end_to_end=False)
        cohort = cohort_of(model, finder.detector)
        made = calibrate(
            options, system, asked.cache, finder=finder, cohort=cohort, population=asked.population,
            workers=asked.workers, progress=told,
        )  # fmt: skip
        made.write(model.folder / FILE)
    except TgfrError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{model.folder}: cohort of {count} people; calibration {made.sha256[:12]}, {list(made.modes)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
