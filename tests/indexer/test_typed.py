"""Typed columns say what the JSON that they stand for says: to the type, and to the last digit."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import BadRowError, typed

NAMES = st.sampled_from(
    ["site", "n", "a.b", "a", "b:c", "50%", "größe", "", "\ud800", "\x00", "metadata:text:x", "%2E"]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["\ud800", "1.50", "é"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=6)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    columns = typed.split("metadata", rows)
    fields = [pa.field(name, values.type, nullable=name != "metadata") for name, values in columns.items()]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def same(found: list[dict[str, Any]], rows: list[dict[str, Any]]) -> bool:
    """As JSON texts: 1, 1.0 and true are three values."""
    texts = [[json.dumps(row, sort_keys=True) for row in each] for each in (found, rows)]
    return texts[0] == texts[1]


@pytest.mark.slow
@given(ROWS)
@settings(deadline=None)
def test_what_goes_in_comes_out(rows: list[dict[str, Any]]) -> None:
    """Through a file too, of which each column is asked for by its name and comes alone."""
    table, sink = table_of(rows), pa.BufferOutputStream()
    pq.write_table(table, sink)
    file = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
    read = [file.read(columns=[name]) for name in table.column_names]
    assert [part.column_names for part in read] == [[name] for name in table.column_names]
    whole = pa.table([part.column(0) for part in read], schema=table.schema)
    assert same(list(typed.joined("metadata", whole)), rows)


@pytest.mark.slow
@given(ROWS, ROWS, st.data())
@settings(deadline=None)
def test_files_with_different_columns_one_after_another(
    first: list[dict[str, Any]], second: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = typed.together([table_of(first), table_of(second)])
    rows = [*first, *second]
    assert same(list(typed.joined("metadata", whole)), rows)
    places = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1))))
    newer = [data.draw(st.dictionaries(NAMES, VALUES, max_size=3)) for _ in places]
    for at, row in zip(places, newer, strict=True):
        rows[at] = row
    assert same(list(typed.joined("metadata", typed.replaced("metadata", whole, places, newer))), rows)


def test_each_type_of_a_name_has_its_column_and_the_rest_is_json() -> None:
    rows = [{"x": "a", "y": 1}, {"x": 2, "y": None}, {"x": 2.5, "y": [1]}, {"x": True, "y": 2**63}]
    table = table_of(rows)
    x = ["metadata:text:x", "metadata:whole:x", "metadata:number:x", "metadata:boolean:x"]
    assert set(table.column_names) == {"metadata", "metadata:whole:y", *x}
    assert table["metadata:number:x"].to_pylist() == [None, None, 2.5, None]
    assert table["metadata"].to_pylist() == ["{}", '{"y": null}', '{"y": [1]}', '{"y": 9223372036854775808}']


def test_names_beyond_the_most_are_json_those_with_the_fewest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "COLUMNS_AT_MOST", 2)
    rows = [{"often": 1, "rare": 2, "site": "A"}, {"often": 3, "site": "B"}]
    table = table_of(rows)
    assert set(table.column_names) == {"metadata", "metadata:whole:often", "metadata:text:site"}
    more = [{"new": "x"}, {"new": "y"}, {"new": "z"}]
    whole = typed.together([table, table_of(more)])
    assert len(whole.column_names) == 3
    assert "metadata:text:new" in whole.column_names
    assert same(list(typed.joined("metadata", whole)), [*rows, *more])


def test_no_json_value_is_no_value() -> None:
    for wrong in (float("nan"), {1, 2}):
        with pytest.raises(BadRowError):
            typed.split("metadata", [{"x": wrong}])
    assert list(typed.joined("metadata", table_of([{1: (2, 3)}]))) == [{"1": [2, 3]}]  # type: ignore[dict-item]
