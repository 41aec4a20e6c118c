"""A kept probe is matched with what is enrolled later: by the score of a search, once, by its own model alone."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer import Store, watches
from pipelines.enrol.index import index_gallery
from pipelines.search.evidence import binding_of
from pipelines.search.gallery import Gallery
from pipelines.search.watch.keep import Limit, add_watch
from pipelines.search.watch.listed import list_watches
from pipelines.search.watch.match import Watching
from tests.pipelines.search.test_judge import mode
from tgfr_search.app.cli.main import main
from tgfr_search.errors import InputError
from tgfr_search.forensic.calibration import Calibration, Origin
from tgfr_search.forensic.statement import Population
from tgfr_search.model.loaded import FaceTextModel

LOW = -1000.0
"""Everybody reaches it."""


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
def grown(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> tuple[Path, Path, Path]:
    """An index of a gallery less one photo, that photo's place in the gallery, and where it is meanwhile."""
    place = min(gallery_folder.rglob("view1.png"))
    aside = tmp_path / "aside.png"
    shutil.move(place, aside)
    index_gallery(gallery_folder, tmp_path / "index", model, workers=0)
    return tmp_path / "index", place, aside


@pytest.mark.parametrize("words", [(), ("a woman with black hair",)])
def test_a_new_row_is_a_hit_with_the_score_of_a_search(
    grown: tuple[Path, Path, Path], gallery_folder: Path, model: FaceTextModel, demo: Path, words: tuple[str, ...]
) -> None:
    index, place, aside = grown
    probe = demo / "probes" / f"{place.parent.name}.png"
    gallery = Gallery.open(index, model=model)
    watch, _ = add_watch(gallery, probe, words, limit=Limit(LOW))
    shutil.move(aside, place)
    watching = Watching.of(index, model)
    index_gallery(gallery_folder, index, model, workers=0, committed=watching)
    assert watching.as_list() == [{"watch": watch.name, "hits": 1, "rows": 1}]
    (told,) = list_watches(index)
    (hit,) = told["hits"]
    assert (hit["subject_id"], Path(hit["image"]).name, hit["deleted"]) == (place.parent.name, place.name, False)
    assert (told["mode"], told["lines"], told["rows"], told["waiting"]) == (
        "fused" if words else "image",
        len(words),
        1,
        0,
    )
    found = Gallery.open(index, model=model).query(probe, caption=words, top_k=20)
    scores = {each.row_id: each.score for each in found.candidates}
    assert hit["score"] == pytest.approx(scores[hit["row_id"]], abs=1e-3)
    text = (index / "watches" / f"{watch.name}.json").read_text()
    assert "black hair" not in text
    assert found.probe["sha256"] not in text
    again = Watching.of(index, model)
    index_gallery(gallery_folder, index, model, workers=0, committed=again)
    assert again.as_list() == []


def test_a_gallery_that_is_built_matches_too(
    grown: tuple[Path, Path, Path], gallery_folder: Path, model: FaceTextModel, demo: Path
) -> None:
    index, place, aside = grown
    add_watch(Gallery.open(index, model=model), demo / "probes" / f"{place.parent.name}.png", limit=Limit(LOW))
    shutil.move(aside, place)
    Gallery.build(gallery_folder, index, model=model, workers=0)
    (told,) = list_watches(index)
    assert (told["waiting"], [hit["subject_id"] for hit in told["hits"]]) == (0, [place.parent.name])


def test_rows_of_a_run_that_was_killed_before_its_hits_are_matched_by_the_next(
    grown: tuple[Path, Path, Path], gallery_folder: Path, model: FaceTextModel, demo: Path
) -> None:
    index, place, aside = grown
    gallery = Gallery.open(index, model=model)
    add_watch(gallery, demo / "probes" / f"{place.parent.name}.png", limit=Limit(LOW))
    shutil.move(aside, place)

    def killed(store: Store) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index_gallery(gallery_folder, index, model, workers=0, committed=killed)
    (told,) = list_watches(index)
    assert (told["waiting"], told["hits"]) == (1, [])
    watching = Watching.of(index, model)
    index_gallery(gallery_folder, index, model, workers=0, committed=watching)
    (told,) = list_watches(index)
    assert (told["waiting"], len(told["hits"])) == (0, 1)


