"""From labelled photos to a calibration, a threshold and a validation: the whole way, on people who do not exist."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import tgfr_search.forensic.lr
from pipelines.tools.demo import write_demo
from tgfr_search.app.cli.main import main
from tgfr_search.audit.retention import read_entries
from tgfr_search.forensic.calibration import read_calibration

DATA = ["--levels", "normal", "--workers", "0"]


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> tuple[int, Any]:
    """Exit code and JSON of a command, in this process: the model is loaded once."""
    monkeypatch.setattr(sys, "argv", ["tgfr-search", *map(str, arguments), "--json"])
    code = 0
    try:
        main()
    except SystemExit as error:
        code = int(error.code or 0)
    told = capsys.readouterr()
    return code, json.loads(told.out) if code == 0 else told.err


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve people and some searches are enough for what is tested here: the way, not the numbers."""
    monkeypatch.setattr(tgfr_search.forensic.lr, "MIN_PEOPLE", 10)
    monkeypatch.setattr(tgfr_search.forensic.lr, "MIN_GENUINE", 10)
    monkeypatch.setattr("pipelines.measure.evidence.measures.SEARCHES", 500)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("others") / "data"
    write_demo(folder, people=12, views=3, seed=8)
    return folder / "gallery"


def test_twelve_people_calibrate_nothing(
    demo: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "calibration.json"
    code, told = run(capsys, monkeypatch, "calibrate", demo / "gallery", "--out", out, *DATA, "--cache", cache)
    assert code == 2
    assert "found: 12 people and 12 genuine pairs" in told
    assert "100 people" in told
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_calibrate_threshold_and_validate(
    demo: Path, others: Path, cache: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "calibration.json"
    fitted = "--refits", "3", "--cache", cache, "--population", "synthetic people"
    code, told = run(capsys, monkeypatch, "calibrate", demo / "gallery", "--out", out, *DATA, *fitted)
    assert code == 0
    assert told["modes"]["image"]["people"] == 12
    assert "fused-1" not in told["modes"]  # with two photos each nobody is described by a third
    assert "fused-1 is not calibrated: calibration; found: 0 genuine" in " ".join(told["warnings"])
    made = read_calibration(out)
    assert made.population.name == "synthetic people"
    assert made.modes["image"].strangers.people == 11
    first = out.read_bytes()
    assert run(capsys, monkeypatch, "calibrate", demo / "gallery", "--out", out, *DATA, *fitted)[0] == 0
    assert out.read_bytes() == first
    monkeypatch.setenv("TGFR_AUDIT", str(tmp_path / "log"))

    names = sorted(own.name for own in (demo / "gallery").iterdir() if own.is_dir())[:2]
    decided = tmp_path / "decided.csv"
    decided.write_text(f"first,second\n{names[0]},{names[1]}\n")
    labels = "--same-person", decided
    again = tmp_path / "again.json"
    code, told = run(capsys, monkeypatch, "calibrate", demo / "gallery", "--out", again, *DATA, *fitted, *labels)
    assert code == 0
    assert told["modes"]["image"]["people"] == 11
    assert "labels: 1 pairs of ids are one person each, as decided in decided.csv" in " ".join(told["warnings"])

    code, told = run(capsys, monkeypatch, "threshold", "--fpir", "0.5", "--calibration", out)
    assert code == 0
    assert (told["people"], told["searches"], told["fpir"]) == (11, 24, 0.5)
    code, told = run(capsys, monkeypatch, "threshold", "--fpir", "0.01", "--calibration", out)
    assert code == 2
    assert "1,000" in told
    entries = [entry for _, entry in read_entries(tmp_path / "log")][1:]
    assert [entry["act"] for entry in entries] == ["calibrate", "calibrate", "threshold"], "a refused one is none"
    assert entries[1]["details"]["sha256"] == read_calibration(again).sha256
    assert (entries[2]["calibration"], entries[2]["details"]["fpir"]) == (made.sha256, 0.5)
    monkeypatch.delenv("TGFR_AUDIT")

    measured = "--calibration", out, "--cache", cache, "--resamples", "20"
    code, told = run(capsys, monkeypatch, "validate", others, "--out", tmp_path / "report", *DATA, *measured, *labels)
    assert code == 0
    assert any("as decided in decided.csv" in text for text in told["warnings"])
    assert told["people"] == 11
    code, told = run(capsys, monkeypatch, "validate", others, "--out", tmp_path / "report", *DATA, *measured)
    assert code == 0
    tree = json.loads((tmp_path / "report" / "validation.json").read_text())
    (cell,) = tree["cells"]
    keys = {"level", "mode", "lines", "cllr", "cllr_low", "cllr_high", "cllr_min", "devpav", "people"}
    assert keys <= cell.keys()
    assert (cell["level"], cell["mode"], cell["lines"], cell["people"]) == ("normal", "image", 0, 12)
    assert cell["cllr_low"] <= cell["cllr"] <= cell["cllr_high"]
    assert cell["genuine"] + cell["impostor"] == 24 * 23 // 2
    assert all({"level", "people", "ece", "worst_overconfidence"} <= row.keys() for row in tree["search"])
    assert {row["people"] for row in tree["search"]} == {2, 6}
    assert tree["calibration"]["sha256"] == made.sha256
    assert len(tree["verdict"]) == 15
    assert any(each["met"] is None for each in tree["verdict"])  # nothing at the levels that were not asked for
    html = (tmp_path / "report" / "validation.html").read_text(encoding="utf-8")
    assert "criteria are met" in html
    assert "another person of synthetic people" in html
    assert "<svg" in html
    assert "What this is not" in html

    code, told = run(capsys, monkeypatch, "validate", demo / "gallery", "--out", tmp_path / "same", *DATA, *measured)
    assert code == 2
    assert "other people" in told

    tree = json.loads(out.read_text())
    tree["binding"]["model_id"] = "another-model"
    out.write_text(json.dumps(tree))
    code, told = run(capsys, monkeypatch, "validate", others, "--out", tmp_path / "report", *DATA, *measured)
    assert code == 2
    assert "model_id; found: another-model" in told


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_so_many_lines_of_another_photo_have_a_mode_of_their_own(
    demo: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seed in (("fitted", 5), ("measured", 6)):
        write_demo(tmp_path / name, people=11, views=4, seed=seed)  # three photos: one of them is told of
    out = tmp_path / "calibration.json"
    fitted = tmp_path / "fitted" / "gallery", "--out", out, *DATA, "--refits", "0", "--cache", cache
    code, told = run(capsys, monkeypatch, "calibrate", *fitted)
    assert code == 0
    assert list(told["modes"]) == ["image", "fused-1", "fused-2", "fused-3"]
    assert told["modes"]["fused-1"]["genuine"] == told["modes"]["fused-3"]["genuine"]

    measured = *DATA, "--calibration", out, "--cache", cache, "--resamples", "20"
    report = tmp_path / "report"
    code, told = run(capsys, monkeypatch, "validate", tmp_path / "measured" / "gallery", "--out", report, *measured)
    assert code == 0
    cells = [(cell["mode"], cell["lines"]) for cell in told["cells"]]
    assert cells == [("image", 0), ("fused", 1), ("fused", 2), ("fused", 3)]
    rows = {(row["mode"], row["words"]): row for row in told["words"]}
    assert list(rows) == [(mode, words) for mode in ("fused-1", "fused-2", "fused-3") for words in ("cross", "wrong")]
    three = rows["fused-3", "cross"]
    assert three["saved"] == pytest.approx(three["cllr_image"] - three["cllr"])
    assert three["saved_low"] <= three["saved"] <= three["saved_high"]
    assert three["cllr"] != rows["fused-1", "cross"]["cllr"]

    code, told = run(capsys, monkeypatch, "validate", demo / "gallery", "--out", report, *measured)
    assert code == 0
    assert {cell["mode"] for cell in told["cells"]} == {"image"}
    assert "fused-3, words cross3, normal: not validated, no pair of one person" in told["warnings"]


def test_a_number_of_lines_without_a_regime_is_refused(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for lines in ("4", "1,1", "three"):
        asked = "calibrate", demo / "gallery", "--out", tmp_path / "c.json", *DATA, "--lines", lines
        code, told = run(capsys, monkeypatch, *asked)
        assert code == 2
        assert f"--lines; found: {lines}; expected:" in told


@pytest.mark.parametrize("arguments", [["--fpir", "0.1", "--mode", "caption"], ["--fpir", "0.1"]])
def test_a_threshold_needs_a_calibration_and_its_mode(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "none.json"
    code, told = run(capsys, monkeypatch, "threshold", *arguments, "--calibration", path)
    assert code == 2
    assert str(path) in told
