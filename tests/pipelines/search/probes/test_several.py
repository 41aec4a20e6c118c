"""Several pictures of one unknown: pooled by quality, each alone too; what gives no face, who is not one person."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipelines.search.gallery import Gallery
from pipelines.search.probes.several import pooled
from tgfr_search.app.cli.main import app
from tgfr_search.errors import FaceError, InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import Templates


@pytest.fixture
def gallery(index: Path, model: FaceTextModel) -> Gallery:
    return Gallery.open(index, model=model)


@pytest.fixture
def pictures(demo: Path) -> list[Path]:
    """Two of one person."""
    return sorted((demo / "gallery/person0002").glob("*.png"))[:2]


def test_the_mean_is_weighed_by_quality_and_a_unit_vector() -> None:
    blocks = {
        "face": np.array([[1, 0], [0, 1]], np.float32),
        "caption": np.array([[0.6, 0.8], [0.6, 0.8]], np.float32),
        "absent": np.zeros((2, 2), np.float32),
    }
    one = pooled(Templates(blocks), np.array([0.9, 0.3], np.float32)).blocks
    assert np.allclose(one["face"], np.array([[3, 1]]) / np.sqrt(10))
    assert np.allclose(one["caption"], [[0.6, 0.8]])
    assert not one["absent"].any()
    useless = pooled(Templates(blocks), np.array([0.0, 0.0], np.float32)).blocks
    assert np.allclose(useless["face"], np.sqrt([[0.5, 0.5]]))


def test_pictures_are_pooled_and_told_apart(gallery: Gallery, pictures: list[Path], tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "white").save(tmp_path / "wall.png")
    result = gallery.query(images=[pictures[0], tmp_path / "wall.png", pictures[1]], caption="a person", top_k=3)
    assert result.candidates[0].subject_id == "person0002"
    first, wall, second = result.probe["pictures"]
    assert [each["number"] for each in (first, wall, second)] == [1, 2, 3]
    assert (wall["error"]["reason"], wall["candidates"]) == ("no_face", [])
    assert any("wall.png was left out" in note for note in result.notes)
    for own, path in ((first, pictures[0]), (second, pictures[1])):
        alone = gallery.query(path, caption="a person", top_k=3)
        assert [hit["subject_id"] for hit in own["candidates"]] == [hit.subject_id for hit in alone]
        assert own["candidates"][0]["score"] == pytest.approx(alone.candidates[0].score, abs=1e-3)
        assert own["sha256"] == alone.probe["sha256"]
    alike = np.array(result.probe["alike"])
    assert alike.shape == (2, 2)
    assert np.allclose(np.diag(alike), 1, atol=1e-3)
    json.dumps(result.as_dict())


def test_different_people_are_warned_of(gallery: Gallery, demo: Path, pictures: list[Path]) -> None:
    strangers = [pictures[0], *sorted((demo / "gallery").glob("person000[3-9]/*.png"))]
    assert any("different people" in note for note in gallery.query(images=strangers).notes)
    assert not any("different people" in note for note in gallery.query(images=pictures).notes)


def test_what_cannot_be_pooled(gallery: Gallery, pictures: list[Path], tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "white").save(tmp_path / "wall.png")
    with pytest.raises(FaceError, match="none of 2 pictures"):
        gallery.query(images=[tmp_path / "wall.png"] * 2)
    for options in ({"images": pictures[:1]}, {"images": pictures, "mode": "caption", "caption": "a man"}):
        with pytest.raises(InputError):
            gallery.query(**options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one of both"):
        gallery.query(pictures[0], images=pictures)
    with pytest.raises(InputError, match="top_k"):
        gallery.query(images=pictures, top_k=0)


def test_the_command(index: Path, pictures: list[Path]) -> None:
    run = CliRunner()
    done = run.invoke(app, ["query", *map(str, pictures), "--index", str(index), "--json"])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["probe"]["pictures"]) == 2
    plain = run.invoke(app, ["query", *map(str, pictures), "--index", str(index)])
    assert plain.output.count(" alone: person0002 ") == 2
    refused = run.invoke(app, ["query", *map(str, pictures), "--index", str(index), "--face", "2"])
    assert isinstance(refused.exception, InputError)