def test_another_model_space_or_cohort_is_refused(index: Path, model: FaceTextModel, demo: Path) -> None:
    gallery = Gallery.open(index, model=model)
    watch, _ = add_watch(gallery, demo / "probes" / "person0001.png", limit=Limit(LOW))
    Watching.of(index, model)
    other = {
        name: {**terms, "face": tuple(2 * w for w in terms["face"])}
        for name, terms in model.scoring.weights.items()
        if "face" in terms
    }
    changed = replace(model, scoring=replace(model.scoring, weights={**model.scoring.weights, **other}))
    with pytest.raises(InputError, match=f"watch {watch.name}; found: other score weights"):
        Watching.of(index, changed)
    with pytest.raises(InputError, match=f"watch remove {watch.name}"):
        Watching(model).scorer(watches.read_watches(index)[0], "retinaface")
    (kept,) = watches.read_watches(index)
    told = {**kept.told, "correction": {"low": [0.0] * 4, "high": [0.0] * 4}, "cohort_sha256": "c" * 64}
    (index / "watches" / f"{watch.name}.json").write_bytes(replace(kept, told=told).to_bytes())
    with pytest.raises(InputError, match=f"watch {watch.name}: cohort; found:"):
        Watching.of(index, model)
    # one that was added while a run is at work is told, and its rows wait
    late = Watching(model)
    late(Store.open(index))
    assert "cohort" in late.as_list()[0]["problem"]


def test_a_rate_of_false_alarms_is_the_calibrations(
    index: Path, model: FaceTextModel, demo: Path, tmp_path: Path
) -> None:
    origin = Origin("d" * 64, "valid", "0.1.0", 0, ("normal", "bad"))
    detector = Gallery.open(index, model=model).finder.detector
    fitted = Calibration(binding_of(model, detector), origin, Population("synthetic", 200, "all"), {"image": mode(1.0)})
    fitted.write(tmp_path / "c.json")
    gallery = Gallery.open(index, model=model, calibration=tmp_path / "c.json")
    probe = demo / "probes" / "person0001.png"
    watch, warning = add_watch(gallery, probe, limit=Limit(fpir=0.05, rows_a_day=100))
    own = fitted.modes["image"].strangers.threshold(0.05, 100)
    assert (watch.threshold, warning) == (own.score, own.warning)
    (told,) = list_watches(index)
    expected = told["expected"]
    assert expected["refused"] is None
    assert 0 < expected["a_row"] < 0.2
    assert expected["a_day"] == pytest.approx(100 * expected["a_row"])
    with pytest.raises(InputError, match="--fpir; found: no threshold for"):
        add_watch(gallery, probe, "a woman", limit=Limit(fpir=0.05))
    unknown, _ = add_watch(gallery, probe, "a woman", limit=Limit(1.0))
    (told,) = [each for each in list_watches(index) if each["watch"] == unknown.name]
    assert told["expected"]["a_row"] is None
    assert told["expected"]["refused"] in ("mode_not_calibrated", "words_put_in_another_way")


def test_limits_that_make_no_sense_are_refused() -> None:
    for wrong in ({}, {"threshold": 1.0, "fpir": 0.1}, {"threshold": float("nan")}, {"fpir": 0.1, "rows_a_day": 0}):
        with pytest.raises(InputError, match=r"--threshold|--rows-a-day"):
            Limit(**wrong)  # type: ignore[arg-type]


def test_the_commands(
    grown: tuple[Path, Path, Path], gallery_folder: Path, demo: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    index, place, aside = grown
    probe, log = demo / "probes" / f"{place.parent.name}.png", ("--audit", tmp_path / "log")
    code, told = run(capsys, monkeypatch, "watch", "add", probe, "--index", index, "--threshold", LOW, *log)
    assert code == 0, told
    name = told["watch"]
    assert (told["rows"], told["hits"], told["threshold"]) == (0, [], LOW)
    shutil.move(aside, place)
    code, told = run(capsys, monkeypatch, "index", gallery_folder, "--out", index, "--workers", "0", *log)
    assert code == 0
    assert told["watches"] == [{"watch": name, "hits": 1, "rows": 1}]
    code, told = run(capsys, monkeypatch, "watch", "list", index, *log)
    assert code == 0
    assert [hit["subject_id"] for hit in told["watches"][0]["hits"]] == [place.parent.name]
    code, _ = run(capsys, monkeypatch, "watch", "remove", name, "--index", index, *log)
    assert code == 0
    assert not list((index / "watches").glob("*.json"))
    code, told = run(capsys, monkeypatch, "audit", "show", tmp_path / "log")
    acts = [entry["act"] for entry in told["entries"]] if code == 0 and "entries" in told else []
    assert [act for act in acts if act.startswith("watch")] == ["watch changed"] * 2 + ["watch hit"] + [
        "watch changed"
    ] * 2
