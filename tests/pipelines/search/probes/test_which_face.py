"""A photo of several people: which face was searched with is told, and another one can be asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipelines.search.explain.explain import explain
from pipelines.search.gallery import Gallery
from pipelines.search.sheet.sheet import write_sheet
from tgfr_search.app.cli.main import app
from tgfr_search.errors import FaceError, InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.outputs import is_ours


@pytest.fixture
def gallery(index: Path, model: FaceTextModel) -> Gallery:
    return Gallery.open(index, model=model)


@pytest.fixture
def group(demo: Path, tmp_path: Path) -> Path:
    """Two people of the gallery side by side, the first one smaller."""
    one, two = (Image.open(next((demo / "gallery" / f"person000{n}").glob("*.png"))).convert("RGB") for n in (0, 1))
    small = one.resize((round(0.8 * one.width), round(0.8 * one.height)))
    page = Image.new("RGB", (small.width + two.width, two.height), "grey")
    page.paste(small, (0, 0))
    page.paste(two, (small.width, 0))
    page.save(tmp_path / "group.png")
    return tmp_path / "group.png"


def test_another_face_finds_another_person(gallery: Gallery, group: Path) -> None:
    first = gallery.query(group)
    assert [(face["number"], face["chosen"]) for face in first.probe["faces"]] == [(1, True), (2, False)]
    assert first.candidates[0].subject_id == "person0001"
    other = gallery.query(group, face=2)
    assert other.candidates[0].subject_id == "person0000"
    assert [face["chosen"] for face in other.probe["faces"]] == [False, True]
    assert any("searched with face 2" in note for note in other.notes)
    box = gallery.query(group, box=other.probe["faces"][1]["box"])
    assert box.candidates == other.candidates
    x1, y1, x2, y2 = (
        value for eye in (slice(2, 4), slice(0, 2)) for value in np.mean(other.probe["faces"][1]["points"][eye], axis=0)
    )
    eyes = gallery.query(group, eyes=(x1, y1, x2, y2))
    assert eyes.candidates[0].subject_id == "person0000"
    assert eyes.probe["quality"]["by_hand"]
    assert any("by hand" in note for note in eyes.notes)
    for result in (first, other, eyes):
        json.dumps(result.as_dict())
        assert "face" not in result.as_dict()


def test_what_is_drawn_and_explained_is_the_face_that_was_meant(
    gallery: Gallery, group: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = gallery.query(group, face=2, caption="a woman")
    looked = [0]
    real = type(gallery.finder).load

    def load(*args: object) -> object:
        looked[0] += 1
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(gallery.finder), "load", load)
    explained = explain(gallery, result, None, "a woman", count=1)
    assert explained.chip is result.face.pixels  # type: ignore[union-attr]
    write_sheet(tmp_path / "sheet.html", gallery, result, group, ("a woman",), explained)
    assert looked == [0]  # decoded, found and aligned once: by the query


@pytest.mark.parametrize("given", [{"face": 3}, {"box": (0, 0, 4, 4)}, {"eyes": (1, 1, 9000, 1)}])
def test_a_face_that_is_not_there(gallery: Gallery, group: Path, given: dict[str, object]) -> None:
    with pytest.raises(FaceError):
        gallery.query(group, **given)  # type: ignore[arg-type]


def test_a_face_without_a_photo(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="no image"):
        gallery.query(caption="a woman", face=1)


def test_the_command_shows_them(index: Path, group: Path, tmp_path: Path) -> None:
    run, picture = CliRunner(), tmp_path / "faces.png"
    common = ["query", str(group), "--index", str(index), "--json"]
    done = run.invoke(app, [*common, "--face", "2", "--faces", str(picture)])
    assert done.exit_code == 0, done.output
    faces = json.loads(done.stdout)["probe"]["faces"]
    assert [(face["number"], face["chosen"]) for face in faces] == [(1, False), (2, True)]
    assert all(len(face["box"]) == 4 and len(face["points"]) == 5 and face["score"] > 0 for face in faces)
    assert is_ours(picture)
    with Image.open(picture) as drawn, Image.open(group) as photo:
        assert drawn.size == photo.size
        x, y, width, _ = faces[1]["box"]
        assert drawn.getpixel((x + width // 2, y)) != photo.getpixel((x + width // 2, y))
    foreign = tmp_path / "holiday.png"
    Image.new("RGB", (4, 4)).save(foreign)
    refused = run.invoke(app, [*common, "--faces", str(foreign)])
    assert isinstance(refused.exception, InputError)
    for wrong in (["--face", "9"], ["--box", "1,2"], ["--eyes", "5,5,5,5"]):
        assert isinstance(run.invoke(app, [*common, *wrong]).exception, FaceError | InputError)
