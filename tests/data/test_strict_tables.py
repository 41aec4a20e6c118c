"""A table is read as it was meant, or refused with line and column; nobody gets somebody else's words."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_helpers import read, touch, write_jsonl

from tgfr_search.data.tables import read_table
from tgfr_search.errors import InputError

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DELIMITERS = st.sampled_from([",", ";", "\t"])
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\",;\t\r\n' "), max_size=12)
TABLES = st.lists(st.tuples(WORDS, WORDS), max_size=6)


def written(rows: list[tuple[str, str]], delimiter: str, quoting: int, end: str) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows([("image", "caption"), *rows])
    return buffer.getvalue()


def values(path: Path) -> list[tuple[str, str]]:
    return [(row["image"] or "", row["caption"] or "") for row in read_table(path).rows]


@QUICK
@given(
    TABLES,
    DELIMITERS,
    # With one of them as the end of a line, `csv` leaves the other one unquoted unless told to quote all.
    st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r")]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_what_csv_writes_is_read_back(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, form: tuple[int, str], encoding: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(written(rows, delimiter, *form).encode(encoding))
    assert values(path) == rows


@QUICK
@given(TABLES, DELIMITERS, st.data())
def test_one_quote_lost_or_too_many_is_refused(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, data: st.DataObject
) -> None:
    text = written(rows, delimiter, csv.QUOTE_ALL, "\n")
    at = data.draw(st.integers(len('"image","caption"\n'), len(text)))
    broken = text[:at] + text[at + 1 :] if text[at : at + 1] == '"' else text[:at] + '"' + text[at:]
    path = tmp_path / "t.csv"
    path.write_text(broken, "utf-8", newline="")
    with pytest.raises(InputError, match=r"line \d+"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.csv", 'image,caption\na.jpg,"a man\nb.jpg,an old man\n', r"line 2, column 7; found: a quote that is never"),
        (
            "c.csv",
            'image,caption\na.jpg,"a man\nb.jpg,"an old man"\n',
            r"line 2, column 7; found: 'an old man\"' after",
        ),
        ("c.csv", 'image,caption\na.jpg,"a man\nb.jpg,an old man"\n', r"line 2; .*looks like a row of its own"),
        ("c.csv", 'image,caption\na.jpg,a "big" man\n', r"line 2, column 9; found: a quote within"),
        ("c.csv", 'image,caption\na.jpg,"a" man\n', r"line 2, column 11; found: 'man' after the closing quote"),
        ("c.csv", "image,caption,site\na.jpg,a man\n", r"line 2; found: fewer than 3 fields: 2"),
        ("c.csv", "image;caption\n\na.jpg;a man;x\n", r"line 3; found: more than 2 fields: 3.*semicolons"),
        ("c.csv", "image,caption\na.jpg,a\0man\n", r"line 2, column 8; found: a NUL"),
        ("c.csv", "image,caption,Caption\na.jpg,x,y\n", r"line 1; found: 'caption' and 'Caption': one column twice"),
        (
            "c.jsonl",
            '{"image": "a.jpg"}\n{"image": "b.jpg",}\n',
            r"line 2, column \d+; found: .*expected: a JSON object",
        ),
        ("c.jsonl", '\n{"image": "a.jpg", "image": "b.jpg"}', r"line 2; found: 'image' and 'image'"),
        ("c.jsonl", '{"image": "a.jpg", "x": {"y": 1, "y": 2}}', r"line 1; found: 'y' twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8", newline="")
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_encodings_are_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes("image,caption\na.jpg,müde\n".encode() + "b.jpg,müde\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"line 3, column 8; found: the byte 0xfc, not UTF-8"):
        read_table(path)
    path.write_bytes("image,caption\na.jpg,x\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="a NUL character"):
        read_table(path)
    path.write_bytes("image,caption\na.jpg,x\n".encode("utf-16")[:-1])
    with pytest.raises(InputError, match="not UTF-16"):
        read_table(path)


def test_what_excel_writes_is_read_and_told(tmp_path: Path) -> None:
    touch(tmp_path, "Anna/1.jpg", "Anna/2.jpg")
    text = 'Image;Caption;Subject ID;\r\nAnna\\1.jpg;"tired; old";Anna ;\r\nAnna\\2.jpg;young;;\r\n'
    (tmp_path / "Captions.CSV").write_bytes(text.encode("utf-16"))
    records, problems, stream = read(tmp_path)
    assert [(r.name, r.subject_id, r.captions) for r in records] == [
        ("Anna/1.jpg", "Anna", ("tired; old",)),
        ("Anna/2.jpg", "Anna", ("young",)),
    ]
    assert (problems, stream.ignored, [record.metadata for record in records]) == ([], 0, [{}, {}])
    told = " ".join(stream.notes)
    for word in ("semicolons", "UTF-16", "'Image' as 'image'", "'Subject ID' as 'subject_id'", "2 rows", "column 4"):
        assert word in told, word


@pytest.mark.parametrize("content", ["image\tcaption\na.jpg\tx, y\n", "sep=;\nimage;caption\na.jpg;x, y\n"])
def test_tabs_and_a_line_that_names_the_separator(tmp_path: Path, content: str) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "captions.tsv").write_text(content)
    (record,), problems, _ = read(tmp_path)
    assert (record.captions, problems) == (("x, y",), [])


def test_a_column_has_one_type_whatever_the_file(tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "case": "007", "age": 3}, {"image": "b.jpg", "case": 14, "age": 4.5}]
    table = read_table(write_jsonl(tmp_path / "t.jsonl", rows))
    assert [(row["case"], row["age"]) for row in table.rows] == [("007", 3), ("14", 4.5)]
    assert "'case' holds several types" in table.notes[0]


def test_parquet_columns_by_their_known_names(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"Image": [b"1"], "Identity": ["Jose\u0301 "], "Caption": ["x"], "Site": ["A"]}), path)
    (record,), _, stream = read(path)
    assert (record.subject_id, record.captions, record.metadata) == ("José", ("x",), {"Site": "A"})
    assert len(stream.notes) == 3
    pq.write_table(pa.table({"image": [b"1"], "Image": [b"2"], "identity": ["a"]}), path)
    with pytest.raises(InputError, match="'image' and 'Image': one column twice"):
        read(path)


def test_contradicting_rows_are_told_by_line(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    text = 'image,subject_id,caption\na.jpg,ann,"two\nlines"\na.jpg,bob,x\n'
    (tmp_path / "t.csv").write_text(text)
    (record,), (problem,), _ = read(tmp_path / "t.csv")
    assert (record.subject_id, record.captions) == ("ann", ("two\nlines",))
    assert "line 4 says subject 'bob', an earlier one 'ann'" in problem.detail
    assert json.dumps(problem.name) == '"a.jpg"'
