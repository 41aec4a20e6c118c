"""Searching: image, description or both; what the answer holds; what is refused."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer import Contract, ContractMismatchError, FilterError, NotAnIndexError, Store
from pipelines.enrol.index import IndexSummary, contract_of, index_gallery, model_of
from pipelines.search.gallery import Gallery
from pipelines.search.sheet.sheet import write_sheet
from tests.models import FAST_MODEL
from tgfr_search.errors import FaceError, InputError, Reason
from tgfr_search.faces.align import ALIGNMENTS, DLIB_CHIP
from tgfr_search.model import checkpoint
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import LEAD_NOTICE


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


@pytest.fixture(scope="module")
def probes(demo: Path) -> list[tuple[Path, str, str]]:
    """(photo, subject, what the witness said) of every clean probe."""
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["quality"] == "clean"]
    return [(demo / row["image"], row["subject_id"], row["caption"]) for row in rows]


def test_an_index_is_searched_by_the_model_that_made_it(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "DEFAULT_MODEL", "tgfr-minilm-sface")
    opened = Gallery.open(enrolled[0], device="cpu")
    assert (opened.model.model_id, opened.finder.detector) == (model.model_id, "dlib")
    assert model_of(opened.store) == FAST_MODEL
    assert model_of(None) is None


@pytest.mark.parametrize("mode", ["image", "fused"])
def test_clean_probes_find_their_subject(gallery: Gallery, probes: list[tuple[Path, str, str]], mode: str) -> None:
    hits = 0
    for path, subject, caption in probes:
        try:
            result = gallery.query(path, caption=caption, mode=mode, top_k=3)  # type: ignore[arg-type]
        except FaceError:
            continue
        hits += result.candidates[0].subject_id == subject
    assert hits >= 10


def test_a_description_alone_beats_chance(gallery: Gallery, probes: list[tuple[Path, str, str]]) -> None:
    results = gallery.query_many([(None, caption) for _, _, caption in probes], top_k=100)
    assert {r.mode for r in results} == {"caption"}
    ranks = [
        next(c.rank for c in r.candidates if c.subject_id == subject)
        for r, (_, subject, _) in zip(results, probes, strict=True)
    ]
    # Deaf to the words, each rank would be any of 1 to 12: of as many probes the mean is below this once in a thousand.
    draws = np.random.default_rng(0).integers(1, 13, (100_000, len(ranks))).mean(axis=1)
    assert np.mean(ranks) < np.quantile(draws, 1e-3)


def test_the_answer(gallery: Gallery, probes: list[tuple[Path, str, str]], enrolled: tuple[Path, IndexSummary]) -> None:
    path, _, caption = probes[0]
    result = gallery.query(path, caption=caption, top_k=5)
    assert result.mode == "fused"
    assert result.notice == LEAD_NOTICE
    assert [c.rank for c in result.candidates] == [1, 2, 3, 4, 5]
    scores = [c.score for c in result.candidates]
    assert scores == sorted(scores, reverse=True)
    for hit in result.candidates:
        assert sum(hit.blocks.values()) + result.offset == pytest.approx(hit.score, abs=1e-3)
        assert set(hit.blocks) == {"face", "adapted", "shared_face", "caption", "fused", "description", "looks"}
        row = gallery.store.rows([hit.row_id])[0]
        assert (row.subject_id, row.image, " ".join(row.captions)) == (hit.subject_id, hit.image, hit.caption)
    assert set(result.timing_ms) == {"load", "detect", "encode", "search"}
    assert result.model_id == gallery.model.model_id
    assert result.index_id.startswith(enrolled[1].index_id)
    assert [face["number"] for face in result.probe["faces"]] == [1]
    assert len(result.probe["sha256"]) == 64
    assert 0 < result.probe["quality"]["predicted"] <= 1
    assert json.loads(json.dumps(result.as_dict()))["candidates"][0]["subject_id"] == result.candidates[0].subject_id


def test_the_answer_as_a_table(gallery: Gallery, probes: list[tuple[Path, str, str]]) -> None:
    path, _, caption = probes[0]
    result = gallery.query(path, caption=caption, top_k=4)
    frame = result.to_frame()
    blocks = [f"block_{name}" for name in result.candidates[0].blocks]
    ends = ["image", "caption", "auto_caption", "typicality"]
    assert list(frame.columns) == ["rank", "subject_id", "row_id", "score", *blocks, *ends]
    assert list(frame["rank"]) == [1, 2, 3, 4]
    for row, hit in zip(frame.to_dict("records"), result.candidates, strict=True):
        assert (row["subject_id"], row["row_id"], row["score"]) == (hit.subject_id, hit.row_id, hit.score)
        assert (row["image"], row["caption"], row["auto_caption"]) == (hit.image, hit.caption, hit.auto_caption)
        assert {name: row[f"block_{name}"] for name in hit.blocks} == hit.blocks
    summed = frame[blocks].sum(axis=1) + frame["typicality"] + frame.attrs["offset"]
    assert np.allclose(summed, frame["score"], atol=1e-3)
    assert (frame.attrs["mode"], frame.attrs["notice"]) == ("fused", LEAD_NOTICE)
    empty = dataclasses.replace(result, candidates=()).to_frame()
    assert len(empty) == 0
    assert list(empty.columns) == ["rank", "subject_id", "row_id", "score", *ends]


def test_no_caption_is_exactly_the_image_search(gallery: Gallery, probes: list[tuple[Path, str, str]]) -> None:
    path, _, caption = probes[1]
    image = gallery.query(path, mode="image")
    for same in (
        gallery.query(path, mode="fused"),
        gallery.query(path),
        gallery.query(path, caption="  "),
        gallery.query(path, caption=caption, mode="image"),
    ):
        assert same.candidates == image.candidates
        assert same.mode == "image"


def test_a_probe_in_every_form_gives_the_same_answer(gallery: Gallery, probes: list[tuple[Path, str, str]]) -> None:
    path = probes[0][0]
    want = gallery.query(path).candidates
    assert gallery.query(str(path)).candidates == want
    assert gallery.query(path.read_bytes()).candidates == want
    assert gallery.query(np.asarray(Image.open(path).convert("RGB"))).candidates == want


def test_a_batch_gives_what_single_queries_give(gallery: Gallery, probes: list[tuple[Path, str, str]]) -> None:
    asked = [(probes[0][0], probes[0][2]), (None, probes[1][2]), (probes[2][0], ())]
    batch = gallery.query_many(asked, top_k=4)  # type: ignore[arg-type]
    assert [r.mode for r in batch] == ["fused", "caption", "image"]
    for (image, caption), got in zip(asked, batch, strict=True):
        alone = gallery.query(image, caption=caption, top_k=4)
        assert [c.row_id for c in got.candidates] == [c.row_id for c in alone.candidates]
        assert [c.score for c in got.candidates] == pytest.approx([c.score for c in alone.candidates], rel=1e-3)
    assert gallery.query_many([]) == []


def test_more_candidates_than_subjects(gallery: Gallery, probes: list[tuple[Path, str, str]]) -> None:
    result = gallery.query(probes[0][0], top_k=1000)
    assert len({c.subject_id for c in result.candidates}) == len(result.candidates) == 12


def test_mean_over_rows_ranks_by_the_mean(gallery: Gallery, probes: list[tuple[Path, str, str]]) -> None:
    path = probes[0][0]
    best = {c.subject_id: c.score for c in gallery.query(path, top_k=50).candidates}
    mean = {c.subject_id: c.score for c in gallery.query(path, top_k=50, aggregate="mean").candidates}
    assert all(mean[s] <= best[s] + 1e-5 for s in best)
    assert any(mean[s] < best[s] - 1e-5 for s in best)


def test_a_gallery_without_captions_is_searched_by_description(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    index_gallery(gallery_folder, tmp_path / "index", model, workers=0)
    result = Gallery.open(tmp_path / "index", model=model).query(caption="A man with black hair.")
    assert result.candidates[0].blocks["caption"] == 0
    assert result.candidates[0].blocks["shared_face"] != 0


@pytest.mark.parametrize("backend", ["exact", "torch", "flat-sq8", "scan"])
def test_every_backend_agrees(
    enrolled: tuple[Path, IndexSummary],
    model: FaceTextModel,
    gallery: Gallery,
    probes: list[tuple[Path, str, str]],
    backend: str,
) -> None:
    exact = Gallery.open(enrolled[0], model=model, backend=backend, device="cpu")
    assert (
        exact.query(probes[0][0], caption="a man").candidates == gallery.query(probes[0][0], caption="a man").candidates
    )


def test_refusals(gallery: Gallery, demo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither an image nor a description"):
        gallery.query()
    with pytest.raises(InputError, match="no image"):
        gallery.query(caption="a man", mode="image")
    with pytest.raises(InputError, match="no caption"):
        gallery.query(demo / "probes/person0000.png", mode="caption")
    with pytest.raises(InputError, match="top_k"):
        gallery.query(caption="a man", top_k=0)
    with pytest.raises(InputError, match=r"mode.*auto, fused"):
        gallery.query(caption="a man", mode="both")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="uint8"):
        gallery.query(np.zeros((4, 4), np.float32))  # type: ignore[arg-type]
    Image.new("RGB", (300, 300)).save(tmp_path / "black.png")
    with pytest.raises(FaceError) as caught:
        gallery.query(tmp_path / "black.png")
    assert caught.value.reason is Reason.NO_FACE


def test_an_index_of_another_model_is_refused(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, tmp_path: Path
) -> None:
    other = dataclasses.replace(model, model_id="another", config={**model.config, "tensors_sha256": "f" * 64})
    with pytest.raises(ContractMismatchError, match=r"model.*weights_sha256|weights_sha256.*model"):
        Gallery.open(enrolled[0], model=other)
    with pytest.raises(NotAnIndexError):
        Gallery.open(tmp_path / "nothing", model=model)
    assert Store.open(enrolled[0]).contract == contract_of(model)


def test_an_index_of_another_face_template_is_refused_and_one_from_before_the_digest_is_read(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = json.loads((enrolled[0] / "manifest.json").read_text())["contract"]["fields"]
    assert written["alignment_sha256"] == ALIGNMENTS[written["alignment"]].digest
    contract = contract_of(model)
    before = {name: value for name, value in contract.fields.items() if name != "alignment_sha256"}
    Store.create(tmp_path / "old", Contract(contract.blocks, before))
    assert len(Gallery.open(tmp_path / "old", model=model)) == 0
    moved = [(x, y + 1.0) for x, y in DLIB_CHIP.template]
    monkeypatch.setitem(ALIGNMENTS, "dlib-150", dataclasses.replace(DLIB_CHIP, template=tuple(moved)))
    for path in (enrolled[0], tmp_path / "old"):
        with pytest.raises(ContractMismatchError, match="differs in alignment_sha256"):
            Gallery.open(path, model=model)


@pytest.mark.parametrize("ending", [".html", ".png"])
def test_contact_sheet(gallery: Gallery, probes: list[tuple[Path, str, str]], tmp_path: Path, ending: str) -> None:
    path, subject, caption = probes[0]
    result = gallery.query(path, caption=caption + " <b>&", top_k=7)
    sheet = tmp_path / f"sheet{ending}"
    write_sheet(sheet, gallery, result, path, (caption + " <b>&",))
    if ending == ".png":
        with Image.open(sheet) as page:
            assert page.size[0] > 800
        return
    page = sheet.read_text(encoding="utf-8")
    assert page.count("<figure>") == 7
    assert page.count("data:image/jpeg;base64,") == 8
    assert subject in page
    assert "&lt;b&gt;&amp;" in page
    assert LEAD_NOTICE in page
    assert not re.search(r"http(?!-equiv)", page)  # opens without a network
    assert "%" not in page.split("</style>")[1].replace("width:", "").split('<div class="grid">')[0]


def test_a_sheet_of_another_kind_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.html or \.png"):
        write_sheet(tmp_path / "sheet.pdf", gallery, gallery.query(caption="a man"), None, ("a man",))


def test_a_filter_ranks_as_if_the_gallery_held_no_other_rows(
    gallery: Gallery, probes: list[tuple[Path, str, str]]
) -> None:
    path, subject, caption = probes[0]
    whole = gallery.query(path, caption=caption, top_k=100)
    kept = gallery.query(path, caption=caption, top_k=100, where=f"subject_id != '{subject}'")
    assert [c.subject_id for c in kept] == [c.subject_id for c in whole if c.subject_id != subject]
    assert kept.where == f"subject_id != '{subject}'"
    with pytest.raises(FilterError, match=r"no such column.*subject_id"):
        gallery.query(path, where="nobody = 'x'")
