"""Update, compaction, purge and repair: no answer changes, what was deleted is gone from the disk."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, add_rows, make_batch, plain_search, random_blocks, small_index, state

from indexer import (
    BadRowError,
    IndexerError,
    IndexLockedError,
    NotAnIndexError,
    StaleReaderError,
    Store,
    UnknownRowError,
    compact,
    purge,
    repair,
    segments,
    tables,
    verify,
)
from indexer.digest import row_digests
from indexer.manifest import canonical, read_manifest
from indexer.upkeep import read_proof

SECRET = "A man with a scar that nobody else has."


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Nine rows in three segments with deletions, updates and quarantine."""
    store = small_index(tmp_path / "index")
    with store.writer() as writer:
        writer.update(0, subject_id="zoe", metadata={"a": 1})
        writer.update(3, metadata={})
        writer.commit()
        writer.update(0, metadata={"a": [2, None]})
        writer.delete(row_ids=[4])
        writer.commit()
    return store


def test_an_update_keeps_id_vectors_and_captions(tmp_path: Path) -> None:
    store = small_index(tmp_path / "index")
    before, vectors = store.rows([0, 2]), store.vectors([0, 2])
    with store.writer() as writer:
        writer.update(0, subject_id="ü 名", metadata={"x": None})
        ids = writer.add(make_batch(["new"], random_blocks(np.random.default_rng(0), 1), first=50))
        writer.update(int(ids[0]), subject_id="newer")  # gathered, not committed yet
        writer.commit()
        writer.update(2, metadata={"y": 1.5})
        writer.commit()
    for again in (store, Store.open(store.path)):
        first, second = again.rows([0, 2])
        assert (first.subject_id, first.metadata, second.subject_id) == ("ü 名", {"x": None}, before[1].subject_id)
        assert second.metadata == {"y": 1.5}
        assert (first.captions, first.source_key, first.chip) == (before[0].captions, "key0", before[0].chip)
        np.testing.assert_array_equal(again.vectors([0, 2]), vectors)
        assert again.rows(ids)[0].subject_id == "newer"
        assert again.search_subjects(vectors[:1], 1)[0][0].subject_id == "ü 名"
        assert again.info()["rows_updated"] == 3
    with store.writer() as writer:
        assert writer.delete(subject_id="ü 名") == 1
        writer.update(2, subject_id="newest")
        assert writer.delete(subject_id="newest") == 1
        with pytest.raises(UnknownRowError, match="newest"):
            writer.delete(subject_id="newest")


def test_bad_updates(store: Store) -> None:
    with store.writer() as writer:
        for row_id in (1, 99, -1):
            with pytest.raises(UnknownRowError, match=str(row_id)):
                writer.update(row_id, subject_id="x")
        with pytest.raises(IndexerError, match="no change"):
            writer.update(0)
        with pytest.raises(BadRowError, match="subject_id of row 0"):
            writer.update(0, subject_id="")
        with pytest.raises(BadRowError, match="metadata of row 0"):
            writer.update(0, metadata={"x": float("nan")})
        generation = writer.committed.generation
        assert writer.commit() == generation


def test_delete_by_photo(store: Store) -> None:
    digest = store.rows([2])[0].image_sha256
    with store.writer() as writer:
        assert writer.delete(image_sha256=digest) == 1
        with pytest.raises(UnknownRowError, match=digest):
            writer.delete(image_sha256=digest)
        writer.commit()
    with pytest.raises(UnknownRowError):
        store.rows([2])


def test_compaction_changes_no_answer(store: Store) -> None:
    before, old = state(store), Store.open(store.path)
    report = compact(store)
    assert (report.segments_before, report.segments_after) == (3, 1)
    assert (report.rows, report.rows_dropped, report.rows_updated) == (7, 2, 2)
    assert state(store) == state(Store.open(store.path)) == state(old) == before
    assert verify(store.path).ok
    assert store.info()["rows_deleted"] == store.info()["rows_updated"] == 0
    assert store.info()["bytes"] == sum(path.stat().st_size for path in store.path.iterdir())
    again = compact(store)
    assert again.generation == report.generation  # nothing left to do, nothing committed
    with store.writer() as writer:
        assert writer.add(make_batch(["n"], random_blocks(np.random.default_rng(0), 1))).tolist() == [9]


def test_compaction_goes_run_by_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys.modules["indexer.upkeep.compact"], "RUN_BYTES", 1)
    before = state(store)
    report = compact(store)
    assert report.segments_after == 3
    assert report.rows_dropped == 2
    assert state(Store.open(store.path)) == before
    assert verify(store.path).ok


