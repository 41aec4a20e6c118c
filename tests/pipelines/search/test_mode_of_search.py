"""Two modes of a search, and what is declared of its probe: both reach the answer, the sheet and the log."""

# ruff: noqa: F811 - fixtures of another file

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.search.gallery import Gallery
from pipelines.search.sheet.sheet import write_sheet
from tests.pipelines.search.test_judge import calibration, gallery, no_number, probe  # noqa: F401 - fixtures
from tgfr_search.app.cli.declared import declared, list_of
from tgfr_search.app.cli.main import main
from tgfr_search.audit.entries import Entry
from tgfr_search.audit.retention import read_entries
from tgfr_search.errors import InputError
from tgfr_search.forensic.calibration import Calibration, read_calibration


class Told:
    """A journal in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def commitment(self, value: str | bytes) -> str:
        return "c" * 64

    def record(self, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries)


def test_an_identification_reports_those_who_reach_the_threshold(
    gallery: Gallery,
    probe: Path,
    calibration: Calibration,
) -> None:
    told = Told()
    whole = gallery.query(probe, mode="image", top_k=12)
    judge = replace(gallery.judge, fpir=0.02)
    own = Gallery(gallery.store, gallery.model, gallery.finder, told, judge)
    result = own.query(probe, mode="image", top_k=12)
    limit = calibration.modes["image"].strangers.threshold(0.02, len(gallery)).score
    assert [hit.subject_id for hit in result] == [hit.subject_id for hit in whole if hit.score >= limit]
    assert result.threshold is not None
    assert (result.threshold["score"], result.searched) == (limit, len(gallery))
    assert any("identification: threshold" in note for note in result.notes)
    (entry,) = told.entries
    assert entry.details == {"mode": "image", "mode_of_search": "identification", "searched": len(gallery)}
    assert entry.list_length == 12
    assert whole.threshold is None
    with pytest.raises(InputError, match="no threshold for caption-1"):
        own.query(caption="a young man")


def test_nobody_is_a_result(gallery: Gallery, probe: Path, calibration: Calibration) -> None:
    own = calibration.modes["image"]
    high = replace(own, strangers=replace(own.strangers, tops=tuple(1e6 - at for at in range(1000))))
    judge = replace(gallery.judge, fpir=0.02, calibration=replace(calibration, modes={"image": high}))
    result = Gallery(gallery.store, gallery.model, gallery.finder, judge=judge).query(probe, mode="image")
    assert not result.candidates
    assert "no candidate reaches the threshold: that is the result of this search" in result.notes


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((None, None, None), (10, None)),
        (("investigation", None, None), (20, None)),
        (("investigation", 7, None), (7, None)),
        (("identification", None, None), (20, 0.01)),
        (("identification", 5, 0.1), (5, 0.1)),
    ],
)
def test_the_length_of_the_list(asked: tuple[Any, ...], told: tuple[Any, ...]) -> None:
    assert list_of(*asked) == told


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("verification", None, None), "--mode-of-search"),
        ((None, None, 0.1), "--fpir"),
        (("investigation", None, 0.1), "--fpir"),
    ],
)
def test_what_is_no_mode_of_search(asked: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        list_of(*asked)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (["--probe-kind", "sketch"], "not_a_photograph_of_the_person"),
        (["--generated"], "generated_detail"),
        (["--processing", "crop", "--processing", "sharpen"], "enhanced"),
        (["--population", "other people"], "population_mismatch"),
        (
            ["--caption-origin", "made from the probe picture", "--caption", "a young man"],
            "description_of_the_probe_picture",
        ),
    ],
)
def test_what_is_declared_refuses(
    said: Sequence[str], reason: str, probe: Path, calibration: Calibration, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "calibration.json"
    calibration.write(path)
    command = ["tgfr-search", "compare", str(probe), str(probe), "--calibration", str(path), "--json", *said]
    command += ["--audit", str(tmp_path / "log")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    lr = json.loads(capsys.readouterr().out)["lr"]
    assert lr["refused"] == reason
    (entry,) = [each for _, each in read_entries(tmp_path / "log") if each["act"] == "comparison"]
    assert entry["details"]["refused"] == reason
    assert entry["calibration"] == read_calibration(path).sha256
    told = (tmp_path / "log" / "log.jsonl").read_text()
    assert not [each for each in ("young man", "other people", probe.name) if each in told]
    assert no_number(lr)


def test_what_nobody_can_declare() -> None:
    with pytest.raises(InputError, match="--probe-kind"):
        declared("photo", None, False, "witness", "")
    with pytest.raises(InputError, match="--caption-origin"):
        declared("still", None, False, "myself", "")


def test_the_sheet_says_what_a_candidate_is_worth(gallery: Gallery, probe: Path, tmp_path: Path) -> None:
    result = gallery.query(probe, mode="image", top_k=3)
    write_sheet(tmp_path / "sheet.html", gallery, result, probe, ())
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("log10 LR ") == 3
    assert "H2: the probe shows another person of synthetic people" in page
    write_sheet(tmp_path / "sheet.png", gallery, result, probe, ())
