"""Enrolment of names in several spellings, of tables from elsewhere, and into an index that is older than the rule."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import pipelines.enrol.index
from indexer import Store
from pipelines.enrol.index import index_gallery
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import Record


@pytest.fixture
def photos(gallery_folder: Path, tmp_path: Path) -> Path:
    one, two = sorted(gallery_folder.rglob("*.png"))[:2]
    for photo, name in ((one, "train/Jose\u0301 /1.png"), (two, "train/Anna/1.png")):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        shutil.copy(photo, tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_names_notes_and_types(photos: Path, model: FaceTextModel, tmp_path: Path) -> None:
    out = tmp_path / "index"
    with pytest.raises(InputError, match="--subject-level 2"):
        index_gallery(photos, out, model, workers=0)
    (photos / "captions.jsonl").write_text('{"image": "train/Anna/1.png", "caption": "x", "age": 41, "case": "7"}')
    summary = index_gallery(photos, out, model, workers=0, subject_level=2)
    assert (summary.enrolled, summary.notes) == (2, [])
    store = Store.open(out)
    assert {who for _, who in store.photos_by_image().values()} == {"José", "Anna"}
    (photos / "captions.jsonl").unlink()
    (photos / "Captions.csv").write_text("image;caption;age;case\ntrain\\José\\1.png;y;007;8\n")
    summary = index_gallery(photos, out, model, workers=0, subject_level=2)
    assert len(summary.notes) == 3  # semicolons, backslashes, and 007, which is no number
    assert "column 'age' holds a number in other rows, here '007'" in summary.notes[-1]


def test_an_older_index_gets_the_one_form_of_a_name(
    photos: Path, model: FaceTextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, read = tmp_path / "index", pipelines.enrol.index.read_records

    def as_before(source: Path, **options: object) -> object:
        def records() -> Iterator[Record]:
            for record in read(source, **options):  # type: ignore[arg-type]
                name = Path(str(record.path)).relative_to(source).as_posix()
                yield replace(record, name=name, subject_id=name.split("/")[1])

        return _Stream(records())

    with monkeypatch.context() as patch:
        patch.setattr(pipelines.enrol.index, "read_records", as_before)
        index_gallery(photos, out, model, workers=0, subject_level=2)
    assert "train/Jose\u0301 /1.png" in Store.open(out).rows_by_image()
    summary = index_gallery(photos, out, model, workers=0, subject_level=2)
    assert (summary.rows, summary.replaced, summary.unchanged) == (2, 1, 1)
    assert sorted(Store.open(out).rows_by_image()) == ["train/Anna/1.png", "train/José/1.png"]


class _Stream(SimpleNamespace):
    def __init__(self, stream: Iterator[Record]) -> None:
        super().__init__(stream=stream, estimate=2, ignored=0, passed_over=(), notes=())

    def __iter__(self) -> Iterator[Record]:
        return iter(self.stream)
