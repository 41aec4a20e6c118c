"""The benchmark end to end, on people who do not exist: the whole photo is degraded; no face is a miss."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.measure.benchmark import run_benchmark
from pipelines.measure.data import BenchOptions
from pipelines.measure.failure_to_enrol import DegradingFinder
from pipelines.measure.systems.names import make_system
from pipelines.measure.systems.protocol import System
from tgfr_search.data.degrade import degrade_photo
from tgfr_search.evaluation.report.draw import draw_report
from tgfr_search.evaluation.results import ReportRecord, ResultRecord
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.loaded import FaceTextModel

LEVELS = ("normal", "very_bad")
WHOLE = "end-to-end"


@pytest.fixture(scope="module")
def systems(model: FaceTextModel) -> list[System]:
    return [make_system(name, model) for name in ("frozen", "caption", "default")]


@pytest.fixture
def options(gallery_folder: Path) -> BenchOptions:
    return BenchOptions(
        probes=gallery_folder, levels=LEVELS, regimes=("own", "none"), resamples=20, enrolment=False, end_to_end=True
    )


def values(report: ReportRecord, **wanted: Any) -> list[ResultRecord]:
    plain = {"minus": None, "group": None, **wanted}
    return [r for r in report["results"] if all(dict(r)[name] == value for name, value in plain.items())]


def test_photos_without_a_face_are_misses_and_the_rest_counts_as_it_would(
    options: BenchOptions, systems: list[System], gallery_folder: Path, tmp_path: Path
) -> None:
    first = run_benchmark(options, systems, tmp_path / "first", tmp_path / "cache", workers=0)
    for one in values(first, condition=WHOLE, level="normal", metric="rank", at=1):
        (aligned,) = values(
            first, condition="clean-gallery", level="normal", metric="rank", at=1, system=one["system"],
            captions=one["captions"],
        )  # fmt: skip
        assert (one["value"], one["n_probes"]) == (aligned["value"], 5), "all faces are found: nothing is lost"
    assert {r["system"] for r in values(first, condition=WHOLE)} == {"frozen", "default"}, "words alone see no photo"
    assert {r["metric"] for r in values(first, condition=WHOLE)} == {"rank", "tar_at_far", "fnir_at_fpir", "fte"}
    assert values(first, condition=WHOLE, level="very_bad", metric="rank", at=1, system="default", minus="frozen")

    # A template of one person and the probe of another show nobody, from now on.
    for name in ("person0000/view0.png", "person0001/view1.png"):
        noise = np.random.default_rng(len(name)).integers(0, 255, (128, 128, 3), np.uint8)
        Image.fromarray(noise).save(gallery_folder / name)
    report = run_benchmark(options, systems, tmp_path / "second", tmp_path / "cache", workers=0)
    for level in LEVELS:
        (fte,) = values(report, condition=WHOLE, level=level, metric="fte")
        assert (round(10 * (fte["value"] or 0)), fte["n_probes"]) == (2 if level == "normal" else pytest.approx(2), 10)
    for before, after in zip(
        values(first, condition=WHOLE, level="normal", metric="rank", at=10),
        values(report, condition=WHOLE, level="normal", metric="rank", at=10),
        strict=True,
    ):
        assert (before["value"], after["value"], after["n_probes"]) == (1.0, pytest.approx(3 / 5), 5)
    (aligned,) = values(
        report, condition="clean-gallery", system="frozen", level="normal", metric="rank", at=10, captions="none"
    )
    assert (aligned["value"], aligned["n_probes"]) == (1.0, 3), "the aligned figures leave them out"

    again = run_benchmark(options, systems, tmp_path / "second", tmp_path / "cache", workers=0)
    assert again["results"] == report["results"]
    draw_report(tmp_path / "second")
    assert "End to end" in (tmp_path / "second/report.html").read_text(encoding="utf-8")


def test_of_ready_crops_there_is_no_whole_photo(options: BenchOptions, systems: list[System], tmp_path: Path) -> None:
    finder = FaceFinder(FaceOptions(aligned=True))
    options = dataclasses.replace(options, enrolment=True)
    report = run_benchmark(options, systems[:1], tmp_path / "out", tmp_path / "cache", finder=finder, workers=0)
    found = values(report, condition=WHOLE)
    assert [(r["metric"], r["value"], r["reason"]) for r in found] == [
        ("fte", None, "aligned chips: no detector ran") for _ in LEVELS
    ]


def test_both_figures_of_failure_to_enrol_are_one(options: BenchOptions, systems: list[System], tmp_path: Path) -> None:
    options = dataclasses.replace(options, enrolment=True, regimes=("none",))
    report = run_benchmark(options, systems[:1], tmp_path / "out", tmp_path / "cache", workers=0)
    apart = dataclasses.replace(options, end_to_end=False)
    other = run_benchmark(apart, systems[:1], tmp_path / "apart", tmp_path / "cache", workers=0)
    assert values(other, condition=WHOLE) == []
    for level in LEVELS:
        told = [values(of, condition="clean-gallery", level=level, metric="fte") for of in (report, other)]
        assert told[0] == told[1]
        (whole,) = values(report, condition=WHOLE, level=level, metric="fte")
        assert {**whole, "condition": "clean-gallery"} == told[0][0]


def test_the_face_that_a_table_means_is_meant_in_the_degraded_photo_too(gallery_folder: Path, tmp_path: Path) -> None:
    """Two people side by side, the second one meant: its crop, not the larger one's, is what is found."""
    faces = [np.asarray(Image.open(gallery_folder / f"person000{n}/view0.png").convert("RGB")) for n in (0, 1)]
    small = np.asarray(Image.fromarray(faces[1]).resize((110, 110)))
    photo = np.full((192, 320, 3), 128, np.uint8)
    photo[:, :192] = faces[0]
    photo[20:130, 190:300] = small
    Image.fromarray(photo).save(tmp_path / "two.png")
    from tgfr_search.types import Record

    record = Record("two.png", "b", str(tmp_path / "two.png"), metadata={"face_box": "190,20,110,110"})
    found = DegradingFinder(FaceOptions(), "poor", 0).find(record)
    clean = FaceFinder().find(record)
    assert found.box is not None
    assert clean.box is not None
    assert abs(found.box[0] - clean.box[0]) < 15
    assert found.box[0] > 180


@pytest.mark.parametrize("detector", ["dlib", "retinaface"])
def test_a_level_is_as_coarse_whichever_detector_measures_the_face(
    detector: str, gallery_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By RetinaFace's eye centres faces are 3 % larger than by dlib's, with which the ladder is calibrated."""
    seen: list[float] = []

    def spy(photo: Any, eyes: float, *more: Any, **named: Any) -> Any:
        seen.append(eyes)
        return degrade_photo(photo, eyes, *more, **named)

    monkeypatch.setattr("pipelines.measure.failure_to_enrol.degrade_photo", spy)
    photos = sorted(gallery_folder.rglob("*.png"))
    raw = []
    for photo in photos:
        raw.append(FaceFinder(FaceOptions(detector="dlib")).find(photo).quality.inter_eye_px)
        DegradingFinder(FaceOptions(detector=detector), "poor", 0).find(photo)
    assert np.median(np.array(seen) / raw) == pytest.approx(1.0, abs=0.015)
