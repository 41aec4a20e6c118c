"""What a search's scores are worth: numbers of the calibration in force, or a reason code and no number."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer import Store
from pipelines.enrol.index import IndexSummary
from pipelines.search.compare import compare
from pipelines.search.evidence import PICTURE_ALONE, Judge, binding_of
from pipelines.search.gallery import Gallery
from tests.forensic.scores import gaussian_pairs
from tgfr_search.app.cli.main import main
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.calibration import Calibration, Origin
from tgfr_search.forensic.evidence import Declared
from tgfr_search.forensic.modes import ModeCalibration, fit_mode, strangers_of
from tgfr_search.forensic.pairs import thinned
from tgfr_search.forensic.statement import Population
from tgfr_search.forensic.words import Origin as WordsOrigin
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.pages.sentences import note
from tgfr_search.types import ByteArray

KEYS = {"log10", "low", "high", "bounded", "refused", "image_log10"}


def mode(scale: float) -> ModeCalibration:
    pairs = thinned(gaussian_pairs(people=110, images=6, quality=(0.0, 1.0)), 20_000, 0)
    pairs = replace(pairs, score=pairs.score * scale)
    other = pairs.take(~pairs.genuine)
    strangers = strangers_of(other.score[:2000], other.quality[:2000], 109)
    return fit_mode(pairs, (other.score, other.quality), strangers, refits=3, seed=0)


@pytest.fixture(scope="module")
def calibration(model: FaceTextModel) -> Calibration:
    origin = Origin("d" * 64, "valid", "0.1.0", 0, ("normal",))
    people = Population("synthetic people", 110, "all of them")
    return Calibration(binding_of(model, "dlib"), origin, people, {"image": mode(1.0), "fused-1": mode(1.3)})


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel, calibration: Calibration) -> Gallery:
    judge = Judge(model, binding_of(model, "dlib"), calibration)
    return Gallery(Store.open(enrolled[0]), model, FaceFinder(), judge=judge)


@pytest.fixture(scope="module")
def probe(demo: Path) -> Path:
    return sorted((demo / "probes").rglob("*.png"))[0]


def no_number(lr: Any) -> bool:
    return not any(isinstance(value, int | float) and not isinstance(value, bool) for value in lr.values())


def test_each_candidate_says_what_it_is_worth(gallery: Gallery, probe: Path, calibration: Calibration) -> None:
    result = gallery.query(probe, mode="image", top_k=12)
    tree = json.loads(json.dumps(result.as_dict()))
    assert all(set(hit["lr"]) == KEYS for hit in tree["candidates"])
    worth = [hit["lr"]["log10"] for hit in tree["candidates"]]
    assert worth == sorted(worth, reverse=True)
    strangers = [hit["expected_strangers"] for hit in tree["candidates"]]
    assert strangers == sorted(strangers)
    assert 0 <= strangers[0] <= strangers[-1] <= len(gallery)
    told = calibration.modes["image"].calibrator.ratios(
        np.array([result.candidates[0].score]), np.array([result.probe["quality"]["predicted"]])
    )
    assert worth[0] == pytest.approx(float(told.log10[0]), abs=1e-3)
    assert tree["calibration"]["sha256"] == calibration.sha256
    assert "synthetic people" in tree["calibration"]["propositions"][1]
    fewer = gallery.query(probe, mode="image", where="male = true")
    assert max(hit.expected_strangers or 0 for hit in fewer.candidates) < len(gallery)


def test_words_come_as_an_increment_of_the_picture(gallery: Gallery, probe: Path) -> None:
    picture = gallery.query(probe, mode="image", top_k=12)
    alone = {hit.row_id: hit.lr["log10"] for hit in picture.candidates if hit.lr is not None}
    for hit in gallery.query(probe, caption="a young man with black hair", top_k=12).candidates:
        assert hit.lr is not None
        assert hit.lr["refused"] is None
        if hit.row_id in alone:
            assert hit.lr["image_log10"] == pytest.approx(alone[hit.row_id], abs=1e-3)
        assert hit.lr["log10"] >= hit.lr["image_log10"] + np.log10(0.2) - 1e-3  # the witness may be wrong


def test_a_picture_with_words_goes_through_the_networks_once(gallery: Gallery, probe: Path) -> None:
    """What its words add to is the picture's own score, of the same vectors."""
    passes = list[int]()

    class Counted:
        spec = gallery.model.face_encoder.spec

        def encode(self, chips: ByteArray) -> FaceFeatures:
            passes.append(len(chips))
            return gallery.model.face_encoder.encode(chips)

    model = replace(gallery.model, face_encoder=Counted())
    own = Gallery(gallery.store, model, gallery.finder, judge=gallery.judge)
    answer = own.query(probe, caption="a young man with black hair").candidates[0].lr
    assert answer is not None
    assert answer["image_log10"] is not None
    assert passes == [1]
    compare(model, gallery.finder, gallery.judge, probe, probe, "a young man with black hair")
    assert passes == [1, 1, 1]


OTHERWISE = "some old bloke, no specs and no fringe"
"""Not in the phrasing of the captions that the text encoder, and any calibration here, was taught."""


