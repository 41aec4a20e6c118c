"""Explanations: terms add up to the score, words and regions are what leaving them out does, the page shows them."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.enrol.index import IndexSummary, index_gallery
from pipelines.search.explain.explain import explain, occluded
from pipelines.search.explain.explained import EXPLAIN_NOTICE, GRID, Explained
from pipelines.search.explain.picture import heat_map
from pipelines.search.explain.said import phrases_of, words_of
from pipelines.search.gallery import Gallery
from pipelines.search.sheet.sheet import write_sheet
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


@pytest.fixture(scope="module")
def probe(demo: Path) -> tuple[Path, str]:
    """A degraded probe, for which words count, and what the witness said."""
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["image"].endswith("degraded/person0001.jpg"))
    return demo / row["image"], row["caption"]


@pytest.fixture(scope="module")
def explained(gallery: Gallery, probe: tuple[Path, str]) -> Explained:
    path, caption = probe
    return explain(gallery, gallery.query(path, caption=caption), path, caption, count=2)


@pytest.mark.parametrize("mode", ["fused", "image", "caption"])
def test_terms_and_offset_add_up_to_the_shown_score(gallery: Gallery, probe: tuple[Path, str], mode: str) -> None:
    path, caption = probe
    result = gallery.query(path, caption=caption, mode=mode, top_k=4)  # type: ignore[arg-type]
    out = explain(gallery, result, path, caption, count=4)
    assert len(out.candidates) == 4
    for own, hit in zip(out.candidates, result.candidates, strict=True):
        assert (own.rank, own.subject_id, own.row_id) == (hit.rank, hit.subject_id, hit.row_id)
        assert set(own.terms) == set(result.weights)
        assert sum(own.terms.values()) + own.offset == pytest.approx(hit.score, abs=1e-3)
        assert own.score == pytest.approx(hit.score, abs=1e-3)
    assert (out.chip is None) == (out.candidates[0].regions is None) == (mode == "caption")
    assert bool(out.lines) == bool(out.candidates[0].words) == (mode != "image")


def test_a_words_effect_is_the_score_less_the_score_without_it(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In bfloat16 the last bits depend on what is encoded together: the lines without a word go in one batch.
    monkeypatch.setattr(gallery.model.tgfr.fcam, "text_dtype", torch.float32)
    whole, left = "A young woman with blond hair.", "A young woman with hair."
    result = gallery.query(caption=whole, top_k=1)
    own = explain(gallery, result, None, whole, count=1).candidates[0]
    without = gallery.query(caption=left, where=f"row_id = {own.row_id}").candidates[0].score
    effect = next(said.effect for said in own.words if said.text == "blond")
    assert effect == pytest.approx(own.score - without, abs=1e-4)
    assert abs(effect) > 0.05


def test_a_word_that_one_candidate_has_speaks_for_that_one(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    """Two people, of whom one was described with eyeglasses: without the word that one loses, the other does not."""
    said = {"person0000": "This person wears eyeglasses.", "person0001": "This person has blond hair."}
    rows = [f"{p.relative_to(gallery_folder)},{said[p.parent.name]}" for p in gallery_folder.rglob("*.png")
            if p.parent.name in said]  # fmt: skip
    (gallery_folder / "captions.csv").write_text("\n".join(["image,caption", *rows]))
    index_gallery(gallery_folder, tmp_path / "index", model, workers=0)
    pair = Gallery.open(tmp_path / "index", model=model)
    caption = "This person has blond hair and wears eyeglasses."
    where = "subject_id = 'person0000' or subject_id = 'person0001'"
    result = pair.query(caption=caption, where=where)
    out = {own.subject_id: own for own in explain(pair, result, None, caption).candidates}

    def effect(subject: str, word: str) -> float:
        return next(said.effect for said in out[subject].words if said.text == word)

    assert effect("person0000", "eyeglasses") > 0.2
    assert effect("person0000", "eyeglasses") > effect("person0001", "eyeglasses") + 0.2
    assert effect("person0001", "blond") > 0.2
    assert effect("person0001", "blond") > effect("person0000", "blond") + 0.2


def test_the_face_matters_more_than_the_corners(explained: Explained) -> None:
    grid = np.abs(np.array(explained.candidates[0].regions))
    assert grid.shape == (GRID, GRID)
    corners = [grid[0, 0], grid[0, -1], grid[-1, 0], grid[-1, -1]]
    assert grid[1:-1, 2:-2].mean() > 2 * np.mean(corners)


def test_a_patch_alone_is_blurred() -> None:
    chip = np.random.default_rng(0).integers(0, 255, (150, 150, 3), dtype=np.uint8)
    out = occluded(chip)
    assert out.shape == (GRID**2, 150, 150, 3)
    changed = (out != chip).any(axis=3)
    cell = 150 / GRID
    for number in (0, GRID**2 // 2, GRID**2 - 1):
        rows, columns = np.nonzero(changed[number])
        centre = (number // GRID + 0.5) * cell, (number % GRID + 0.5) * cell
        assert np.abs(rows + 0.5 - centre[0]).max() <= cell
        assert np.abs(columns + 0.5 - centre[1]).max() <= cell
        inside = out[number][int(centre[0]), int(centre[1])]
        assert np.abs(inside.astype(int) - 127).max() < 12  # the mean of noise
    assert changed.any(axis=0).all()  # no pixel is left out of all patches
    flat = np.full((150, 150, 3), 90, np.uint8)
    assert (occluded(flat) == 90).all()


def test_words_and_phrases() -> None:
    line = "The man's bald, has 5 o'clock shadow and bushy eyebrows."
    assert [line[a:b] for a, b in words_of(line)] == [
        "The", "man's", "bald", "has", "5", "o'clock", "shadow", "and", "bushy", "eyebrows",
    ]  # fmt: skip
    assert [line[a:b] for a, b in phrases_of(line)] == ["man's bald", "5 o'clock shadow", "bushy eyebrows"]
    assert phrases_of("no beard, big nose") == [(0, 8), (10, 18)]
    assert words_of(" … !") == []


def test_a_description_of_one_word_can_be_left_out(gallery: Gallery) -> None:
    result = gallery.query(caption="Blond!", top_k=2)
    for own in explain(gallery, result, None, "Blond!").candidates:
        whole = sum(own.terms.values()) + sum(said.adds for said in own.statements)
        assert own.words[0].effect == pytest.approx(whole, abs=1e-4)


def test_refusals(gallery: Gallery, probe: tuple[Path, str]) -> None:
    path, caption = probe
    result = gallery.query(path, caption=caption)
    with pytest.raises(InputError, match="1 or more"):
        explain(gallery, result, path, caption, count=0)
    with pytest.raises(InputError, match="the image that was searched with"):
        explain(gallery, dataclasses.replace(result, face=None), None, caption)
    with pytest.raises(InputError, match="probe and description that were searched with"):
        explain(gallery, result, path, "A bald old man with a beard.")
    mean = gallery.query(path, caption=caption, aggregate="mean")
    with pytest.raises(InputError, match="--aggregate max"):
        explain(gallery, mean, path, caption)


def test_plain_values(explained: Explained) -> None:
    values = json.loads(json.dumps(explained.as_dict()))
    assert values["notice"] == EXPLAIN_NOTICE
    own = values["candidates"][0]
    assert len(own["regions"]) == len(own["regions"][0]) == values["grid"] == GRID
    for said in own["words"] + own["phrases"]:
        assert values["lines"][said["line"]][said["start"] : said["end"]] == said["text"]


def test_the_page(gallery: Gallery, probe: tuple[Path, str], tmp_path: Path) -> None:
    path, caption = probe[0], probe[1] + " <b>&"
    result = gallery.query(path, caption=caption, top_k=3)
    why = explain(gallery, result, path, caption, count=2)
    for explained, name in ((None, "plain"), (why, "why")):
        for ending in (".html", ".png"):
            write_sheet(tmp_path / f"{name}{ending}", gallery, result, path, (caption,), explained)
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert page.count('<section class="why">') == 2
    assert page.count("data:image/png;base64,") == 2
    assert "not whether two pictures show one person" in page
    assert "&lt;<mark" in page
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(?!data:)\w", page)  # it loads nothing
    assert "http:" not in page
    assert "https:" not in page
    assert f"{why.candidates[0].offset:+.3f}" in page
    assert "Why these scores" not in (tmp_path / "plain.html").read_text(encoding="utf-8")
    with Image.open(tmp_path / "why.png") as tall, Image.open(tmp_path / "plain.png") as short:
        assert tall.width == short.width
        assert tall.height > short.height + 2 * 150


def test_the_heat_map_tells_raised_from_lowered() -> None:
    picture = np.asarray(heat_map([[1.0, 0.0], [0.0, -0.5]], 1.0, 64)).astype(int)
    strong, none, lowered = picture[4, 4], picture[4, -5], picture[-5, -5]
    assert strong[0] > strong[2]  # orange
    assert lowered[2] > lowered[0]  # blue
    assert strong[3] > 1.5 * lowered[3] > 0
    assert none[3] < 30
