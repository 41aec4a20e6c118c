from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from record_helpers import read, reasons, touch, write_csv, write_jsonl

from tgfr_search.errors import InputError, NothingUsableError, Reason
from tgfr_search.types import Record

LONG = "wörd " * 2000  # 10,000 characters


def test_folder(tmp_path: Path) -> None:
    touch(tmp_path, "bob/2.JPG", "bob/1.png", "ann/deep/er/x.webp", "Carl Ünal.tiff", "ann/notes.txt", ".hidden.jpg")
    touch(tmp_path, ".git/x.jpg", "ann/Thumbs.db", "ann/old.gif")
    (tmp_path / "link").symlink_to(tmp_path)
    records, problems, stream = read(tmp_path)
    assert [(record.name, record.subject_id) for record in records] == [
        ("Carl Ünal.tiff", "Carl Ünal"),
        ("ann/deep/er/x.webp", "ann"),
        ("ann/old.gif", "ann"),  # reported by the decoder, not passed over here
        ("bob/1.png", "bob"),
        ("bob/2.JPG", "bob"),
    ]
    assert records[0] == Record("Carl Ünal.tiff", "Carl Ünal", path=str(tmp_path / "Carl Ünal.tiff"))
    assert (problems, stream.estimate, stream.ignored) == ([], 5, 5)
    assert list(stream.passed_over) == [".git", ".hidden.jpg", "ann/Thumbs.db", "ann/notes.txt", "link"]


def test_folders_of_the_system_are_no_people(tmp_path: Path) -> None:
    system = ["#recycle", "$RECYCLE.BIN", "@eaDir", ".Trash-1000", "__MACOSX", "lost+found", ".thumbnails", "@__thumb"]
    touch(tmp_path, "ann/1.jpg", "ann/@eaDir/1.jpg", "ann/._1.jpg", ".DS_Store", *(f"{name}/1.jpg" for name in system))
    records, problems, stream = read(tmp_path)
    assert [record.name for record in records] == ["ann/1.jpg"]
    assert problems == []
    assert set(stream.passed_over) == {*system, "ann/@eaDir", "ann/._1.jpg", ".DS_Store"}


