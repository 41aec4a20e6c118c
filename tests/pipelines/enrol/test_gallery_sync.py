"""What `index` and `info` say when gallery and index have drifted apart, and what they do about it."""

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gallery_helpers import (
    ALIGNED,
    FACES,
    NO_FACES,
    Entry,
    Remembering,
    index,
    quarantine_of,
    rows_of,
    write,
)
from typer.testing import CliRunner

from indexer import Store, compact, purge
from pipelines.enrol.batches import EnrolBatch
from pipelines.enrol.index import index_gallery
from pipelines.enrol.summary import names_of
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import Record

ANNA = [Entry("anna/1.png", 0), Entry("anna/2.png", 1)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "index"


def folder(tmp_path: Path, *entries: Entry) -> Path:
    return write(tmp_path / "gallery", "folder", list(entries))


def told(out: Path, *options: str) -> dict[str, object]:
    result = CliRunner().invoke(app, ["info", str(out), "--json", *options])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_a_renamed_photo_takes_its_row_along(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    index(folder(tmp_path, *ANNA), out, model)
    summary = index(folder(tmp_path, replace(ANNA[0], name="anna/9.png"), ANNA[1]), out, model)
    assert (summary.renamed_images, summary.gone, summary.rows) == ([("anna/1.png", "anna/9.png")], 0, 2)
    assert rows_of(out).keys() == {"anna/2.png", "anna/9.png"}


def test_two_names_are_swapped(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    index(folder(tmp_path, *ANNA), out, model)
    before = rows_of(out)
    summary = index(folder(tmp_path, replace(ANNA[0], photo=1), replace(ANNA[1], photo=0)), out, model)
    assert (summary.replaced, summary.duplicates, summary.rows) == (2, 0, 2)
    now = rows_of(out)
    assert now["anna/1.png"][1] == before["anna/2.png"][1] != now["anna/2.png"][1]


@pytest.mark.parametrize("photo", [4, 5])
def test_a_photo_replaced_by_none_of_a_face_answers_no_more(
    photo: int, tmp_path: Path, out: Path, model: FaceTextModel
) -> None:
    index(folder(tmp_path, *ANNA), out, model)
    summary = index(folder(tmp_path, ANNA[0], replace(ANNA[1], photo=photo)), out, model)
    assert (summary.withdrawn_images, summary.rows) == (["anna/2.png"], 1)
    assert rows_of(out).keys() == {"anna/1.png"}
    (record,) = quarantine_of(out).values()
    assert told(out, "--quarantine")["quarantine"] == [
        {"image": "anna/2.png", "reason": record.reason, "detail": record.detail}
    ]


def test_quarantine_heals(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    bad = [Entry("bert/1.png", 4), Entry("bert/2.png", 5), Entry("bert/3.png", 4)]
    assert sum(index(folder(tmp_path, *ANNA, *bad), out, model).quarantined.values()) == 3
    assert quarantine_of(out).keys() == {"bert/1.png", "bert/2.png", "bert/3.png"}
    mended = replace(bad[1], photo=2)
    index(folder(tmp_path, *ANNA, bad[0], mended), out, model)  # one removed, one replaced by a face
    assert quarantine_of(out).keys() == {"bert/1.png"}
    assert index(folder(tmp_path, *ANNA, mended), out, model).quarantined == {}


def test_what_is_gone_is_told_and_pruned_on_request(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    index(folder(tmp_path, *ANNA, Entry("bert/1.png", 2)), out, model)
    gallery = folder(tmp_path, *ANNA)
    for _ in range(2):
        summary = index(gallery, out, model)
        assert (summary.gone, summary.gone_images, summary.rows) == (1, ["bert/1.png"], 3)
        assert told(out, "--gone")["gone"] == ["bert/1.png"]
    pruned = index(gallery, out, model, prune=True)
    assert (pruned.pruned, pruned.gone, pruned.rows) == (1, 0, 2)
    assert told(out, "--gone")["gone"] == []
    back = index(folder(tmp_path, *ANNA, Entry("bert/1.png", 2)), out, model)
    assert (back.enrolled, back.removed) == (1, 0)  # pruned is not deleted for good


def test_pruning_by_another_gallery_is_refused(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    index(folder(tmp_path, *ANNA), out, model)
    other = folder(tmp_path, Entry("zoe/7.png", 3))
    generation = Store.open(out).generation
    with pytest.raises(InputError, match=r"none of the index's 2 photos.*mounted"):
        index(other, out, model, prune=True)
    assert Store.open(out).generation == generation


def test_what_was_deleted_comes_back_only_when_asked(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    gallery = folder(tmp_path, *ANNA, Entry("bert/1.png", 2))
    index(gallery, out, model)
    assert CliRunner().invoke(app, ["delete", "--subject", "anna", "--index", str(out)]).exit_code == 0
    compact(Store.open(out))
    purge(Store.open(out))
    moved = folder(tmp_path, Entry("bert/1.png", 2), *(replace(e, name=f"x/{e.photo}.png") for e in ANNA))
    for source in (moved, folder(tmp_path, *ANNA, Entry("bert/1.png", 2))):
        summary = index(source, out, model)
        assert (summary.removed, summary.enrolled, summary.rows) == (2, 0, 1)
    assert summary.removed_images == ["anna/1.png", "anna/2.png"]
    assert Store.open(out).info()["photos_removed"] == 2
    asked = index(gallery, out, model, again=True)
    assert (asked.removed, asked.enrolled, asked.rows) == (0, 2, 3)
    assert index(gallery, out, model).unchanged == 3
    assert Store.open(out).info()["photos_removed"] == 0


def test_copies_share_a_row_and_their_words(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    one, two = replace(ANNA[0], words=("A man.",)), Entry("anna/copy.png", 0, words=("He smiles.", "A man."))
    summary = index(folder(tmp_path, one, two), out, model)
    assert summary.duplicate_images == [("anna/copy.png", "anna/1.png")]
    assert rows_of(out)["anna/1.png"][0].captions == ("A man.", "He smiles.")
    elsewhere = replace(two, case="15")  # filed in another case: a filter must find either
    assert index(folder(tmp_path, one, elsewhere), out, model).duplicates == 0
    assert {name: row.metadata["case"] for name, (row, _) in rows_of(out).items()} == {one.name: "14", two.name: "15"}


def test_one_photo_under_two_subjects_is_told(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    index(folder(tmp_path, *ANNA), out, model)
    summary = index(folder(tmp_path, *ANNA, Entry("bert/1.png", 0)), out, model)
    assert (summary.duplicates, summary.several_subjects) == (0, 1)
    assert summary.several_subjects_images == [[("anna/1.png", "anna"), ("bert/1.png", "bert")]]
    found = told(out, "--duplicates")["duplicates"]
    assert found == {"copies": [], "several_subjects": [[["anna/1.png", "anna"], ["bert/1.png", "bert"]]]}


def test_a_renamed_folder_is_told(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    index(folder(tmp_path, *ANNA), out, model)
    renamed = [replace(entry, name=entry.name.replace("anna", "C2")) for entry in ANNA]
    summary = index(folder(tmp_path, *renamed), out, model)
    assert (summary.gone_images, summary.several_subjects) == (["anna/1.png", "anna/2.png"], 2)
    assert index(folder(tmp_path, *renamed), out, model, prune=True).rows == 2
    assert rows_of(out).keys() == {entry.name for entry in renamed}


def test_what_cannot_be_read_is_kept(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    gallery = folder(tmp_path, *ANNA)
    index(gallery, out, model)
    before = rows_of(out)
    (gallery / "anna/2.png").unlink()
    (gallery / "anna/2.png").symlink_to("nowhere")
    summary = index(gallery, out, model, prune=True)
    assert (summary.unread_images, summary.pruned, summary.gone) == (["anna/2.png"], 0, 0)
    assert rows_of(out) == before
    (gallery / "anna/2.png").unlink()
    (gallery / "anna/2.png").write_bytes(FACES[1])
    healed = index(gallery, out, model)
    assert (healed.unchanged, healed.unread, healed.quarantined) == (2, 0, {})


def test_every_count_leads_to_names(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    gallery = folder(tmp_path, *ANNA, Entry("anna/3.png", 0))
    for name in ("@eaDir", "#recycle"):
        (gallery / name).mkdir()
        (gallery / name / "1.png").write_bytes(FACES[2])
    (gallery / "anna/notes.txt").touch()
    (gallery / "bert.png").write_bytes(NO_FACES[1])
    summary = index(gallery, out, model)
    assert summary.rows == 2
    assert (
        summary.ignored_files == names_of(Store.open(out), "ignored_files") == ["#recycle", "@eaDir", "anna/notes.txt"]
    )
    shown = CliRunner().invoke(app, ["info", str(out), "--ignored", "--duplicates", "--quarantine"]).stdout
    for text in ("#recycle", "@eaDir", "anna/notes.txt", "anna/3.png\tanna/1.png", "bert.png\tunsupported_format\t"):
        assert text in shown
    assert told(out, "--last-run")["last_run"]["duplicate_images"] == [["anna/3.png", "anna/1.png"]]  # type: ignore[index]
    purge(Store.open(out))
    assert told(out, "--ignored")["ignored"] is None


def test_who_shares_a_deleted_persons_photo_keeps_it(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    anna, bert = Entry("anna/1.png", 0), Entry("bert/1.png", 0)
    index(folder(tmp_path, anna, bert, ANNA[1]), out, model)
    assert CliRunner().invoke(app, ["delete", "--subject", "anna", "--index", str(out)]).exit_code == 0
    moved = replace(bert, name="bert/2.png", words=("A man.",))
    summary = index(folder(tmp_path, anna, moved, ANNA[1]), out, model, prune=True)
    assert rows_of(out).keys() == {"bert/2.png"}
    assert sorted(summary.removed_images) == ["anna/1.png", "anna/2.png"]
    index(folder(tmp_path, anna, replace(moved, words=())), out, model)
    assert rows_of(out).keys() == {"bert/2.png"}  # his edits do not bring her back


@pytest.mark.parametrize("row", ["anna/2.png,,", "anna/1.png,,bert"])
def test_a_row_that_the_table_spoils_is_not_pruned(row: str, tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    """No subject, a name given twice: the photo is still listed, so its row is no row of a photo that is gone."""
    table = write(tmp_path / "gallery", "csv", ANNA)
    index(table, out, model)
    good = "anna/1.png,,anna" if row.startswith("anna/2") else "anna/1.png,,anna\nanna/2.png,,anna"
    table.write_text(f"image,caption,subject_id\n{good}\n{row}\n")
    summary = index(table, out, model, prune=True)
    assert summary.pruned == 0
    assert rows_of(out).keys() == {"anna/1.png", "anna/2.png"}
    if row.startswith("anna/2.png,,"):
        assert summary.unread_images == ["anna/2.png"]


def test_a_share_that_does_not_answer_prunes_nothing(
    tmp_path: Path, out: Path, model: FaceTextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write(tmp_path / "gallery", "csv", ANNA)
    index(table, out, model)
    real = os.stat

    def stat(path: object, *args: object, **kwargs: object) -> os.stat_result:
        if str(path).endswith("2.png"):
            raise OSError(errno.EIO, "Input/output error")
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    summary = index(table, out, model, prune=True)
    assert (summary.pruned, summary.unread_images, quarantine_of(out)["anna/2.png"].reason) == (
        0,
        ["anna/2.png"],
        "io_error",
    )


def test_most_of_an_index_is_pruned_only_where_that_is_meant(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    """A folder that is mounted in part has some of the photos."""
    many = [Entry(f"anna/{n}.png", n) for n in range(4)]
    index(folder(tmp_path, *many), out, model)
    part = folder(tmp_path, many[0])
    with pytest.raises(InputError, match=r"1 of the index's 4 photos.*--prune-most"):
        index(part, out, model, prune=True)
    assert len(rows_of(out)) == 4
    assert index(part, out, model, prune_most=True).pruned == 3
    assert rows_of(out).keys() == {"anna/0.png"}


def test_a_row_is_kept_where_its_photo_cannot_be_encoded_anew(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    index(folder(tmp_path, *ANNA), out, model)
    before = rows_of(out)
    edited = folder(tmp_path, ANNA[0], replace(ANNA[1], words=("A man.",)))
    strict = FaceFinder(FaceOptions(aligned=True, max_pixels=100))
    for _ in range(2):
        summary = index_gallery(edited, out, model, finder=strict, engine=Remembering(), workers=0)
        assert (summary.outdated_images, summary.withdrawn, summary.rows) == (["anna/2.png"], 0, 2)
        assert quarantine_of(out)["anna/2.png"].reason == "too_many_pixels"
        assert rows_of(out) == before
    index(edited, out, model)
    assert rows_of(out)["anna/2.png"][0].captions == ("A man.",)
    assert quarantine_of(out) == {}


def test_a_photo_that_is_taken_away_during_the_run_is_told(tmp_path: Path, out: Path, model: FaceTextModel) -> None:
    gallery = folder(tmp_path, *ANNA)

    class Late(Remembering):
        def enrol(self, records: Iterable[Record], *args: Any, **options: Any) -> Iterator[EnrolBatch]:
            (gallery / "anna/2.png").unlink()
            yield from super().enrol(records, *args, **options)

    summary = index_gallery(gallery, out, model, finder=ALIGNED, engine=Late(), workers=0)
    assert (summary.rows, quarantine_of(out)["anna/2.png"].reason) == (1, "missing_image")
