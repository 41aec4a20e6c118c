"""Which detector an index was made with: recorded, taken over, and guarded."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from indexer import ContractMismatchError, Store
from pipelines.enrol.index import IndexSummary, contract_of, detector_of
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.loaded import FaceTextModel

BY_RETINAFACE = FaceFinder(FaceOptions(detector="retinaface"))
BY_DLIB = FaceFinder(FaceOptions(detector="dlib"))


@pytest.fixture(scope="module")
def photos(demo: Path) -> Path:
    return demo / "gallery"


def some(photos: Path, folder: Path, people: int) -> Path:
    for person in sorted(photos.iterdir())[:people]:
        if person.is_dir():
            (folder / person.name).mkdir(parents=True)
            for photo in person.iterdir():
                (folder / person.name / photo.name).write_bytes(photo.read_bytes())
    return folder


def test_an_index_keeps_its_detector(photos: Path, model: FaceTextModel, tmp_path: Path) -> None:
    gallery, summary = Gallery.build(
        some(photos, tmp_path / "some", 3), tmp_path / "index", model=model, finder=BY_RETINAFACE
    )
    assert summary.rows >= 3
    assert detector_of(Store.open(tmp_path / "index")) == "retinaface"
    probe = next(path for path in sorted((tmp_path / "some").rglob("*")) if path.is_file())
    for opened in (gallery, Gallery.open(tmp_path / "index", model=model)):
        assert opened.finder.detector == "retinaface"
        first = opened.query(str(probe), mode="image").candidates[0]
        assert first.subject_id == probe.parent.name
    # A second run takes the index's own detector, and finds nothing new.
    _, again = Gallery.build(tmp_path / "some", tmp_path / "index", model=model)
    assert again.rows == summary.rows
    with pytest.raises(ContractMismatchError, match="detector = 'retinaface'"):
        Gallery.open(tmp_path / "index", model=model, finder=BY_DLIB)
    with pytest.raises(ContractMismatchError, match="detector = 'retinaface'"):
        Gallery.build(tmp_path / "some", tmp_path / "index", model=model, finder=BY_DLIB)


def test_an_index_by_dlib_is_as_it_was(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> None:
    contract = Store.open(enrolled[0]).contract
    assert contract == contract_of(model)
    assert "detector" not in contract.fields
    assert detector_of(Store.open(enrolled[0])) == "dlib"
    with pytest.raises(ContractMismatchError, match=r"found: .*detector = 'dlib'.*expected: .*detector = 'retinaface'"):
        Gallery.open(enrolled[0], model=model, finder=BY_RETINAFACE)
    assert Gallery.open(enrolled[0], model=model, finder=BY_DLIB).finder.detector == "dlib"


def test_the_command_line_has_it(enrolled: tuple[Path, IndexSummary]) -> None:
    result = CliRunner().invoke(app, ["query", "x.jpg", "--index", str(enrolled[0]), "--detector", "mtcnn"])
    assert result.exit_code != 0
    assert "dlib, retinaface" in str(result.exception) + result.output
