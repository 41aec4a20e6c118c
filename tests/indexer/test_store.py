"""The store: what goes in comes out, and bad input is refused with its name."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, DIMS, add_rows, make_batch, random_blocks, small_index, state

from indexer import (
    IndexerError,
    QuarantineRecord,
    Store,
    UnknownRowError,
    verify,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "größe 名 🙂" / "index", CONTRACT)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_what_was_added_is_read_back(store: Store) -> None:
    blocks = random_blocks(rng(), 4)
    batch = make_batch(
        ["a", "b", "ü 名 🙂", "a"], blocks, metadata=[{"n": 1, "deep": {"x": [None, 1.5, "é"]}}, {}, {}, {}]
    )
    with store.writer() as writer:
        ids = writer.add(batch)
        assert writer.commit() == 1
    again = Store.open(store.path, CONTRACT)
    assert ids.tolist() == [0, 1, 2, 3]
    assert len(again) == 4
    assert again.index_id == store.index_id
    np.testing.assert_array_equal(again.vectors([2, 0]), np.hstack([blocks["face"], blocks["caption"]])[[2, 0]])
    rows = again.rows([2, 0, 2])
    assert [row.row_id for row in rows] == [2, 0, 2]
    assert rows[0].subject_id == "ü 名 🙂"
    assert rows[0].captions == ("A man.", "He smiles. 😀")
    assert rows[1].captions == ()
    assert rows[1].metadata == {"n": 1, "deep": {"x": [None, 1.5, "é"]}}
    assert rows[1].quality == {"inter_eye_px": 40.5, "yaw": None}
    assert (rows[0].chip, again.rows([1])[0].chip, again.rows([1], chips=False)[0].chip) == (None, b"chip1", None)
    assert (rows[1].image, rows[1].source_key) == ("a/0.jpg", "key0")
    assert rows[1].image_sha256 == batch.image_sha256s[0]


def test_rows_across_many_row_groups_and_files(store: Store) -> None:
    vectors = [add_rows(store, [f"s{i}" for i in range(n)], seed=n, first=first) for n, first in ((700, 0), (300, 700))]
    with store.writer() as writer:
        writer.delete(row_ids=[3, 256, 512, 999])
        writer.commit()
    wanted = [998, 0, 255, 257, 511, 513, 699, 700, 955, 956]
    rows = store.rows(wanted)
    assert [row.row_id for row in rows] == wanted
    assert [row.metadata["n"] for row in rows] == wanted
    assert [row.chip for row in rows] == [f"chip{i}".encode() if i % 2 else None for i in wanted]
    np.testing.assert_array_equal(store.vectors(wanted), np.vstack(vectors)[wanted])


def test_ids_are_never_reused(store: Store) -> None:
    add_rows(store, ["a", "b", "c"])
    with store.writer() as writer:
        writer.delete(row_ids=[1, 2])
        writer.commit()
        assert writer.add(make_batch(["d"], random_blocks(rng(), 1))).tolist() == [3]
        writer.delete(row_ids=[3])
        writer.commit()
    with Store.open(store.path).writer() as writer:
        assert writer.add(make_batch(["e"], random_blocks(rng(), 1))).tolist() == [4]


def test_leaving_without_commit_discards(store: Store) -> None:
    add_rows(store, ["a"])
    before, files = state(store), sorted(path.name for path in store.path.iterdir())
    with store.writer() as writer:
        writer.add(make_batch(["b"], random_blocks(rng(), 1)))
        writer.delete(row_ids=[0])
        writer.quarantine([QuarantineRecord("x.jpg", "no_face", "", "k")])
    with suppress(ZeroDivisionError), store.writer() as writer:
        writer.add(make_batch(["b"], random_blocks(rng(), 1)))
        raise ZeroDivisionError
    assert state(store) == state(Store.open(store.path)) == before
    assert sorted(path.name for path in store.path.iterdir()) == files


def test_a_writer_is_closed_when_its_block_is_left(store: Store) -> None:
    with store.writer() as writer:
        pass
    with pytest.raises(IndexerError, match=r"closed.*store\.writer"):
        writer.add(make_batch(["b"], random_blocks(rng(), 1)))


def test_commit_of_nothing_changes_nothing(store: Store) -> None:
    with store.writer() as writer:
        assert writer.commit() == 0
        writer.add(make_batch([], {name: np.empty((0, dim), np.float32) for name, dim in DIMS.items()}))
        assert writer.commit() == 0


def test_arrays_may_be_reused_after_add(store: Store) -> None:
    blocks = random_blocks(rng(), 2)
    kept = blocks["face"].copy()
    with store.writer() as writer:
        writer.add(make_batch(["a", "b"], blocks))
        blocks["face"][:] = 7.0
        writer.commit()
    np.testing.assert_array_equal(store.split(store.vectors([0, 1]))["face"], kept)


def test_a_reader_keeps_its_generation(store: Store) -> None:
    first = add_rows(store, ["a", "b"])
    reader, loaded = Store.open(store.path), Store.open(store.path).load()
    with store.writer() as writer:
        writer.add(make_batch(["c"], random_blocks(rng(), 1)))
        writer.delete(row_ids=[0])
        writer.commit()
        assert len(store) == 2  # until the block is left
    for one in (reader, loaded):
        assert (one.generation, len(one)) == (1, 2)
        np.testing.assert_array_equal(one.vectors([0, 1]), first)
        assert one.search(first[:1], 3)[0].tolist()[0][-1] == -1
    assert (store.generation, len(store)) == (2, 2)
    assert store.search(first[:1], 3)[0].tolist() == Store.open(store.path).search(first[:1], 3)[0].tolist()


def test_info(tmp_path: Path) -> None:
    info = small_index(tmp_path / "i").info()
    assert {name: info[name] for name in ("rows", "subjects", "rows_with_captions", "rows_deleted", "segments")} == {
        "rows": 8,
        "subjects": 6,
        "rows_with_captions": 4,
        "rows_deleted": 1,
        "segments": 3,
    }
    assert info["quarantined"] == {"io_error": 1}
    assert info["blocks"] == DIMS
    assert info["fields"] == CONTRACT.fields
    assert info["bytes"] == sum(path.stat().st_size for path in (tmp_path / "i").iterdir())
    assert (info["generation"], info["format_version"], info["metric"]) == (3, 4, "inner_product")
    assert info["created"] <= info["updated"]
    assert info["created"].endswith("+00:00")
    json.dumps(info)


def test_info_of_an_empty_index(store: Store) -> None:
    info = store.info()
    assert (info["rows"], info["subjects"], info["rows_with_captions"], info["quarantined"]) == (0, 0, 0, {})
    assert store.source_keys() == frozenset()
    assert store.rows([]) == []
    assert store.vectors([]).shape == (0, 12)


def test_source_keys_of_deleted_rows_are_gone(store: Store) -> None:
    add_rows(store, ["a", "b"])
    with store.writer() as writer:
        writer.delete(subject_id="a")
        writer.commit()
    assert store.source_keys() == {"key1"}


def test_quarantine_counts_a_photo_once(store: Store) -> None:
    record = QuarantineRecord("a/0.jpg", "no_face", "0 faces in 64×64", "k")
    other = QuarantineRecord("z.jpg", "undecodable", "cut off", "z")
    with store.writer() as writer:
        writer.quarantine([record, other])
        writer.commit()
    again = Store.open(store.path)
    assert again.quarantined() == [record, other]
    with again.writer() as writer:
        writer.quarantine([record])
        assert writer.commit() == 1  # nothing new to write
        changed = QuarantineRecord("a/0.jpg", "face_too_small", "8 px", "k2")
        writer.quarantine([changed])
        assert writer.commit() == 2
    assert again.quarantined() == Store.open(store.path).quarantined() == [changed, other]
    add_rows(again, ["a"])  # image a/0.jpg
    assert again.quarantined() == Store.open(store.path).quarantined() == [other]
    assert again.info()["quarantined"] == {"undecodable": 1}


def test_delete_by_subject_and_of_rows_not_committed_yet(store: Store) -> None:
    add_rows(store, ["a", "b", "a"])
    with store.writer() as writer:
        writer.add(make_batch(["a", "b"], random_blocks(rng(), 2), first=3))
        assert writer.delete(subject_id="a") == 3
        assert writer.delete(row_ids=np.array([4, 4])) == 1
        with pytest.raises(UnknownRowError, match="'a'"):
            writer.delete(subject_id="a")
        writer.commit()
    assert [row.row_id for row in store.rows([1])] == [1]
    assert len(store) == 1
    assert verify(store.path).ok


@pytest.mark.parametrize("wrong", [{"row_ids": [0, 99]}, {"row_ids": [-1]}, {"subject_id": "nobody"}])
def test_deleting_what_is_not_there(store: Store, wrong: dict[str, object]) -> None:
    add_rows(store, ["a", "b"])
    with store.writer() as writer:
        with pytest.raises(UnknownRowError, match=r"99|-1|nobody"):
            writer.delete(**wrong)
        assert writer.commit() == 1
    with store.writer() as writer:
        writer.delete(row_ids=[0])
        writer.commit()
        with pytest.raises(UnknownRowError, match=r"\[0\]"):
            writer.delete(row_ids=[0])


def test_delete_wants_one_argument(store: Store) -> None:
    with store.writer() as writer:
        for arguments in ({}, {"row_ids": [1], "subject_id": "a"}):
            with pytest.raises(IndexerError, match="one of row_ids, subject_id and image_sha256"):
                writer.delete(**arguments)


def test_unknown_rows_are_named(store: Store) -> None:
    add_rows(store, ["a", "b"])
    for read in (store.rows, store.vectors):
        with pytest.raises(UnknownRowError, match=r"\[7, -1\]"):
            read([0, 7, -1])


def test_search_needs_no_torch_and_open_needs_no_faiss(store: Store) -> None:
    add_rows(store, ["a", "b", "c"])
    with store.writer() as writer:
        writer.delete(row_ids=[1])
        writer.commit()
    code = """
import sys
import indexer, numpy as np
store = indexer.Store.open(sys.argv[1])
store.info(), store.rows([0]), store.source_keys()
assert "faiss" not in sys.modules
store.search(np.ones((1, 12), np.float32), 1)
store.search_subjects(np.ones((1, 12), np.float32), 1)
assert "faiss" in sys.modules
assert not {"torch", "tgfr_search", "pandas"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(store.path)], check=True)