def test_compaction_of_an_index_without_rows(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    assert compact(store).generation == purge(store).generation == 0
    add_rows(store, ["a"])
    with store.writer() as writer:
        writer.delete(subject_id="a")
        writer.commit()
    assert compact(store).segments_after == 0
    assert (len(Store.open(store.path)), verify(store.path).ok) == (0, True)


def test_a_version_1_index_is_read_and_becomes_version_4(tmp_path: Path) -> None:
    path = small_index(tmp_path / "index").path
    before = state(Store.open(path))
    values = json.loads((path / "manifest.json").read_bytes())
    values["format_version"] = 1
    del values["retired"], values["digest"]
    values["digest"] = hashlib.sha256(canonical(values)).hexdigest()
    (path / "manifest.json").write_bytes(canonical(values))
    store = Store.open(path)
    assert (state(store), store.info()["format_version"], verify(path).ok) == (before, 1, True)
    compact(store)
    assert (state(store), store.info()["format_version"], verify(path).ok) == (before, 4, True)


def test_readers_while_compactions_go_on(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    vectors = np.vstack([add_rows(store, [f"s{i}"] * 4, seed=i, first=4 * i) for i in range(6)])
    query = np.random.default_rng(1).standard_normal((1, 12)).astype(np.float32)
    old, errors, done = Store.open(store.path), [], threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                for reader in (old, Store.open(store.path)):
                    ids = [i for i in range(24) if i != 23]
                    assert len(reader.rows(ids[:5])) == 5
                    np.testing.assert_array_equal(reader.vectors(ids), vectors[ids])
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(5):
        add_rows(store, ["more"], seed=10 + number, first=30 + number)
        compact(store)
    done.set()
    thread.join()
    assert not errors, errors
    found = list(zip(*(part[0].tolist() for part in old.search(query, 3)), strict=True))
    assert found == plain_search(vectors, np.arange(24), query[0], 3)


def raw(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


def uncompressed(path: Path) -> bytes:
    """Every text that any Parquet file of the directory holds."""
    import pyarrow.parquet as pq

    return b"".join(str(pq.read_table(file).to_pylist()).encode() for file in sorted(path.glob("*.parquet")))


@pytest.mark.parametrize("compacted_before", [False, True])
def test_purge_removes_every_byte(tmp_path: Path, compacted_before: bool) -> None:
    store = small_index(tmp_path / "index")
    blocks = random_blocks(np.random.default_rng(77), 2)
    with store.writer() as writer:
        ids = writer.add(
            make_batch(["gone", "stays"], blocks, 20, captions=[(SECRET,), ()], chips=[b"secret crop", b"kept crop"])
        )
        writer.update(int(ids[1]), metadata={"old": "value replaced"})
        writer.commit()
        writer.update(int(ids[1]), metadata={})
        writer.delete(row_ids=ids[:1])
        writer.commit()
    table = segments.read_table(store.path, list(store._generation.manifest.of_kind("rows"))[-1], CONTRACT)
    old = Store.open(store.path)
    digests = {row_id: content for row_id, _, content in row_digests(table, tables.blocks_of(table, CONTRACT))}
    if compacted_before:
        compact(store)
    secrets = [block[:1].tobytes() for block in blocks.values() if block[0].any()] + [b"secret crop"]
    assert all(secret in raw(store.path) for secret in secrets)
    assert SECRET.encode() in uncompressed(store.path)
    before = state(store)
    report = purge(store)
    assert (state(store), state(Store.open(store.path))) == (before, before)
    assert not any(secret in raw(store.path) for secret in secrets)
    for text in (SECRET, "gone", "value replaced"):
        assert text.encode() not in uncompressed(store.path)
    assert b"kept crop" in raw(store.path)
    with pytest.raises(StaleReaderError, match="open the index again"):
        old.rows([int(ids[1])])
    proof = read_proof(store.path / report.proofs[0])
    told = {row["row_id"]: row["content_sha256"] for row in proof["rows_removed"]}
    assert told == {1: told[1], int(ids[0]): digests[int(ids[0])]}
    assert report.rows_removed == 2
    assert not any((store.path / file["name"]).exists() for file in proof["files_removed"])
    assert proof["generation"] == report.generation - 1
    assert (verify(store.path).ok, verify(store.path).notes) == (True, ())
    assert purge(store).proofs == ()


@pytest.mark.slow
def test_every_flipped_bit_after_compaction_is_found(store: Store) -> None:
    compact(store)
    chance = np.random.default_rng(0)
    for path in sorted(store.path.iterdir()):
        data = path.read_bytes()
        for byte in chance.integers(0, len(data), 25 if data else 0).tolist():
            path.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << int(chance.integers(8))]) + data[byte + 1 :])
            report = verify(store.path)
            assert not report.ok
            assert path.name in " ".join(report.problems)
        path.write_bytes(data)
    assert verify(store.path).ok


def test_repair_removes_what_nothing_refers_to(store: Store) -> None:
    before = state(store)
    compact(store)
    damaged = read_manifest(store.path).retired[0]
    (store.path / damaged.name).write_bytes(b"damaged")
    (store.path / ".tmp-manifest.json").touch()
    (store.path / "rows-00000099.parquet").write_bytes(b"half")
    (store.path / "notes.txt").touch()
    assert not verify(store.path).ok
    result = repair(store.path)
    assert [line.split(":")[0] for line in result.repaired] == [
        ".tmp-manifest.json",
        "rows-00000099.parquet",
        damaged.name,
    ]
    assert result.report.problems == ("notes.txt: does not belong to the index",)
    assert (store.path / "notes.txt").exists()
    (store.path / "notes.txt").unlink()
    assert repair(store.path).repaired == ()
    assert verify(store.path).ok
    assert state(Store.open(store.path)) == before


def test_repair_never_touches_a_damaged_part_of_the_index(store: Store) -> None:
    path = store.path / "rows-00000001.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    files = {file.name: file.read_bytes() for file in store.path.iterdir()}
    result = repair(store.path)
    assert (result.repaired, result.report.ok) == ((), False)
    assert {file.name: file.read_bytes() for file in store.path.iterdir()} == files


def test_repair_refuses_a_writer_at_work_and_what_is_no_index(store: Store, tmp_path: Path) -> None:
    with store.writer(), pytest.raises(IndexLockedError):
        repair(store.path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(NotAnIndexError):
        repair(tmp_path / "photos")
    assert not list((tmp_path / "photos").iterdir())
    shutil.copy(store.path / "rows-00000001.parquet", tmp_path / "photos")
