from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from record_helpers import read, reasons, touch, write_csv, write_jsonl

from tgfr_search.data.records import read_records
from tgfr_search.errors import InputError, NothingUsableError, Reason
from tgfr_search.types import Record


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("column", ["image", "path"])
def test_table_of_paths(tmp_path: Path, kind: str, column: str) -> None:
    touch(tmp_path, "p/1.jpg", "p/2.jpg")
    rows = [
        {column: "p/2.jpg", "subject_id": "b", "caption": "x", "split": "test", "place": "Ulm"},
        {column: "p/1.jpg", "subject_id": "a", "caption": "y", "split": "test", "place": "Bonn"},
        {column: "p/2.jpg", "subject_id": "b", "caption": "z", "split": "test", "place": "Ulm"},
        {column: "p/3.jpg", "subject_id": "c", "caption": "z", "split": "test", "place": "Ulm"},
        {column: "p/1.jpg", "subject_id": "", "caption": "only here", "split": "train", "place": "Ulm"},
    ]
    path = tmp_path / f"list.{kind}"
    if kind == "csv":
        write_csv(path, [list(rows[0]), *(list(row.values()) for row in rows)])
    elif kind == "jsonl":
        write_jsonl(path, rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    records, problems, stream = read(path, split="test")
    assert records == [
        Record("p/2.jpg", "b", str(tmp_path / "p/2.jpg"), None, ("x", "z"), {"place": "Ulm"}, "test"),
        Record("p/1.jpg", "a", str(tmp_path / "p/1.jpg"), None, ("y",), {"place": "Bonn"}, "test"),
    ]
    assert (reasons(problems), stream.estimate) == ([("p/3.jpg", Reason.MISSING_IMAGE)], 3)
    records, problems, _ = read(path, split="train")
    assert (records, reasons(problems)) == ([], [("p/1.jpg", Reason.MISSING_SUBJECT)])
    records, problems, _ = read(path, split="train", need_subject=False)
    assert ([record.subject_id for record in records], problems) == ([None], [])
    with pytest.raises(InputError, match="the splits 'test', 'train'; expected: the split 'dev'"):
        read(path, split="dev")


def test_table_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "secret.jpg", "set/a.jpg")
    rows = [{"path": path, "identity": 7.0} for path in ("a.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"))]
    (record,), problems, _ = read(write_jsonl(tmp_path / "set" / "list.jsonl", rows))
    assert (record.name, record.subject_id) == ("a.jpg", "7")  # not 7.0: a number like that was an integer once
    assert [problem.reason for problem in problems] == [Reason.MISSING_IMAGE] * 2


def test_probes_need_no_subject_column(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg")
    path = write_csv(tmp_path / "probes.csv", [["path", "caption"], ["1.jpg", "x"], ["n" * 300, "y"]])
    with pytest.raises(InputError, match="'subject_id' or 'identity'"):
        read(path)
    (record,), problems, _ = read(path, need_subject=False)
    assert (record.subject_id, record.captions) == (None, ("x",))
    assert reasons(problems) == [("n" * 300, Reason.MISSING_IMAGE)]
    with pytest.raises(NothingUsableError):
        read(write_csv(tmp_path / "none.csv", [["path", "subject_id"]]))


# --- an image Parquet ---------------------------------------------------------------------------------------------


def parquet(file_path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), file_path, row_group_size=2)
    return file_path


def test_image_parquet(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "set.parquet",
        image=[b"one", b"two", None, b"four", b"", b"six"],
        file=["1.jpg", "2.jpg", "3.jpg", None, "5.jpg", "1.jpg"],
        path=["x/1", "x/2", "x/3", "x/4", "x/5", "x/6"],
        identity=pa.array([7, None, 7, 8, 9, 7]),
        captions=[["a", " b "], [], None, ["c"], ["d"], ["e"]],
        when=[datetime.date(2020, 1, 2)] * 6,
        thumb=[b"x"] * 6,
        height=pa.array([1.5, float("nan"), 2.0, float("inf"), None, 1.0]),
    )
    records, problems, stream = read(path)
    assert records == [
        Record("1.jpg", "7", None, b"one", ("a", "b"), {"path": "x/1", "when": "2020-01-02", "height": 1.5}),
        Record("x/4", "8", None, b"four", ("c",), {"path": "x/4", "when": "2020-01-02", "height": None}),
        Record("5.jpg", "9", None, b"", ("d",), {"path": "x/5", "when": "2020-01-02", "height": None}),
    ]
    assert reasons(problems) == [
        ("2.jpg", Reason.MISSING_SUBJECT),
        ("3.jpg", Reason.MISSING_IMAGE),
        ("1.jpg", Reason.DUPLICATE_ROW),
    ]
    assert stream.estimate == 6


