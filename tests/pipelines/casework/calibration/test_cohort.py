"""A cohort is made of labelled photos, equal bytes each time; a calibration and a validation are made with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pipelines.casework.calibration.cohort
import tgfr_search.forensic.lr
import tgfr_search.forensic.typicality
import tgfr_search.model.cohort
from pipelines.casework.calibration.calibrate import calibrate
from pipelines.casework.calibration.cohort import CohortOptions, make_cohort
from pipelines.casework.calibration.validate import validate
from pipelines.enrol.index import index_gallery
from pipelines.measure.cells import Cell, Cells
from pipelines.measure.data import BenchOptions
from pipelines.measure.evidence.scored import MODES, load_scored
from pipelines.measure.systems.searched import Searched
from pipelines.measure.systems.trained import Default
from pipelines.search.answers.typical import Typical
from pipelines.search.evidence import cohort_of
from pipelines.tools.demo import write_demo
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.calibration import read_calibration
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.scoring import ScoreModel

WORDS = ["caption", "fused", "description"]
"""Blocks that a record has only of its words, or of both: a cohort is of pictures alone."""


def blocks_of(rows: np.ndarray, model: FaceTextModel) -> list[np.ndarray]:
    ends = np.cumsum([dim for _, dim in model.tgfr.layout])[:-1]
    return np.split(rows, ends, axis=1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dozen people are enough for what is tested here: the way, not the numbers."""
    for module in (tgfr_search.forensic.typicality, tgfr_search.model.cohort, pipelines.casework.calibration.cohort):
        monkeypatch.setattr(module, "SMALLEST", 10)
    monkeypatch.setattr(tgfr_search.forensic.lr, "MIN_PEOPLE", 10)
    monkeypatch.setattr(tgfr_search.forensic.lr, "MIN_GENUINE", 10)
    monkeypatch.setattr("pipelines.measure.evidence.measures.SEARCHES", 500)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_from_photos_to_corrected_scores(demo: Path, model: FaceTextModel, tmp_path: Path) -> None:
    write_demo(tmp_path / "strangers", people=12, views=3, seed=21)
    finder = FaceFinder().for_alignment(model.face_encoder.spec.alignment)
    options = CohortOptions(tmp_path / "strangers" / "gallery", people=12)
    made = [
        make_cohort(options, model, tmp_path / name, tmp_path / "cache", finder=finder, workers=0)
        for name in ("a", "b")
    ]
    assert made[0] == made[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    cohort = cohort_of(model, finder.detector, tmp_path / "a")
    assert cohort is not None
    assert (len(cohort), len(cohort.probes), cohort.sha256) == (made[0][1], 4, made[0][0])
    assert cohort.levels[0] > cohort.levels[-1]
    assert np.isfinite(cohort.of_records(cohort.rows[:3], "fused")).all()
    names = [name for name, _ in model.tgfr.layout]
    assert [name for name, own in zip(names, blocks_of(cohort.rows, model), strict=True) if not own.any()] == WORDS
    # a model that compares fused vectors only reads a neutral sentence, as in its searches
    fused = replace(model, scoring=ScoreModel({"fused": {"fused": (1.0,)}}, {}, {"fused": (0.0,)}))
    make_cohort(options, fused, tmp_path / "f", tmp_path / "cache", finder=finder, workers=0)
    own = cohort_of(fused, finder.detector, tmp_path / "f")
    assert own is not None
    assert blocks_of(own.rows, model)[names.index("fused")].any()

    system = Default("default", model)
    bench = BenchOptions(demo / "gallery", levels=("normal",), enrolment=False, end_to_end=False)
    with_cohort = {"finder": finder, "workers": 0, "cohort": cohort}
    fitted = calibrate(bench, system, tmp_path / "cache", refits=0, **with_cohort)  # type: ignore[arg-type]
    assert fitted.binding.cohort_sha256 == cohort.sha256
    assert fitted.modes["image"].correction is not None
    fitted.write(tmp_path / "calibration.json")
    assert read_calibration(tmp_path / "calibration.json") == fitted

    write_demo(tmp_path / "others", people=12, views=3, seed=8)
    other = BenchOptions(
        tmp_path / "others" / "gallery", levels=("normal",), resamples=20, enrolment=False, end_to_end=False
    )
    tree = validate(other, system, fitted, tmp_path / "report", tmp_path / "cache", **with_cohort)  # type: ignore[arg-type]
    (row, _) = tree["typicality"]
    assert (row["level"], row["mode"], row["fpir"]) == ("normal", "image", 0.01)
    assert row["saved"] == pytest.approx(row["fnir_off"] - row["fnir_on"])
    assert row["saved_low"] <= row["saved_high"]
    assert json.loads((tmp_path / "report" / "validation.json").read_text())["typicality"] == tree["typicality"]

    searched = Searched("searched", model)
    searched.typical = Typical.of(fitted, cohort)
    for mode, regime in MODES.items():
        if mode in fitted.modes:
            told = {"wanted": [(mode, regime)], **with_cohort}
            data, scored = load_scored(other, system, tmp_path / "cache", **told)  # type: ignore[arg-type]
            (plain,) = scored
            cells = Cells(other, data, np.empty((0, 0), np.float32), tmp_path / "cells")
            probes, templates = cells.vectors(Cell(searched, "normal", regime))
            raised = plain.corrected(fitted.modes[mode].correction)
            assert np.abs(raised.scores - plain.scores).max() > 0.1
            assert probes.dense()[plain.rows] @ templates.T == pytest.approx(raised.scores, abs=1e-3)

    shared = BenchOptions(options.data, levels=("normal",), enrolment=False, end_to_end=False)
    with pytest.raises(InputError, match="in the probes too"):
        calibrate(shared, system, tmp_path / "cache", refits=0, **with_cohort)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="everybody of the data"):
        calibrate(shared, system, tmp_path / "cache", refits=0, leave_out=True, **with_cohort)  # type: ignore[arg-type]
    write_demo(tmp_path / "apart", people=2, views=2, seed=21)
    apart = CohortOptions(options.data, people=12, apart=(tmp_path / "apart" / "gallery",))
    assert make_cohort(apart, model, tmp_path / "rest", tmp_path / "cache", finder=finder, workers=1)[1] == 10
    ten = CohortOptions(options.data, people=10)
    make_cohort(ten, model, tmp_path / "ten", tmp_path / "cache", finder=finder, workers=0)
    of_ten = cohort_of(model, finder.detector, tmp_path / "ten")
    data, _ = load_scored(shared, system, tmp_path / "cache", finder=finder, cohort=of_ten, leave_out=True, workers=0)
    assert len(set(data.probes.subjects)) == 2
    assert (len(data.probes), len(data.roles.searches)) == (4, 2)
    index_gallery(options.data, tmp_path / "index", model, workers=0)
    known = CohortOptions(options.data, people=12, gallery=tmp_path / "index")
    with pytest.raises(InputError, match="in the gallery too"):
        make_cohort(known, model, tmp_path / "c", tmp_path / "cache", finder=finder, workers=0)
    assert not (tmp_path / "c").exists()


def test_too_few_people_are_no_cohort(demo: Path, model: FaceTextModel, tmp_path: Path) -> None:
    finder = FaceFinder().for_alignment(model.face_encoder.spec.alignment)
    with pytest.raises(InputError, match="found: 12 people; expected: 100 or more"):
        make_cohort(CohortOptions(demo / "gallery"), model, tmp_path / "c", tmp_path / "cache", finder=finder)
