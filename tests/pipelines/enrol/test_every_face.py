"""`index --on-multiple all`: one row a face; whatever becomes of the photo becomes of all of its rows."""

import json
from pathlib import Path

import pytest
from gallery_helpers import write_party
from PIL import Image
from typer.testing import CliRunner

from indexer import Store
from pipelines.enrol import embed
from pipelines.enrol.index import IndexSummary, index_gallery
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.loaded import FaceTextModel

EVERY = FaceFinder(FaceOptions(on_multiple="all"))


@pytest.fixture
def people(gallery_folder: Path) -> Path:
    """The demo's people, and a photo of two of them and a smaller third."""
    write_party(gallery_folder)
    return gallery_folder


def run(gallery: Path, out: Path, model: FaceTextModel, finder: FaceFinder = EVERY, **more: bool) -> IndexSummary:
    return index_gallery(gallery, out, model, finder=finder, workers=0, **more)


def party(store: Store, name: str = "party/three.png") -> list[tuple[int, tuple[int, int, int, int]]]:
    """(number, box) of the rows of the photo."""
    rows = [row for row in store.rows(store.row_ids()) if row.image == name]
    return [(row.quality["face"], row.face.box) for row in rows if row.face is not None and row.face.box is not None]


def test_every_face_is_a_row_that_knows_where_it_was_and_is_found(
    people: Path, model: FaceTextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "BATCH", 4)  # the photo's faces would lie in two batches
    summary = run(people, tmp_path / "index", model)
    assert (summary.enrolled, summary.rows) == (13, 13)
    assert (summary.several_faces, summary.several_faces_images) == (1, ["party/three.png"])
    store = Store.open(tmp_path / "index")
    found = party(store)
    assert [number for number, _ in found] == [3, 2, 1], "the largest is the newest: it stands for the photo"
    assert [box[0] // 195 for _, box in found] == [2, 1, 0]
    gallery = Gallery.open(tmp_path / "index", model=model)
    for person in range(3):
        result = gallery.query(people / f"person000{person}/view1.png", top_k=6)
        assert {hit.subject_id for hit in result.candidates[:2]} == {f"person000{person}", "party"}
    again = run(people, tmp_path / "index", model)
    assert (again.enrolled, again.unchanged) == (0, 11)


def test_one_run_without_it_loses_no_face_and_one_with_it_takes_them_up(
    people: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    out = tmp_path / "index"
    assert run(people, out, model, FaceFinder()).rows == 11
    assert run(people, out, model).rows == 13
    left = run(people, out, model, FaceFinder())
    assert (left.rows, left.enrolled) == (13, 0)


def test_renamed_reworded_gone_and_replaced_all_rows_go_together(
    people: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    out = tmp_path / "index"
    run(people, out, model)
    (people / "party/three.png").rename(people / "party/renamed.png")
    renamed = run(people, out, model)
    assert (renamed.rows, renamed.renamed_images) == (13, [("party/three.png", "party/renamed.png")])
    assert len(party(Store.open(out), "party/renamed.png")) == 3

    (people / "captions.csv").write_text("image,caption\nparty/renamed.png,three people\n")
    worded = run(people, out, model)
    assert (worded.rows, worded.enrolled, worded.replaced) == (13, 3, 1)

    Image.open(people / "person0003/view0.png").save(people / "party/renamed.png")
    replaced = run(people, out, model)
    assert (replaced.rows, replaced.enrolled) == (11, 1)

    (people / "party/renamed.png").unlink()
    (people / "captions.csv").unlink()
    gone = run(people, out, model, prune=True)
    assert (gone.pruned, gone.rows) == (1, 10)


def test_a_deleted_face_takes_its_photo_along_until_it_is_asked_for_again(
    people: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    out = tmp_path / "index"
    run(people, out, model)
    ids = Store.open(out).row_ids_by_image()["party/three.png"]
    done = CliRunner().invoke(app, ["delete", "--row", str(ids[1]), "--index", str(out), "--json"])
    assert json.loads(done.stdout)["deleted"] == 3
    left_out = run(people, out, model)
    assert (left_out.rows, left_out.removed_images) == (10, ["party/three.png"])
    assert run(people, out, model, again=True).rows == 13


def test_it_is_refused_where_one_face_is_wanted(people: Path, index: Path) -> None:
    photo = str(people / "party/three.png")
    refused = CliRunner().invoke(app, ["query", photo, "--index", str(index), "--on-multiple", "all"])
    assert isinstance(refused.exception, InputError)
    assert "largest or error" in str(refused.exception)