def test_image_parquet_rows_without_names_are_named_by_their_content(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "set.parquet",
        image=[b"1", b"2", b"3", b"4", b"5"],
        subject_id=["a", "b", "c", "d", "e"],
        caption=["x", None, "z", "", "w"],
        split=["train", "train", "test", "train", "test"],
    )
    records, problems, stream = read(path, split="test")
    assert [(r.subject_id, r.captions) for r in records] == [("c", ("z",)), ("e", ("w",))]
    names = {record.subject_id: record.name for record in read(path)[0]}
    assert [names["c"], names["e"]] == [record.name for record in records]
    assert len(set(names.values())) == 5
    other = parquet(
        tmp_path / "other.parquet",
        image=[b"new", b"5", b"3"],
        subject_id=["n", "e", "c"],
        caption=["", "w", "z"],
        split=["test", "test", "test"],
    )
    assert [record.name for record in read(other)[0]][1:] == [names["e"], names["c"]]  # wherever they stand
    assert (problems, stream.estimate) == ([], 2)
    assert len(read(path)[0]) == 5
    with pytest.raises(InputError, match="'test', 'train'; expected: the split 'valid'"):
        read(path, split="valid")


def test_image_parquet_with_wrong_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the columns 'picture', 'who'; expected: 'image' or 'path' and"):
        read(parquet(tmp_path / "a.parquet", picture=[b"x"], who=["a"]))
    with pytest.raises(InputError, match="column 'image' of type struct"):
        read(parquet(tmp_path / "b.parquet", image=[{"bytes": b"x"}], subject_id=["a"]))
    with pytest.raises(InputError, match="no column 'split'"):
        read(parquet(tmp_path / "c.parquet", image=[b"x"], subject_id=["a"]), split="test")
    with pytest.raises(NothingUsableError):
        read(parquet(tmp_path / "d.parquet", image=pa.array([], pa.binary()), subject_id=pa.array([], pa.string())))


def test_image_parquet_is_streamed(tmp_path: Path) -> None:
    """64 MiB of images in row groups of 4: Arrow never holds more than a few of those."""
    image = os.urandom(2**20)
    path = tmp_path / "big.parquet"
    schema = pa.schema({"image": pa.binary(), "subject_id": pa.string()})
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for group in range(16):
            writer.write_table(pa.table({"image": [image] * 4, "subject_id": [str(group)] * 4}))
    before = pa.total_allocated_bytes()
    held = [
        pa.total_allocated_bytes() - before
        for _ in read_records(path, need_subject=False, on_problem=lambda p: pytest.fail(str(p)))
    ]
    assert len(held) == 64
    assert 0 < max(held) < 24 * 2**20


@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "no such file or folder"), ("photo.jpg", "a file of another kind")]
)
def test_source_of_no_known_kind(tmp_path: Path, name: str, message: str) -> None:
    touch(tmp_path, "photo.jpg")
    with pytest.raises(InputError, match=message):
        read(tmp_path / name)


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    touch(tmp_path, "photo.jpg")
    path = parquet(tmp_path / "a.parquet", image=[b"x"], subject_id=["a"])
    with pytest.raises(InputError, match="leave the split out"):
        read(tmp_path, split="test")
    with pytest.raises(InputError, match="captions for a folder"):
        read(path, captions=tmp_path / "captions.csv")
    with pytest.raises(InputError, match=r"missing\.csv"):
        read(tmp_path, captions=tmp_path / "missing.csv")


@pytest.mark.slow
@pytest.mark.shared
def test_mmceleba(shared_data: Path) -> None:
    records, problems, stream = read(shared_data / "mmceleba_hq.parquet", split="valid")
    assert (len(records), stream.estimate, problems) == (2063, 2063, [])
    assert len({record.subject_id for record in records}) == 500
    assert len({record.name for record in records}) == 2063
    assert records[0].metadata["male"] in (True, False)
