"""Machine-made captions: who gets them, that they are marked, and that a person's words are never touched."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from indexer import Store
from pipelines.enrol.auto_captions import (
    MARK,
    Describer,
)
from pipelines.enrol.index import IndexSummary, index_gallery
from pipelines.search.gallery import Gallery
from pipelines.search.sheet.sheet import write_sheet
from tgfr_search.errors import ContractError
from tgfr_search.model.attributes import load_attributes
from tgfr_search.model.loaded import FaceTextModel


@pytest.fixture(scope="module")
def describer(model: FaceTextModel) -> Describer:
    return Describer.of(load_attributes(), model)


def enrol(folder: Path, out: Path, model: FaceTextModel, describer: Describer | None) -> IndexSummary:
    return index_gallery(folder, out, model, workers=0, describer=describer)


def test_only_what_nobody_described_gets_words_and_every_one_is_marked(
    gallery_folder: Path, model: FaceTextModel, describer: Describer, tmp_path: Path
) -> None:
    image = min(p.relative_to(gallery_folder).as_posix() for p in gallery_folder.rglob("*.png"))
    (gallery_folder / "captions.csv").write_text(f"image,caption\n{image},He wears a red hat.\n")
    summary = enrol(gallery_folder, tmp_path / "index", model, describer)
    assert summary.auto_captioned == summary.rows - 1
    assert summary.without_caption == 0
    assert summary.auto_captions == {describer.model_id: summary.rows - 1}
    gallery = Gallery.open(tmp_path / "index", model=model)
    rows = gallery.store.rows(sorted(row for row, _ in gallery.store.rows_by_image().values()))
    for row in rows:
        if row.image == image:
            assert row.captions == ("He wears a red hat.",)
            assert MARK not in row.metadata
        else:
            assert len(row.captions) > 2
            assert row.metadata[MARK] == describer.model_id
            assert row.caption_source == describer.model_id
    vectors = gallery.store.split(gallery.store.vectors([row.row_id for row in rows]))
    assert vectors["caption"].any(axis=1).all()
    assert vectors["fused"].any(axis=1).all()
    result = gallery.query(caption="A woman with blond hair.", top_k=50)
    subject = image.split("/")[0]
    marked = {hit.image: hit.auto_caption for hit in result}
    assert {by for name, by in marked.items() if name != image} == {describer.model_id}
    assert marked.get(image) is None
    write_sheet(tmp_path / "sheet.html", gallery, result, None, ("A woman with blond hair.",))
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("machine-made caption") == sum(by is not None for by in marked.values())
    people = gallery.query(caption="He wears a hat.", where=f"{MARK} is null", top_k=50)
    assert [hit.subject_id for hit in people] == [subject]


def test_a_run_again_and_a_person_who_describes_a_row_later(
    gallery_folder: Path, model: FaceTextModel, describer: Describer, tmp_path: Path
) -> None:
    out = tmp_path / "index"
    bare = enrol(gallery_folder, out, model, None)
    assert bare.auto_captions == {}
    first = enrol(gallery_folder, out, model, describer)
    assert (first.enrolled, first.replaced, first.rows) == (bare.rows, bare.rows, bare.rows)
    for again in (enrol(gallery_folder, out, model, describer), enrol(gallery_folder, out, model, None)):
        assert (again.enrolled, again.unchanged) == (0, first.rows)
        assert again.auto_captions == first.auto_captions
    other = dataclasses.replace(describer, attributes=dataclasses.replace(describer.attributes, model_id="other-1"))
    assert enrol(gallery_folder, out, model, other).auto_captions == {"other-1": first.rows}
    image = Store.open(out).rows(sorted(row for row, _ in Store.open(out).rows_by_image().values()))[0].image
    (gallery_folder / "captions.csv").write_text(f"image,caption\n{image},She wears a red hat.\n")
    last = enrol(gallery_folder, out, model, other)
    assert (last.enrolled, last.replaced, last.auto_captions) == (1, 1, {"other-1": first.rows - 1})
    store = Store.open(out)
    row = store.rows([store.rows_by_image()[image][0]])[0]
    assert (row.captions, row.metadata.get(MARK)) == (("She wears a red hat.",), None)
    copy = gallery_folder / "copy"
    shutil.copytree((gallery_folder / image).parent, copy)
    assert enrol(gallery_folder, out, model, other).duplicates == 0  # another subject
    renamed = next(p for p in copy.iterdir())
    shutil.copy(renamed, copy / "again.png")
    assert enrol(gallery_folder, out, model, other).duplicates == 1


def test_the_same_face_gets_the_same_words(
    gallery_folder: Path, model: FaceTextModel, describer: Describer, tmp_path: Path
) -> None:
    words = []
    for name in ("a", "b"):
        enrol(gallery_folder, tmp_path / name, model, describer)
        store = Store.open(tmp_path / name)
        ids = {image: row for image, (row, _) in store.rows_by_image().items()}
        words.append({image: store.rows([row])[0].captions for image, row in ids.items()})
    assert words[0] == words[1]


def test_a_model_with_another_face_encoder_gets_its_words_from_the_right_one(
    model: FaceTextModel, describer: Describer
) -> None:
    """The head reads the features that it was trained on, whatever the gallery's own model encodes with."""

    class Other:
        spec = dataclasses.replace(model.face_encoder.spec, sha256="f" * 64)

    own = Describer.of(describer.attributes, dataclasses.replace(model, face_encoder=Other()))
    assert own.encoder is not None
    assert describer.attributes.differs(own.encoder.spec) == []
    Other.spec = dataclasses.replace(Other.spec, alignment="arcface-112")
    with pytest.raises(ContractError, match=r"alignment.*arcface-112.*train-attributes"):
        Describer.of(describer.attributes, dataclasses.replace(model, face_encoder=Other()))


def test_the_command(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from tgfr_search.app.cli.main import app
    from tgfr_search.errors import InputError

    monkeypatch.chdir(tmp_path)
    shutil.copytree(demo / "gallery/person0000", tmp_path / "gallery/person0000")
    run = CliRunner().invoke(app, ["index", "gallery", "--auto-captions", "--workers", "0", "--json"])
    assert run.exit_code == 0, run.output
    summary = json.loads(run.stdout)
    assert summary["auto_captioned"] == summary["rows"] > 0
    info = json.loads(CliRunner().invoke(app, ["info", "--json"]).stdout)
    assert info["auto_captions"] == summary["auto_captions"] != {}
    table = CliRunner().invoke(app, ["query", "--caption", "A bald man."])
    assert "[machine-made]" in table.stdout
    probe = str(demo / "probes/person0000.png")
    why = CliRunner().invoke(app, ["query", probe, "--caption", "A bald man.", "--explain", "1", "--json"])
    answer = json.loads(why.stdout)
    own = answer["explained"]["candidates"][0]
    stated = sum(said["adds"] for said in own["statements"])
    assert sum(own["terms"].values()) + stated + own["offset"] == pytest.approx(
        answer["candidates"][0]["score"], abs=1e-3
    )
    told = CliRunner().invoke(app, ["query", probe, "--caption", "A bald man.", "--explain", "1"])
    assert "bald" in told.stdout
    assert "not whether two pictures show one person" in told.stderr
    refused = CliRunner().invoke(app, ["index", "gallery", "--attributes", "x"])
    assert isinstance(refused.exception, InputError)
