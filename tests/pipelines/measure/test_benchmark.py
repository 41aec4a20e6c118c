"""The benchmark on people who do not exist: what it writes, resumes, refuses and warns of."""

import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_helpers import run_here
from jsonschema import Draft202012Validator
from PIL import Image

import pipelines.measure.cells
from indexer import ContractMismatchError
from pipelines.casework.calibration.validate import validate
from pipelines.enrol.index import IndexSummary
from pipelines.faces.degrade import worsen
from pipelines.measure.benchmark import run_benchmark
from pipelines.measure.data import BenchOptions
from pipelines.measure.systems.names import make_system
from pipelines.measure.systems.protocol import System
from pipelines.search.evidence import binding_of
from tests.pipelines.search.test_judge import mode
from tgfr_search.data.degrade import LADDER
from tgfr_search.errors import InputError
from tgfr_search.evaluation.report.draw import draw_report
from tgfr_search.evaluation.report.evidence import told as shown
from tgfr_search.evaluation.report.reading import Report
from tgfr_search.evaluation.results import ReportRecord, ResultRecord
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.calibration import Calibration, Origin
from tgfr_search.forensic.statement import Population
from tgfr_search.model.loaded import FaceTextModel

FIELDS = {
    "system", "condition", "level", "captions", "metric", "at", "value", "low", "high", "reason", "minus", "group",
    "n_genuine", "n_impostor", "n_probes", "n_gallery",
}  # fmt: skip
LEVELS = ("normal", "very_bad")


@pytest.fixture(scope="session")
def systems(model: FaceTextModel) -> list[System]:
    return [make_system(name, model) for name in ("frozen", "caption", "default")]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench-cache")


@pytest.fixture
def options(demo: Path) -> BenchOptions:
    return options_of(demo)


def options_of(demo: Path) -> BenchOptions:
    return BenchOptions(
        probes=demo / "gallery",
        levels=LEVELS,
        regimes=("own", "wrong", "none"),
        group_by="male",
        resamples=50,
        enrolment=False,
    )


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Fewer simulated searches: what is tested is that they are told, not what they come to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.measure.evidence.measures.SEARCHES", 500)
        yield


@pytest.fixture(scope="module")
def whole(demo: Path, systems: list[System], cache: Path, tmp_path_factory: pytest.TempPathFactory) -> ReportRecord:
    """Of the options below and all systems, to read."""
    return run_benchmark(options_of(demo), systems, tmp_path_factory.mktemp("whole") / "out", cache, workers=0)


def values(report: ReportRecord, **wanted: Any) -> list[ResultRecord]:
    plain = {"minus": None, "group": None, **wanted}
    return [r for r in report["results"] if all(dict(r)[name] == value for name, value in plain.items())]


