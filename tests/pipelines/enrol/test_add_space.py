"""A gallery under a second model: encoded from its crops, searched by who comes with that model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from indexer import ContractMismatchError, IncompleteSpaceError, Store, verify
from pipelines.enrol.index import index_gallery
from pipelines.enrol.spaces.add import add
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


@pytest.fixture(scope="module")
def other(model: FaceTextModel) -> FaceTextModel:
    """The same weights under another name: what it makes of a crop is to be near what the first made of the photo."""
    return replace(model, model_id="other-1")


@pytest.fixture
def small(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> Path:
    index_gallery(gallery_folder, tmp_path / "small", model, workers=0)
    return tmp_path / "small"


def test_the_model_that_asks_picks_the_space(
    small: Path, gallery_folder: Path, model: FaceTextModel, other: FaceTextModel
) -> None:
    with pytest.raises(ContractMismatchError, match="space add"):
        Gallery.open(small, model=other)
    summary = add(small, other)
    rows = len(Store.open(small))
    assert (summary.model, summary.encoded, summary.rows, summary.default) == ("other-1", rows, rows, False)
    first, second = (Gallery.open(small, model=each) for each in (model, other))
    ids = first.store.row_ids()
    faces = [gallery.store.split(gallery.store.vectors(ids))["face"] for gallery in (first, second)]
    assert (faces[0] * faces[1]).sum(axis=1).min() > 0.97
    photo = min(gallery_folder.rglob("*.png"))
    hits = [list(gallery.query(photo, top_k=3)) for gallery in (first, second)]
    assert hits[0][0].subject_id == hits[1][0].subject_id == photo.parent.name
    assert hits[0][0].score != hits[1][0].score
    assert add(small, other).encoded == 0
    assert verify(small).ok


def test_photos_enrolled_since_are_encoded_by_the_next_run(
    small: Path, gallery_folder: Path, model: FaceTextModel, other: FaceTextModel
) -> None:
    add(small, other)
    photo = min(gallery_folder.rglob("*.png"))
    (gallery_folder / "new").mkdir()
    (gallery_folder / "new" / "1.png").write_bytes(photo.read_bytes())
    assert index_gallery(gallery_folder, small, model, workers=0).enrolled == 1
    for refused in (lambda: Gallery.open(small, model=other), lambda: index_gallery(gallery_folder, small, other)):
        with pytest.raises(IncompleteSpaceError, match="space add"):
            refused()
    assert add(small, other).encoded == 1
    assert index_gallery(gallery_folder, small, other, workers=0).unchanged == len(Store.open(small))


def test_rows_without_crops_are_told_before_anything_is_changed(
    gallery_folder: Path, model: FaceTextModel, other: FaceTextModel, tmp_path: Path
) -> None:
    index_gallery(gallery_folder, tmp_path / "bare", model, workers=0, crops=False)
    generation = Store.open(tmp_path / "bare").generation
    with pytest.raises(InputError, match=r"rows without a crop.*--no-crops"):
        add(tmp_path / "bare", other)
    assert Store.open(tmp_path / "bare").generation == generation


def test_rows_without_crops_are_encoded_from_their_photos(
    gallery_folder: Path, model: FaceTextModel, other: FaceTextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    index_gallery(gallery_folder, bare, model, workers=0, crops=False)
    store = Store.open(bare)
    ids, generation = store.row_ids(), store.generation
    with pytest.raises(InputError, match="nowhere"):
        add(bare, other, photos=tmp_path / "nowhere")
    assert Store.open(bare).generation == generation

    photos = sorted(gallery_folder.rglob("*.png"))
    photos[0].rename(photos[0].with_name("renamed.png"))
    kept = {path: path.read_bytes() for path in photos[1:3]}
    photos[1].write_bytes(photos[3].read_bytes())
    photos[2].unlink()
    monkeypatch.setattr("pipelines.enrol.spaces.add.BATCH", 4)
    monkeypatch.setattr("pipelines.enrol.spaces.add.COMMIT_ROWS", 4)

    class KilledError(BaseException):
        pass

    def die(done: int, expected: int) -> None:
        if done >= 8:
            raise KilledError

    with pytest.raises(KilledError):
        add(bare, other, photos=gallery_folder, progress=die)
    first = add(bare, other, photos=gallery_folder)
    assert first.from_photos == first.encoded == len(ids) - 2 - 8
    assert first.lost == {"changed_image": 1, "missing_image": 1}
    names = {str(path.relative_to(gallery_folder)): reason for path, reason in zip(kept, first.lost, strict=True)}
    assert {each["image"]: each["reason"] for each in first.lost_rows} == names
    with pytest.raises(IncompleteSpaceError, match="space add"):
        Gallery.open(bare, model=other)
    assert Gallery.open(bare, model=model).store.generation == first.generation  # the space before answers

    for path, data in kept.items():
        path.write_bytes(data)
    second = add(bare, other, photos=gallery_folder)
    assert (second.encoded, second.rows, second.lost) == (2, len(ids), {})
    opened = [Gallery.open(bare, model=each).store for each in (model, other)]
    faces = [each.split(each.vectors(ids))["face"] for each in opened]
    assert (faces[0] * faces[1]).sum(axis=1).min() > 0.9999  # the same points in the same photo
    assert verify(bare).ok


def test_the_commands(small: Path, other: FaceTextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tgfr_search.model.checkpoint.load_model", lambda name, device: other)

    def told(*arguments: str) -> object:
        run = CliRunner().invoke(app, ["space", *arguments, "--json"])
        assert run.exit_code == 0, run.output
        return json.loads(run.stdout)

    rows = len(Store.open(small))
    (first,) = told("list", str(small))  # type: ignore[misc]
    assert first == {"id": first["id"], "model": Store.open(small).contract.model, "rows": rows, "default": True}
    added = told("add", str(small), "--model", "other")
    assert (added["model"], added["encoded"], added["default"]) == ("other-1", rows, False)  # type: ignore[index]
    told("default", str(small), "other-1")
    told("drop", str(small), first["id"])
    assert [space["model"] for space in told("list", str(small))] == ["other-1"]  # type: ignore[attr-defined]
    plain = CliRunner().invoke(app, ["space", "list", str(small)])
    assert plain.stdout == f"{added['id']}  other-1  {rows} rows  (default)\n"  # type: ignore[index]
    refused = CliRunner().invoke(app, ["space", "drop", str(small), "nobody"])
    assert "no such spaces" in str(refused.exception)
