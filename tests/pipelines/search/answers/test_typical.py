"""Typicality in a search: the head of the list is scored again, everywhere by the same rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer import Store
from pipelines.enrol.index import IndexSummary
from pipelines.search.answers import typical as typical_module
from pipelines.search.answers.typical import Typical
from pipelines.search.compare import compare
from pipelines.search.evidence import Judge, binding_of, cohort_of
from pipelines.search.explain.explain import explain
from pipelines.search.gallery import Gallery
from tests.pipelines.search.test_judge import mode
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.calibration import Calibration, Origin
from tgfr_search.forensic.correction import Correction
from tgfr_search.forensic.statement import Population
from tgfr_search.model.cohort import Cohort, write_cohort
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import make_probes_of_faces
from tgfr_search.types import Templates

PEOPLE = 120
RULE = Correction((-0.5, 0.1, -0.8, -0.3), (-0.6, 0.2, -0.7, -1.0))


def unit(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    made = rng.normal(size=(count, size)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def templates(model: FaceTextModel, seed: int) -> Templates:
    rng = np.random.default_rng(seed)
    return Templates({name: unit(rng, PEOPLE, size) for name, size in model.tgfr.layout})


@pytest.fixture(scope="module")
def cohort_file(model: FaceTextModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cohort") / "cohort.safetensors"
    quality = np.array([[0.95] * PEOPLE, [0.4] * PEOPLE], np.float32)
    write_cohort(
        path, templates(model, 1), [templates(model, 1), templates(model, 2)], quality,
        contract_sha256=binding_of(model, "dlib").contract_sha256, data_sha256="a" * 64, photos=["b" * 64],
        subjects=["somebody"],
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def cohort(cohort_file: Path, model: FaceTextModel) -> Cohort:
    found = cohort_of(model, "dlib", cohort_file)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def calibration(model: FaceTextModel, cohort: Cohort) -> Calibration:
    origin = Origin("d" * 64, "valid", "0.1.0", 0, ("normal",))
    people = Population("synthetic people", 110, "all of them")
    modes = {"image": replace(mode(1.0), correction=RULE), "fused-1": replace(mode(1.3), correction=RULE)}
    return Calibration(binding_of(model, "dlib", cohort), origin, people, modes)


@pytest.fixture(scope="module")
def gallery(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, calibration: Calibration, cohort: Cohort
) -> Gallery:
    judge = Judge(model, binding_of(model, "dlib", cohort), calibration, cohort=cohort)
    return Gallery(Store.open(enrolled[0]), model, FaceFinder(), judge=judge)


@pytest.fixture(scope="module")
def plain(gallery: Gallery, model: FaceTextModel) -> Gallery:
    return Gallery(gallery.store, model, FaceFinder(), judge=Judge(model, binding_of(model, "dlib"), None))


@pytest.fixture(scope="module")
def probe(demo: Path) -> Path:
    return sorted((demo / "probes").rglob("*.png"))[0]


@pytest.mark.parametrize("caption", ["", "a young man with black hair"])
def test_every_candidate_is_raised_by_what_the_rule_says(
    gallery: Gallery, plain: Gallery, cohort: Cohort, probe: Path, caption: str
) -> None:
    told, before = gallery.query(probe, caption=caption, top_k=12), plain.query(probe, caption=caption, top_k=12)
    scores = [hit.score for hit in told.candidates]
    assert scores == sorted(scores, reverse=True)
    face = told.face
    assert face is not None
    own = {hit.subject_id: hit for hit in before.candidates}
    made = make_probes_of_faces(gallery.model, [face.pixels], [(caption,) if caption else ()], [told.mode])
    q = made.quality.astype(np.float64)
    for hit in told.candidates:
        row = gallery.store.vectors([hit.row_id])
        # by hand: the tenth of 120 is 12
        t = np.sort(made.queries[0] @ cohort.rows.T + made.offsets[0])[-12:]
        z = cohort.of_records(row, told.mode)[:, 0]
        at = np.clip((q[0] - 0.4) / 0.55, 0, 1)
        share = np.clip((q[0] - 0.2) / 0.8, 0, 1)
        weight = np.array(RULE.low) * (1 - share) + np.array(RULE.high) * share
        added = weight[:2] @ [t.mean(), t.std()] + weight[2:] @ (z[0] * at + z[1] * (1 - at))
        assert hit.typicality == pytest.approx(added, abs=1e-3)
        assert hit.score == pytest.approx(own[hit.subject_id].score + added, abs=1e-3)
        assert hit.score == pytest.approx(sum(hit.blocks.values()) + told.offset + hit.typicality, abs=1e-3)
        assert hit.lr is not None
        assert hit.lr["refused"] is None
    assert all(hit.typicality == 0 for hit in before.candidates)
    explained = explain(gallery, told, probe, caption, count=2)
    assert explained.candidates[0].score == pytest.approx(told.candidates[0].score, abs=1e-3)


def test_the_picture_beside_words_is_corrected_too(gallery: Gallery, probe: Path) -> None:
    alone = {hit.row_id: hit for hit in gallery.query(probe, mode="image", top_k=12).candidates}
    for hit in gallery.query(probe, caption="a young man with black hair", top_k=12).candidates:
        if hit.row_id in alone and hit.lr is not None:
            assert hit.lr["image_log10"] == pytest.approx((alone[hit.row_id].lr or {})["log10"], abs=1e-3)


def test_who_is_crowded_out_of_a_short_list_comes_back(
    gallery: Gallery, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gallery.query(probe, mode="image", top_k=12).candidates
    assert gallery.query(probe, mode="image", top_k=1).candidates[0].subject_id == whole[0].subject_id
    monkeypatch.setattr(typical_module, "HEAD", 1)
    monkeypatch.setattr(typical_module, "HEAD_TIMES", 1)
    few = gallery.query(probe, mode="image", top_k=3).candidates
    assert {hit.subject_id for hit in few} <= {hit.subject_id for hit in whole}
    assert len(few) == 3


def test_one_picture_against_one_is_corrected_alike(
    gallery: Gallery, demo: Path, model: FaceTextModel, probe: Path
) -> None:
    best = gallery.query(probe, mode="image", top_k=1).candidates[0]
    path = next(path for path in (demo / "gallery").rglob("*.png") if path.as_posix().endswith(best.image))
    told = compare(model, gallery.finder, gallery.judge, probe, path)
    assert told.score == pytest.approx(best.score, abs=0.3)  # the enrolled record has its lines, too


def test_another_cohort_is_refused(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, calibration: Calibration, cohort_file: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    path = tmp_path / "calibration.json"
    calibration.write(path)
    assert Gallery.open(enrolled[0], model=model, calibration=path, cohort=cohort_file).judge.typical is not None
    replace(calibration, binding=replace(calibration.binding, cohort_sha256="e" * 64)).write(path)
    with pytest.raises(InputError, match="cohort_sha256"):
        Gallery.open(enrolled[0], model=model, calibration=path, cohort=cohort_file)
    other = tmp_path / "other.safetensors"
    content = cohort_file.read_bytes()
    digest = binding_of(model, "dlib").contract_sha256.encode()
    other.write_bytes(content.replace(digest, b"f" * 64))
    with pytest.raises(InputError, match="contract_sha256"):
        cohort_of(model, "dlib", other)
    other.write_bytes(content[:1000])
    with pytest.raises(InputError, match="no cohort"):
        cohort_of(model, "dlib", other)


def test_a_cohort_shares_nobody(cohort: Cohort) -> None:
    cohort.require_disjoint(["c" * 64], ["somebody"], "e" * 64, "gallery")  # of other data, the name says nothing
    with pytest.raises(InputError, match="in the gallery too"):
        cohort.require_disjoint(["b" * 64], [], "", "gallery")
    with pytest.raises(InputError, match="in the probes too"):
        cohort.require_disjoint([], ["somebody"], "a" * 64, "probes")


def test_a_mode_takes_the_nearest_correction_below(cohort: Cohort) -> None:
    other = replace(RULE, low=(0.0,) * 4)
    own = Typical(cohort, {"image": RULE, "fused-1": other})
    assert own.correction("image", 0) is RULE
    assert own.correction("fused", 3) is other
    assert own.correction("caption", 1) is None
    assert Typical(cohort, {"image": RULE}).correction("fused", 1) is None