def test_a_report_is_complete_and_drawn_from_its_json_alone(
    options: BenchOptions, systems: list[System], cache: Path, tmp_path: Path
) -> None:
    options = dataclasses.replace(options, enrolment=True)
    report = run_benchmark(options, systems, tmp_path, cache, pictures=True, workers=0)
    assert json.loads(json.dumps(report)) == json.loads((tmp_path / "report.json").read_text())
    schema = json.loads((Path(__file__).resolve().parents[3] / "docs/report.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    written = json.loads((tmp_path / "report.json").read_text())
    assert list(validator.iter_errors(written)) == []
    assert not validator.is_valid({**written, "results": [{**written["results"][0], "probability": 0.5}]})
    assert report["data"]["images"] == 24
    assert all(set(record) == FIELDS for record in report["results"])
    assert {r["metric"] for r in report["results"]} == {"eer", "tar_at_far", "rank", "fnir_at_fpir", "fte"}
    for record in report["results"]:
        assert (record["value"] is None) == bool(record["reason"]), record
        if record["value"] is not None and record["minus"] is None:
            assert 0 <= record["value"] <= 1
    # One mated probe a subject, all 23 others of the 24 images impostors but for the mate.
    rank = values(report, system="frozen", level="normal", metric="rank", at=1)
    assert [(r["n_probes"], r["n_gallery"], r["captions"]) for r in rank] == [(12, 12, "none")]
    eer = values(report, system="frozen", level="normal", metric="eer")
    assert [(r["n_genuine"], r["n_impostor"]) for r in eer] == [(12, 24 * 23 // 2 - 12)]
    # 264 impostor pairs expect far fewer than ten false accepts at 1e-3.
    tar = values(report, system="default", level="normal", captions="own", metric="tar_at_far", at=1e-3)
    assert tar[0]["value"] is None
    assert values(report, system="default", level="normal", captions="own", metric="eer", minus="frozen")
    assert any(record["group"] == "male=true" for record in report["results"])
    fte = {record["level"]: record for record in values(report, metric="fte")}
    assert fte["normal"]["value"] == 0
    assert fte["normal"]["high"] > 0  # nothing failed: the rule of three, not an interval of no width

    files = draw_report(tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", html), "the page needs nothing beside itself"
    assert "not a probability" in html
    with (tmp_path / "tables.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(report["results"])
    assert {".html", ".csv", ".png", ".svg"} == {path.suffix for path in files}


def test_what_scores_are_worth_is_told_by_a_calibration_of_other_people(
    options: BenchOptions, systems: list[System], cache: Path, tmp_path: Path, model: FaceTextModel
) -> None:
    finder = model.find_with()
    fitted = Calibration(
        binding_of(model, finder.detector), Origin("d" * 64, "valid", "0.1.0", 0, ("normal",), ("a warning",)),
        Population("people who do not exist", 110, "all"), {"image": mode(1.0), "fused-1": mode(1.3)},
    )  # fmt: skip
    fitted.write(tmp_path / "c.json")
    own = dataclasses.replace(
        options, levels=("normal",), regimes=("own", "cross"), group_by=None, calibration=tmp_path / "c.json"
    )
    report = run_benchmark(own, systems[::2], tmp_path / "report", cache, workers=0)
    told = report["evidence"]
    assert (told["system"], told["calibration"], told["reason"]) == ("default", fitted.sha256, None)
    assert "of the calibration: a warning" in told["notes"]
    # With two photos nobody is described by a third.
    assert "fused-1, words cross, normal: not validated, no pair of one person" in told["notes"]
    (cell,) = told["cells"]
    assert (cell["mode"], cell["lines"], cell["genuine"], cell["impostor"]) == ("image", 0, 12, 24 * 23 // 2 - 12)
    schema = json.loads((Path(__file__).resolve().parents[3] / "docs/report.schema.json").read_text(encoding="utf-8"))
    written = json.loads((tmp_path / "report/report.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(written)) == []
    tree = validate(own, systems[-1], fitted, tmp_path / "validation", cache, finder=finder, workers=0)
    assert all(tree[kind] == list(told[kind]) for kind in ("cells", "search", "thresholds", "crowdedness", "curves"))  # type: ignore[literal-required]
    files = draw_report(tmp_path / "report")
    html = (tmp_path / "report/report.html").read_text(encoding="utf-8")
    assert "What a score is worth" in html
    assert "another person of people who do not exist" in html
    assert {"tippett.png", "tippett.svg"} <= {path.name for path in files}

    mine = dataclasses.replace(fitted, origin=Origin(report["data"]["data_sha256"], "", "0.1.0", 0, ("normal",)))
    mine.write(tmp_path / "c.json")
    with pytest.raises(InputError, match="data of the calibration"):
        run_benchmark(own, systems[::2], tmp_path / "report", cache, workers=0)


def test_where_no_calibration_fits_the_reason_is_told(
    options: BenchOptions, systems: list[System], cache: Path, tmp_path: Path
) -> None:
    own = dataclasses.replace(options, levels=("normal",), regimes=("none",), group_by=None)
    told = run_benchmark(own, systems[:1], tmp_path, cache, workers=0)["evidence"]
    assert told["calibration"] is None
    assert "scores that nothing is calibrated for" in str(told["reason"])
    assert "cells" not in told
    report = Report.load(tmp_path / "report.json")
    assert shown(report).startswith("Not measured. likelihood ratios of frozen")
    assert shown(Report({name: part for name, part in report.tree.items() if name != "evidence"})) == "", "of old ones"
    both = dataclasses.replace(own, condition="both", calibration=tmp_path / "c.json")
    with pytest.raises(InputError, match="degraded templates"):
        run_benchmark(both, systems[2:], tmp_path / "both", cache, workers=0)


def test_the_degraded_levels_are_also_told_together(
    options: BenchOptions, systems: list[System], cache: Path, tmp_path: Path
) -> None:
    options = dataclasses.replace(options, levels=("normal", "poor", "very_bad"), regimes=("own",), group_by=None)
    report = run_benchmark(options, systems[::2], tmp_path, cache, workers=0)
    for system in ("frozen", "default"):
        each = [values(report, system=system, metric="rank", at=1, level=level)[0]["value"] for level in options.levels]
        pooled = values(report, system=system, metric="rank", at=1, level="degraded")[0]
        assert pooled["value"] == pytest.approx((each[1] + each[2]) / 2)
        assert pooled["low"] <= pooled["value"] <= pooled["high"]
    assert values(report, system="default", metric="rank", at=1, level="degraded", minus="frozen")


def test_killed_and_resumed_it_says_the_same_bit_for_bit(
    options: BenchOptions, systems: list[System], cache: Path, whole: ReportRecord, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class KilledError(BaseException):
        pass

    real, saved = pipelines.measure.cells._save, 0

    def save(path: Path, measured: pipelines.measure.cells.Measured) -> None:
        nonlocal saved
        if saved == 5:
            raise KilledError
        saved += 1
        real(path, measured)

    monkeypatch.setattr(pipelines.measure.cells, "_save", save)
    with pytest.raises(KilledError):
        run_benchmark(options, systems, tmp_path / "killed", cache, workers=0)
    assert not (tmp_path / "killed/report.json").exists()
    monkeypatch.setattr(pipelines.measure.cells, "_save", real)
    resumed = run_benchmark(options, systems, tmp_path / "killed", cache, workers=0)
    for name in ("results", "curves", "examples", "quality", "data", "shared_lines"):
        assert dict(resumed)[name] == dict(whole)[name], name


def test_own_never_meets_its_own_lines_and_wrong_is_somebody_elses(whole: ReportRecord) -> None:
    """Words that are ignored would give both regimes one figure; here the own words alone find more than others' do."""

    def eer(system: str, regime: str) -> float:
        value = values(whole, system=system, captions=regime, level="very_bad", metric="eer")[0]["value"]
        return float(value)

    assert eer("caption", "own") < 0.35 < eer("caption", "wrong")
    assert eer("default", "own") < eer("default", "wrong")
    assert whole["absent_captions"] == {"own": 0, "wrong": 0, "none": 0}


def test_a_gallery_of_its_own_as_photos_and_as_an_index_agree_and_strangers_are_the_open_set(
    demo: Path, enrolled: tuple[Path, IndexSummary], systems: list[System], cache: Path, tmp_path: Path
) -> None:
    probes = tmp_path / "probes"
    for photo in sorted((demo / "probes").glob("*.png"))[:6]:
        (probes / photo.stem).mkdir(parents=True)
        shutil.copy(photo, probes / photo.stem)
    (probes / "person0000").rename(probes / "stranger")
    common: dict[str, Any] = {"levels": ("normal",), "regimes": ("none",), "resamples": 20, "enrolment": False}
    reports = [
        run_benchmark(
            BenchOptions(probes=probes, gallery=gallery, **common), systems[::2], tmp_path / name, cache, workers=0
        )
        for name, gallery in (("photos", demo / "gallery"), ("index", enrolled[0]))
    ]
    for report in reports:
        rank = values(report, system="frozen", metric="rank", at=1)[0]
        assert (rank["n_probes"], rank["n_gallery"]) == (5, 12)
        assert any("1 probe subjects are not in the gallery" in text for text in report["data"]["warnings"])
        assert any("no probe has a caption" in text for text in report["data"]["warnings"])
    # An index keeps its crops as JPEG: the same faces, not the same bits.
    at_1 = [values(report, system="default", metric="rank", at=1)[0]["value"] for report in reports]
    assert at_1[0] == at_1[1]


def test_an_index_of_another_model_is_refused(
    demo: Path, index: Path, systems: list[System], cache: Path, tmp_path: Path
) -> None:
    other = dataclasses.replace(systems[2].model, model_id="another-model")
    options = BenchOptions(probes=demo / "gallery", gallery=index, enrolment=False)
    with pytest.raises(ContractMismatchError, match="model"):
        run_benchmark(options, [make_system("default", other)], tmp_path, cache, workers=0)


def test_one_photo_under_two_subjects_is_told_with_both_names(
    gallery_folder: Path, systems: list[System], cache: Path, tmp_path: Path
) -> None:
    shutil.copy(gallery_folder / "person0000/view0.png", gallery_folder / "person0001/again.png")
    shutil.copy(gallery_folder / "person0002/view0.png", gallery_folder / "person0002/twice.png")
    options = BenchOptions(probes=gallery_folder, levels=("normal",), regimes=("none",), resamples=20, enrolment=False)
    report = run_benchmark(options, systems[:1], tmp_path / "out", cache, workers=0)
    told = "\n".join(report["data"]["warnings"])
    assert "person0000/view0.png (person0000) and person0001/again.png (person0001) are one photo" in told
    assert report["data"]["repeated"] == 1
    assert "person0002/view0.png is person0002/twice.png" in told


def test_one_image_a_subject_has_no_genuine_pair_and_says_so(
    gallery_folder: Path, systems: list[System], cache: Path, tmp_path: Path
) -> None:
    for photo in gallery_folder.rglob("view1.png"):
        photo.unlink()
    options = BenchOptions(probes=gallery_folder, levels=("normal",), regimes=("none",), resamples=20, enrolment=False)
    report = run_benchmark(options, systems[:1], tmp_path / "out", cache, workers=0)
    assert any("5 of 5 subjects have one image only" in text for text in report["data"]["warnings"])
    assert all(record["value"] is None and record["reason"] for record in values(report, metric="eer"))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"levels": ("awful",)}, "level 'awful'"),
        ({"levels": ("bad", "bad")}, "none twice"),
        ({"regimes": ("told",)}, "caption regime 'told'"),
        ({"condition": "dirty"}, "condition 'dirty'"),
        ({"resamples": 0}, "1 resample or more"),
    ],
)
def test_options_out_of_range_are_refused(options: BenchOptions, change: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        dataclasses.replace(options, **change)


def test_an_unknown_column_is_refused_with_those_there_are(
    options: BenchOptions, systems: list[System], cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="shoe_size"):
        run_benchmark(dataclasses.replace(options, group_by="shoe_size"), systems, tmp_path, cache, workers=0)


def test_the_command(
    gallery_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["benchmark", gallery_folder, "--systems", "frozen,default"]
    more = ["--levels", "normal", "--captions", "none", "--resamples", 20, "--out", "out", "--json"]
    done = run_here(capsys, *command, *more)
    assert done.code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (tmp_path / answer["report"]).is_file()
    assert {record["system"] for record in answer["results"]} == {"frozen", "default"}
    wrong = run_here(capsys, *command[:-1], "nobody", *more)
    assert wrong.code == 2
    assert "no weights of that name" in wrong.stderr


def test_degraded_photos_are_written_alike_each_time_and_refusals_counted(gallery_folder: Path, tmp_path: Path) -> None:
    (gallery_folder / "person0000/broken.png").write_text("no picture")
    photo = gallery_folder / "person0001/view0.png"
    finder = FaceFinder()
    for name in ("a", "b"):
        summary = worsen(gallery_folder, tmp_path / name, "bad", finder=finder)
        assert (summary.written, list(summary.refused)) == (10, ["person0000/broken.png"])
    outs = [(tmp_path / name / "person0001/view0.png").read_bytes() for name in "ab"]
    assert outs[0] == outs[1]
    worse, before = (
        np.asarray(Image.open(p).convert("L"), float) for p in (tmp_path / "a/person0001/view0.png", photo)
    )
    assert worse.shape == before.shape
    assert np.abs(np.diff(worse)).mean() < 0.7 * np.abs(np.diff(before)).mean(), "detail is gone"
    with pytest.raises(InputError, match="level 'awful'"):
        worsen(photo, tmp_path / "x.png", "awful")
    with pytest.raises(InputError, match="source itself"):
        worsen(photo, photo, next(iter(LADDER)))
