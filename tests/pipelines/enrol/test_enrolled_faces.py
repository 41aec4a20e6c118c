"""What an index keeps of the face behind each row: where it was in its photo, and a crop that other models can read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from indexer import Store
from pipelines.enrol.index import index_gallery
from tgfr_search.faces.align import ALIGNMENTS, align
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.faces.margin import SIDE, chip_of
from tgfr_search.model.loaded import FaceTextModel


def enrolled(gallery: Path, out: Path, model: FaceTextModel, **options: object) -> Store:
    index_gallery(gallery, out, model, workers=0, **options)  # type: ignore[arg-type]
    return Store.open(out)


def test_a_row_knows_its_face_and_its_crop_gives_the_template_again(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    store = enrolled(gallery_folder, tmp_path / "index", model)
    rows = store.rows(store.row_ids(), crops=True)
    alignment = ALIGNMENTS[model.face_encoder.spec.alignment]
    finder = FaceFinder().for_alignment(alignment.name)
    chips = []
    for row in rows:
        face = row.face
        assert face is not None
        assert (face.detector, face.scheme) == ("dlib", "eye-corners-nose")
        assert face.crop is not None
        assert face.crop_points is not None
        assert max(Image.open(io.BytesIO(face.crop)).size) <= SIDE
        seen = finder.find(gallery_folder / row.image)
        assert face.box == seen.box
        assert np.array(face.points, np.float32).tolist() == seen.landmarks.tolist()
        chip = chip_of(face.crop, np.array(face.crop_points, np.float32), face.scheme, alignment)
        assert np.abs(chip.astype(int) - seen.pixels).mean() < 4
        chips.append(chip)
    again = model.tgfr.embed(model.face_encoder.encode(np.stack(chips)), [row.captions for row in rows])
    stored = store.split(store.vectors(store.row_ids()))["face"]
    cosines = (again.templates.blocks["face"] * stored).sum(axis=1)
    assert cosines.min() > 0.97


def test_without_crops_a_row_knows_where_its_face_was(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    store = enrolled(gallery_folder, tmp_path / "index", model, crops=False)
    for row in store.rows(store.row_ids(), crops=True):
        assert row.chip is None
        assert row.face is not None
        assert (row.face.crop, row.face.crop_points) == (None, None)
        assert row.face.box is not None


def test_ready_crops_name_no_detector(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    finder = FaceFinder().for_alignment(model.face_encoder.spec.alignment)
    (tmp_path / "ready" / "a").mkdir(parents=True)
    photo = min(gallery_folder.rglob("*.png"))
    Image.fromarray(finder.find(photo).pixels).save(tmp_path / "ready" / "a" / "1.png")
    store = enrolled(tmp_path / "ready", tmp_path / "index", model, finder=FaceFinder(FaceOptions(aligned=True)))
    (row,) = store.rows(store.row_ids(), crops=True)
    assert row.face is not None
    assert (row.face.detector, row.face.box) == ("", None)
    assert row.face.crop is not None
    points = np.array(row.face.crop_points, np.float32)
    alignment = ALIGNMENTS[model.face_encoder.spec.alignment]
    chip = chip_of(row.face.crop, points, row.face.scheme, alignment)
    pixels = np.asarray(Image.open(tmp_path / "ready" / "a" / "1.png"))
    assert np.abs(chip.astype(int) - align(pixels, points, alignment)).mean() < 4
