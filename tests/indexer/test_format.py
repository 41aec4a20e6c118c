"""An index that an earlier version wrote: read as it was, changed, and written anew by a compaction."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from index_helpers import CONTRACT, make_batch, random_blocks

from indexer import EnrolledFace, Store, compact, export_index, import_index, purge, snapshot, verify
from indexer.errors import BadRowError

OLD = Path(__file__).with_name("format3")
"""Written by the last version of format 3: two commits of rows, an update of a row each of subject and metadata, a row
deleted for good; two rows whose content key says that a machine wrote their words, as such keys did."""
ROWS: dict[int, tuple[str, dict[str, Any], str | None]] = {
    0: ("anna", {"site": "A", "n": 1}, None),
    1: ("anna", {"site": "updated", "later": 3}, "attributes-1"),
    2: ("berta", {"site": "B", "n": "2.50", "flag": True, "list": [1, {"a": 2}]}, None),
    4: ("dora", {"n": 2**70, "site": "C"}, "attributes-1"),
    5: ("emil", {"n": -3, "x": 2, "flag": False}, None),
    6: ("fred", {"site": "A", "n": 7}, None),
    7: ("gina", {"late": "2024-01-02"}, None),
}
WHERES = ["site = 'A'", "x = 2", "flag is null", "late >= 2024-01-01", "list is not null", "later = 3", "n is null"]


@pytest.fixture
def old(tmp_path: Path) -> Store:
    return Store.open(shutil.copytree(OLD, tmp_path / "old"))


def answers(store: Store) -> list[list[int]]:
    query = np.random.default_rng(5).standard_normal((1, CONTRACT.dim)).astype(np.float32)
    return [store.search(query, 20, where=where)[0][0].tolist() for where in (None, *WHERES)]


def told(store: Store) -> dict[int, tuple[str, dict[str, Any], str | None]]:
    rows = store.rows(store.row_ids(), chips=False)
    return {row.row_id: (row.subject_id, dict(row.metadata), row.caption_source) for row in rows}


def check(store: Store) -> None:
    assert told(store) == ROWS
    assert store.caption_sources() == {1: "attributes-1", 4: "attributes-1"}
    keys = [row.source_key for row in store.rows(store.row_ids())]
    assert all(len(key) == 64 for key in keys)
    assert store.source_keys() == set(keys)
    assert dict(store.metadata()) == {row_id: metadata for row_id, (_, metadata, _) in ROWS.items()}
    assert verify(store.path).ok


def test_it_is_read_as_it_was_and_a_compaction_writes_it_anew(old: Store) -> None:
    assert old.info()["format_version"] == 3
    check(old)
    found, digest, vectors = answers(old), old.digest(), old.vectors(old.row_ids()).tobytes()
    compact(old)
    assert old.info()["format_version"] == 4
    check(old)
    assert (answers(old), old.digest(), old.vectors(old.row_ids()).tobytes()) == (found, digest, vectors)
    columns = {name for names in old._generation.columns.values() for name in names}
    assert {"metadata:text:site", "metadata:whole:n", "metadata:text:n", "caption_source", "crop"} <= columns
    assert [text for text in old._generation.column("metadata").to_pylist() if text != "{}"] == [
        '{"list": [1, {"a": 2}]}',
        '{"n": 1180591620717411303424}',
    ]
    purge(old)
    assert [path.name for path in old.path.glob("rows-*")] == ["rows-00000004.parquet"]
    check(old)


def test_an_old_segment_without_change_is_written_anew(tmp_path: Path) -> None:
    """One segment, nothing deleted, nothing updated: nothing but its format is a reason."""
    store = Store.open(shutil.copytree(OLD, tmp_path / "old"))
    with store.writer() as writer:
        writer.delete(row_ids=[0, 1, 2, 4, 5])
        writer.commit()
    compact(store)
    assert all("caption_source" in names for names in store._generation.columns.values())


def test_copies_of_it_hold_the_same(old: Store, tmp_path: Path) -> None:
    snapshot(old, tmp_path / "snapshot")
    export_index(old, tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "imported")
    for name in ("snapshot", "imported"):
        copy = Store.open(tmp_path / name)
        check(copy)
        assert (answers(copy), copy.digest()) == (answers(old), old.digest())


def test_new_rows_beside_old_ones(old: Store) -> None:
    before = answers(old)
    face = EnrolledFace((1, 2, 30, 40), ((5.5, 6.25), (20.0, 6.0)), "two-eyes", "finder", ((1, 2), (3, 4)), b"crop")
    with old.writer() as writer:
        batch = make_batch(
            ["hugo", "ida"],
            random_blocks(np.random.default_rng(8), 2),
            first=30,
            metadata=[{"site": "A", "n": 2.5}, {}],
            faces=[face, None],
            caption_sources=[None, "attributes-2"],
        )
        writer.add(batch)
        writer.update(0, metadata={"site": "Z"})
        writer.commit()
    rows = {row.row_id: row for row in old.rows([0, 8, 9], crops=True)}
    assert (rows[8].face, rows[8].metadata, rows[8].caption_source) == (face, {"site": "A", "n": 2.5}, None)
    assert (rows[9].face, rows[9].caption_source, rows[0].metadata) == (None, "attributes-2", {"site": "Z"})
    assert old.rows([8])[0].face == EnrolledFace(face.box, face.points, "two-eyes", "finder", face.crop_points)
    found, digest = answers(old), old.digest()
    assert {6, 8} == set(found[1]) - {-1} != set(before[1]) - {-1}
    compact(old)
    assert (answers(old), old.digest()) == (found, digest)
    assert old.rows([8], crops=True)[0] == rows[8]


def test_a_purge_takes_a_deleted_rows_crop_and_words_from_the_disk(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    faces = [
        EnrolledFace(None, ((1.0, 2.0),), "one", "", ((1.0, 2.0),), f"a very secret crop {who}".encode())
        for who in "ab"
    ]
    with store.writer() as writer:
        writer.add(make_batch(["a", "b"], random_blocks(np.random.default_rng(8), 2), faces=faces))
        writer.commit()
        writer.delete(subject_id="a")
        writer.commit()
    raw = b"".join(path.read_bytes() for path in store.path.glob("*.parquet"))
    assert faces[0].crop in raw  # type: ignore[operator]
    purge(store)
    raw = b"".join(path.read_bytes() for path in store.path.glob("*.parquet"))
    assert faces[0].crop not in raw  # type: ignore[operator]
    assert store.rows([1], crops=True)[0].face == faces[1]


def test_a_face_that_cannot_be_stored() -> None:
    point = ((1.0, 2.0),)
    for wrong in (
        {"points": ()},
        {"points": ((float("nan"), 1.0),)},
        {"crop_points": ((1.0, 1.0), (2.0, 2.0))},
        {"crop": b"picture"},
        {"scheme": ""},
    ):
        with pytest.raises(BadRowError, match="of a face"):
            EnrolledFace(**{"box": None, "points": point, "scheme": "one", "detector": "", **wrong})
