"""Names: one form, whatever the way in; what cannot be opened is named; who is who in a tree of folders."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_helpers import read, reasons, touch, write_csv

from tgfr_search.errors import InputError, NothingUsableError, Reason
from tgfr_search.names import canonical, canonical_path, column_name, same_names


@given(st.text())
def test_the_form_of_a_name_is_final(name: str) -> None:
    assert canonical(canonical(name)) == canonical(name)
    assert canonical_path(canonical_path(name)) == canonical_path(name)
    assert column_name(column_name(name)) == column_name(name)


def test_spellings_of_one_name() -> None:
    assert canonical(" Jose\u0301\t\u200b ") == "José"
    assert canonical("A\nB\x1b[31m") == "A B [31m"
    assert canonical_path("./a /Jose\u0301.jpg") == "a/José.jpg"
    assert [canonical_path(path) for path in ("", " ", "a/ /b//c", "/x")] == ["", "", "a/b/c", "/x"]
    assert same_names("José", ["Jose\u0301", "Jose", "José "]) == ["Jose\u0301", "José "]
    assert [column_name(name) for name in ("Image", "subject-id", "Site")] == ["image", "subject_id", "Site"]


def test_blanks_and_forms_of_folders(tmp_path: Path) -> None:
    touch(tmp_path, "Anna /1.jpg", "Anna/1.jpg", "Anna/2.jpg", "Jose\u0301/3.jpg")
    records, problems, stream = read(tmp_path)
    assert [(record.name, record.subject_id) for record in records] == [
        ("Anna/1.jpg", "Anna"),
        ("Anna/2.jpg", "Anna"),
        ("José/3.jpg", "José"),
    ]
    assert reasons(problems) == [("Anna/1.jpg", Reason.DUPLICATE_ROW)]
    assert "two spellings of one name" in problems[0].detail
    assert stream.notes == ("the folders 'Anna' and 'Anna ' are one subject, 'Anna'",)


def test_a_table_finds_files_in_any_spelling(tmp_path: Path) -> None:
    touch(tmp_path, "Anna /Jose\u0301.jpg", "we\\ird.jpg")
    rows = [
        ["path", "subject_id"],
        ["Anna\\José.jpg", "a"],
        ["we\\ird.jpg", "b"],
        ["..\\x.jpg", "c"],
        ["C:\\x.jpg", "d"],
    ]
    records, problems, stream = read(write_csv(tmp_path / "t.csv", rows))
    assert [(record.name, record.subject_id) for record in records] == [("Anna/José.jpg", "a"), ("we\\ird.jpg", "b")]
    assert all(Path(str(record.path)).is_file() for record in records)
    assert ["out of the folder" in problem.detail for problem in problems] == [True, True]
    assert "1 rows" in stream.notes[0]


def test_names_of_images_in_tables_have_the_form_of_paths(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    rows = [["path", "subject_id", "file"], ["a.jpg", "a", "./x//Jose\u0301.jpg"]]
    assert [record.name for record in read(write_csv(tmp_path / "t.csv", rows))[0]] == ["x/José.jpg"]
    pq.write_table(
        pa.table({"image": [b"1", b"2"], "identity": ["a", "b"], "file": ["./x//a.jpg ", " "]}), tmp_path / "t.parquet"
    )
    first, second = (record.name for record in read(tmp_path / "t.parquet")[0])
    assert first == "x/a.jpg"
    assert second.startswith("row-")  # a name of blanks is none: the row is named by its content


# --- what cannot be opened ----------------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery with a folder that the system refuses to open; root may open everything, so the door is held shut."""
    touch(tmp_path, "ann/1.jpg", "bob/1.jpg")
    scandir = os.scandir

    def refuse(path: os.PathLike[str] | str) -> object:
        if Path(path).name == "bob":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return tmp_path


@pytest.mark.parametrize("captions", [False, True])
def test_a_folder_that_cannot_be_opened_is_named(locked: Path, captions: bool) -> None:
    if captions:
        write_csv(locked / "captions.csv", [["image", "caption"], ["ann/1.jpg", "x"]])
    records, problems, stream = read(locked)
    assert [record.name for record in records] == ["ann/1.jpg"]
    assert reasons(problems) == [("bob", Reason.IO_ERROR)]
    assert "Permission denied" in problems[0].detail
    assert stream.unread == ("bob",)


def test_a_gallery_that_cannot_be_opened(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        read(locked / "bob")


def test_links_pipes_and_folders_in_place_of_files(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "round.jpg").symlink_to(tmp_path / "round.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    names = ["a.jpg", "nowhere.jpg", "round.jpg", "pipe.jpg"]
    table = write_csv(tmp_path / "list.csv", [["path", "subject_id"], *([name, "s"] for name in names)])
    records, problems, _ = read(table)
    assert [record.name for record in records] == ["a.jpg"]
    assert reasons(problems) == [
        ("nowhere.jpg", Reason.MISSING_IMAGE),
        ("round.jpg", Reason.MISSING_IMAGE),
        ("pipe.jpg", Reason.IO_ERROR),
    ]
    assert "leads nowhere" in problems[0].detail


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_captions_table_that_is_no_file(tmp_path: Path, kind: str, suffix: str) -> None:
    touch(tmp_path, "a.jpg")
    path = tmp_path / f"captions.{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "gone")
    expected = {"pipe": "a pipe", "folder": "a folder", "link": "No such file"}[kind]
    with pytest.raises(InputError, match=rf"captions\.{suffix}; found: {expected}"):
        read(tmp_path)


def test_tables_that_look_as_if_they_were_meant(tmp_path: Path) -> None:
    touch(tmp_path, "ann/1.jpg", "ann/captions.csv", "captions.xlsx")
    _, _, stream = read(tmp_path)
    assert stream.ignored == 2
    assert "ann/captions.csv was not read" in stream.notes[0]
    assert "captions.xlsx was not read: save it as captions.csv" in stream.notes[1]


# --- whose photo --------------------------------------------------------------------------------------------------


def test_parts_of_a_data_set_are_no_people(tmp_path: Path) -> None:
    touch(tmp_path, "train/ann/1.jpg", "test/bob/deep/1.jpg", "test/0.jpg")
    with pytest.raises(InputError, match=r"the folders test, train, and folders in them: ann, bob;.*--subject-level 2"):
        read(tmp_path)
    records, problems, _ = read(tmp_path, subject_level=2)
    assert [(r.name, r.subject_id) for r in records] == [("test/bob/deep/1.jpg", "bob"), ("train/ann/1.jpg", "ann")]
    assert reasons(problems) == [("test/0.jpg", Reason.MISSING_SUBJECT)]
    assert [record.subject_id for record in read(tmp_path, subject_level=1)[0]] == ["test", "test", "train"]
    with pytest.raises(NothingUsableError, match="no image"):
        read(touch(tmp_path / "empty", "notes.txt"), subject_level=2)
    with pytest.raises(InputError, match="--subject-level; found: 0"):
        read(tmp_path, subject_level=0)


def test_a_table_that_names_the_subjects_needs_no_level(tmp_path: Path) -> None:
    touch(tmp_path, "train/x/1.jpg")
    rows = [["image", "caption", "subject_id"], ["train/x/1.jpg", "smiles", "ann"]]
    write_csv(tmp_path / "captions.csv", rows)
    assert [record.subject_id for record in read(tmp_path)[0]] == ["ann"]


def test_a_person_may_be_called_test(tmp_path: Path) -> None:
    touch(tmp_path, "test/1.jpg", "ann/1.jpg")
    assert [record.subject_id for record in read(tmp_path)[0]] == ["ann", "test"]