@pytest.mark.parametrize("names", [[], ["readme.txt", ".a.jpg"]])
def test_folder_without_images(tmp_path: Path, names: list[str]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(NothingUsableError, match=r"\.jpeg .*\.png"):
        read(tmp_path)


def test_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    raw = os.path.join(os.fsencode(tmp_path), b"Jos\xe9.jpg")  # noqa: PTH118 - bytes
    with open(raw, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    (record,) = read(tmp_path)[0]
    assert (record.name, record.subject_id) == ("Jos\\xe9.jpg", "Jos\\xe9")
    assert Path(str(record.path)).read_bytes() == b"x"


def test_captions_beside_the_images(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")
    rows = [
        ["image", "caption", "subject_id", "case", "note"],
        ["a/1.jpg", " A man, with a beard. ", "", "007", ""],
        ["./a/1.jpg", "Er trägt eine Brille 👓", "", "008", "late"],
        ["a/2.jpg", "רעמת שיער אדום", "ann", "", ""],
        ["b/1.jpg", LONG, "", "NA", ""],
        ["b/2.jpg", "   ", "", "", ""],
    ]
    write_csv(tmp_path / "captions.csv", rows, "utf-8-sig")
    records, problems, stream = read(tmp_path)
    assert [record.captions for record in records] == [
        ("A man, with a beard.", "Er trägt eine Brille 👓"),
        ("רעמת שיער אדום",),
        (LONG.strip(),),
        (),
    ]
    assert [record.subject_id for record in records] == ["a", "ann", "b", "b"]
    assert records[0].metadata == {"case": "007", "note": "late"}  # the first value that is not null
    assert records[2].metadata == {"case": "NA", "note": None}
    assert (problems, stream.ignored) == ([], 0)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_captions_with_lists_and_types(tmp_path: Path, kind: str) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    rows: list[dict[str, Any]] = [
        {"image": "a.jpg", "captions": ["one", None, "", "two"], "age": 31, "glasses": True, "score": float("nan")},
        {"image": "b.jpg", "captions": None, "age": None, "glasses": False, "score": 0.5},
    ]
    path = tmp_path / f"captions.{kind}"
    if kind == "jsonl":
        write_jsonl(path, rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    (a, b), problems, _ = read(tmp_path)
    assert (a.captions, b.captions, problems) == (("one", "two"), (), [])
    assert a.metadata == {"age": 31, "glasses": True, "score": None}
    assert b.metadata == {"age": None, "glasses": False, "score": 0.5}
    assert json.loads(json.dumps(a.metadata, allow_nan=False)) == a.metadata


def test_rows_that_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "gallery", "a/1.jpg")
    touch(tmp_path, "secret.jpg")
    rows = [
        ["image", "subject_id", "caption"],
        ["a/1.jpg", "ann", "first"],
        ["a/1.jpg", "ann", "first"],
        ["a/1.jpg", "bob", "second"],
        ["a/9.jpg", "ann", "third"],
        ["../secret.jpg", "ann", "fourth"],
        [str(tmp_path / "gallery/a/1.jpg"), "ann", "fifth"],
        ["", "ann", "sixth"],
    ]
    records, problems, _ = read(tmp_path / "gallery", captions=write_csv(tmp_path / "said.csv", rows))
    assert [(record.subject_id, record.captions) for record in records] == [("ann", ("first",))]
    assert reasons(problems) == [
        ("a/1.jpg", Reason.DUPLICATE_ROW),
        ("a/1.jpg", Reason.DUPLICATE_ROW),
        ("a/9.jpg", Reason.MISSING_IMAGE),
        ("../secret.jpg", Reason.MISSING_IMAGE),
        (str(tmp_path / "gallery/a/1.jpg"), Reason.MISSING_IMAGE),
        ("row 7", Reason.MISSING_IMAGE),
    ]
    assert "'bob'" in problems[1].detail
    assert "'ann'" in problems[1].detail
    assert "out of the folder" in problems[3].detail


def test_names_written_in_two_unicode_forms_are_one(tmp_path: Path) -> None:
    touch(tmp_path, "Jose\u0301.jpg")  # as macOS writes it
    write_csv(tmp_path / "captions.csv", [["image", "caption"], ["Jos\u00e9.jpg", "smiles"]])
    (record,), problems, _ = read(tmp_path)
    assert (record.captions, problems) == (("smiles",), [])


def test_two_captions_files_need_a_choice(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    write_csv(tmp_path / "captions.csv", [["image", "caption"], ["a.jpg", "csv"]])
    write_jsonl(tmp_path / "captions.jsonl", [{"image": "a.jpg", "caption": "jsonl"}])
    with pytest.raises(InputError, match=r"captions\.csv and captions\.jsonl"):
        read(tmp_path)
    (record,), _, stream = read(tmp_path, captions=tmp_path / "captions.jsonl")
    assert (record.captions, stream.ignored) == (("jsonl",), 1)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["image", "text"], r"captions\.csv; found: the columns 'image', 'text'; expected: 'image' and 'caption' or"),
        (["file", "caption"], "the columns 'file', 'caption'"),
    ],
)
def test_captions_with_a_missing_column(tmp_path: Path, header: list[str], message: str) -> None:
    touch(tmp_path, "a.jpg")
    write_csv(tmp_path / "captions.csv", [header, ["a.jpg", "x"]])
    with pytest.raises(InputError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("captions.csv", b"image,caption\na.jpg,a man, with a beard\n", "line 2; found: more than 2 fields"),
        ("captions.csv", "image,caption\na.jpg,é".encode("latin-1"), "not UTF-8"),
        ("captions.csv", b"", r"\(none\)"),
        ("captions.jsonl", b'{"image": "a.jpg", "caption": "x"}\n{"image": ', "line 2"),
        ("captions.jsonl", b'["a.jpg", "x"]\n', "line 1; found: list; expected: a JSON object"),
        ("captions.parquet", b"PAR1 no more", "expected: a Parquet file"),
    ],
)
def test_captions_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_half_an_emoji_can_still_be_stored(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "captions.jsonl").write_text('\n{"image": "a.jpg", "caption": "cut \\ud83d"}\n')
    (record,), _, _ = read(tmp_path)
    assert record.captions == ("cut ?",)