def test_words_that_no_calibration_has_seen_rank_and_the_ratio_is_the_pictures(gallery: Gallery, probe: Path) -> None:
    picture = {hit.row_id: hit for hit in gallery.query(probe, mode="image", top_k=12).candidates}
    result = gallery.query(probe, caption=OTHERWISE, top_k=12)
    assert note(PICTURE_ALONE) in result.notes
    assert result.mode == "fused"
    assert any(abs(hit.score - picture[hit.row_id].score) > 0.05 for hit in result.candidates)
    for hit in result.candidates:
        alone = picture[hit.row_id]
        assert hit.lr is not None
        assert alone.lr is not None
        assert hit.lr["image_log10"] == hit.lr["log10"] == pytest.approx(alone.lr["log10"], abs=1e-3)
        assert (hit.lr["refused"], hit.lr["bounded"]) == (None, alone.lr["bounded"])
        assert hit.expected_strangers == pytest.approx(alone.expected_strangers, rel=1e-3)
    taught = gallery.query(probe, caption="The man is young. He has black hair.", top_k=1)
    assert note(PICTURE_ALONE) not in taught.notes
    of_the_picture = replace(gallery.judge, declared=Declared(origin=WordsOrigin.PROBE_PICTURE))
    told = Gallery(gallery.store, gallery.model, gallery.finder, judge=of_the_picture)
    refused = told.query(probe, caption=OTHERWISE).candidates[0].lr
    assert refused is not None
    assert refused["refused"] == "description_of_the_probe_picture"


def test_an_identification_has_no_threshold_for_such_words(gallery: Gallery, probe: Path) -> None:
    own = Gallery(gallery.store, gallery.model, gallery.finder, judge=replace(gallery.judge, fpir=0.02))
    assert own.query(probe, caption="The man is young. He has black hair.").threshold is not None
    with pytest.raises(InputError, match="words put in another way"):
        own.query(probe, caption=OTHERWISE)


def test_a_comparison_says_whose_ratio_it_has(gallery: Gallery, probe: Path, model: FaceTextModel) -> None:
    pair = (model, gallery.finder, gallery.judge, probe, probe)
    told, alone = compare(*pair, OTHERWISE), compare(*pair)
    assert told.notes == (note(PICTURE_ALONE),)
    assert alone.notes == ()
    assert told.lr["log10"] == pytest.approx(alone.lr["log10"], abs=1e-3)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"caption": ["a young man", "he has black hair"]}, "mode_not_calibrated"),
        ({"caption": "a young man", "mode": "caption"}, "mode_not_calibrated"),
        ({"mode": "image", "aggregate": "mean"}, "mode_not_calibrated"),
    ],
)
def test_what_is_not_calibrated_has_no_number(
    gallery: Gallery, probe: Path, asked: dict[str, Any], reason: str
) -> None:
    for hit in gallery.query(probe, **asked).candidates:
        assert hit.lr is not None
        assert hit.lr["refused"] == reason
        assert no_number(hit.lr)
        assert hit.expected_strangers is None


def test_without_a_calibration_there_is_a_reason(gallery: Gallery, probe: Path, model: FaceTextModel) -> None:
    bare = Gallery(gallery.store, model, FaceFinder(), judge=Judge(model, binding_of(model, "dlib"), None))
    result = bare.query(probe)
    assert result.calibration is None
    assert all(hit.lr is not None and hit.lr["refused"] == "no_calibration" for hit in result.candidates)


def test_another_models_calibration_is_refused(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, calibration: Calibration, tmp_path: Path
) -> None:
    path = tmp_path / "calibration.json"
    replace(calibration, binding=binding_of(model, "retinaface")).write(path)
    with pytest.raises(InputError, match="contract_sha256"):
        Gallery.open(enrolled[0], model=model, calibration=path)


def test_one_picture_against_one(gallery: Gallery, demo: Path, model: FaceTextModel, probe: Path) -> None:
    pictures = sorted((demo / "gallery").rglob("*.png"))
    ranked = gallery.query(probe, mode="image", top_k=12).candidates
    best = next(path for path in pictures if path.as_posix().endswith(ranked[0].image))
    worst = next(path for path in pictures if path.as_posix().endswith(ranked[-1].image))
    near, far = (compare(model, gallery.finder, gallery.judge, probe, path) for path in (best, worst))
    # The enrolled record also has its lines, which a picture of today weighs a little.
    assert near.score == pytest.approx(ranked[0].score, abs=0.1)
    assert far.score == pytest.approx(ranked[-1].score, abs=0.1)
    assert near.lr["log10"] > far.lr["log10"]
    assert ranked[0].lr is not None
    assert near.lr["log10"] == pytest.approx(ranked[0].lr["log10"], abs=0.1)
    worded = compare(model, gallery.finder, gallery.judge, probe, best, "a young man with black hair")
    assert worded.mode == "fused"
    assert worded.lr["image_log10"] == pytest.approx(near.lr["log10"], abs=1e-3)


def test_the_command_prints_the_same(
    probe: Path, calibration: Calibration, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "calibration.json"
    calibration.write(path)
    for ending in (["--json"], []):
        command = ["tgfr-search", "compare", str(probe), str(probe), "--calibration", str(path), *ending]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        told = capsys.readouterr()
        if ending:
            tree = json.loads(told.out)
            assert set(tree["lr"]) == KEYS
            assert tree["lr"]["bounded"]
            assert tree["calibration"]["sha256"] == calibration.sha256
        else:
            assert "at least" in told.out
            assert "≥ " in told.out
            assert "H2: the probe shows another person of synthetic people" in told.err
            assert "%" not in told.out


def test_the_shipped_calibration_is_the_default_models_own(model: FaceTextModel) -> None:
    """Whoever changes the model, its score weights or how faces are found must calibrate again."""
    judge = Judge.of(model, "dlib")
    assert judge.calibration is not None
    judge.calibration.require(judge.binding)
    assert set(judge.calibration.modes) >= {"image", "fused-1"}
    assert judge.calibration.origin.split == "valid"
    assert (model.folder / "calibration.json").stat().st_size < 300_000
    assert all(mode.calibrator.bounds.high <= np.log10(mode.people) for mode in judge.calibration.modes.values())
