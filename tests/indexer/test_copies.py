"""Snapshots, restores, exports and imports: the same answers, whole or not there at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from crash_child import COPIES
from index_helpers import CONTRACT, make_batch, random_blocks, small_index, state
from test_store_crash import run_children

from indexer import (
    Block,
    Contract,
    ContractMismatchError,
    DamagedIndexError,
    DiskFullError,
    FormatVersionError,
    IndexExistsError,
    NotAnIndexError,
    Store,
    compact,
    export_index,
    import_index,
    io,
    restore,
    segments,
    snapshot,
    tables,
    verify,
)
from indexer.manifest import canonical

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = small_index(tmp_path / "origin")
    with store.writer() as writer:
        writer.update(0, subject_id="zoe", metadata={"a": 1})
        writer.delete(row_ids=[8])
        writer.commit()
    return store


@pytest.fixture
def door() -> Iterator[None]:
    former = io.on_step
    yield
    io.on_step = former


def test_a_snapshot_is_an_index_and_restores(store: Store, tmp_path: Path) -> None:
    before = state(store)
    report = snapshot(store, tmp_path / "deep" / "snapshot")
    with store.writer() as writer:
        writer.delete(row_ids=[0])
        writer.commit()
    copy = Store.open(tmp_path / "deep" / "snapshot", CONTRACT)
    assert (state(copy), copy.index_id, copy.generation) == (before, store.index_id, report.generation)
    assert verify(copy.path).ok
    assert report.bytes == sum(path.stat().st_size for path in copy.path.iterdir())
    restored = restore(copy.path, tmp_path / "restored")
    assert restored.rows == len(copy) == 7
    assert state(Store.open(tmp_path / "restored")) == before
    with Store.open(tmp_path / "restored").writer() as writer:
        assert writer.add(make_batch(["n"], random_blocks(np.random.default_rng(0), 1))).tolist() == [9]


def test_nothing_is_written_over(store: Store, tmp_path: Path) -> None:
    snapshot(store, tmp_path / "snapshot")
    export_index(store, tmp_path / "export")
    before = state(store)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    (tmp_path / "file").touch()
    for target, found in (("origin", "an index"), ("photos", r"a\.jpg"), ("file", "a file")):
        for run in (
            lambda path: restore(tmp_path / "snapshot", path),
            lambda path: import_index(tmp_path / "export", path),
            lambda path: snapshot(store, path),
            lambda path: export_index(store, path),
        ):
            with pytest.raises(IndexExistsError, match=f"{target}; found: .*{found}"):
                run(tmp_path / target)
    assert state(Store.open(store.path)) == before
    with pytest.raises(IndexExistsError, match="inside an index"):
        snapshot(store, store.path / "snapshot")
    assert verify(store.path).ok
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "snapshot", tmp_path / "empty")
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_damaged_snapshot_is_refused(store: Store, tmp_path: Path) -> None:
    path = snapshot(store, tmp_path / "snapshot").path
    victim = Path(path) / "rows-00000002.parquet"
    data = victim.read_bytes()
    victim.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(DamagedIndexError, match=r"rows-00000002\.parquet: SHA-256"):
        restore(path, tmp_path / "restored")
    with pytest.raises(DamagedIndexError, match=r"rows-00000002\.parquet; found: other bytes"):
        snapshot(Store.open(path), tmp_path / "second")
    with pytest.raises(NotAnIndexError):
        restore(tmp_path, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()
    assert not (tmp_path / "second").exists()


def test_an_export_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    report = export_index(store, tmp_path / "export")
    assert report.rows == 7
    files = sorted(path.name for path in (tmp_path / "export").iterdir())
    assert files == ["export.json", "quarantine-00000001.parquet", "rows-00000001.parquet"]
    table = pq.read_table(tmp_path / "export" / "rows-00000001.parquet")
    assert table["row_id"].to_pylist() == [0, 2, 3, 4, 5, 6, 7]
    assert table["subject_id"][0].as_py() == "zoe"
    made = import_index(tmp_path / "export", tmp_path / "imported", CONTRACT)
    again = Store.open(tmp_path / "imported", CONTRACT)
    assert state(again) == state(store)
    assert again.index_id == made.index_id != store.index_id
    assert verify(again.path).ok
    with again.writer() as writer:
        assert writer.add(make_batch(["n"], random_blocks(np.random.default_rng(0), 1))).tolist() == [9]


def test_what_a_killed_copy_left_is_not_in_the_next_one(store: Store, tmp_path: Path) -> None:
    (tmp_path / ".tmp-snapshot").mkdir()
    (tmp_path / ".tmp-snapshot" / "rows-00000077.parquet").write_bytes(b"of an older state")
    snapshot(store, tmp_path / "snapshot")
    assert (verify(tmp_path / "snapshot").ok, verify(tmp_path / "snapshot").notes) == (True, ())
    assert not list(tmp_path.glob(".tmp-*"))


def test_an_empty_index_can_be_copied(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    snapshot(store, tmp_path / "s")
    restore(tmp_path / "s", tmp_path / "r")
    export_index(store, tmp_path / "e")
    import_index(tmp_path / "e", tmp_path / "i")
    assert len(Store.open(tmp_path / "i")) == len(Store.open(tmp_path / "r")) == 0


def signed(path: Path, **changed: object) -> None:
    """What a faulty program would export: a right digest over wrong content."""
    values = {**json.loads((path / "export.json").read_bytes()), **changed}
    del values["digest"]
    digest = hashlib.sha256(canonical(values)).hexdigest()
    (path / "export.json").write_bytes(canonical({**values, "digest": digest}))


def test_a_wrong_export_is_refused(store: Store, tmp_path: Path) -> None:
    export_index(store, tmp_path / "export")

    def refused(kind: type[Exception], message: str, contract: Contract | None = None) -> None:
        with pytest.raises(kind, match=message):
            import_index(tmp_path / "wrong", tmp_path / "index", contract)
        assert not (tmp_path / "index").exists()
        shutil.rmtree(tmp_path / "wrong")
        shutil.copytree(tmp_path / "export", tmp_path / "wrong")

    shutil.copytree(tmp_path / "export", tmp_path / "wrong")
    refused(
        ContractMismatchError, "blocks, model_id", Contract((Block("face", 3),), {**CONTRACT.fields, "model_id": "x"})
    )
    for name in ("rows-00000001.parquet", "export.json"):
        data = bytearray((tmp_path / "wrong" / name).read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / "wrong" / name).write_bytes(bytes(data))
        refused(DamagedIndexError, name)
    (tmp_path / "wrong" / "rows-00000001.parquet").unlink()
    refused(DamagedIndexError, "no such file")
    (tmp_path / "wrong" / "export.json").unlink()
    refused(NotAnIndexError, r"no export\.json")
    signed(tmp_path / "wrong", format_version=9)
    refused(FormatVersionError, "9")
    for wrong in ({"files": [{"kind": "../x"}]}, {"files": [{}]}, {"next_row_id": "many"}, {"contract": {}}):
        signed(tmp_path / "wrong", **wrong)
        refused(DamagedIndexError, "missing or of another kind")
    signed(tmp_path / "wrong", next_row_id=3)
    refused(DamagedIndexError, "not below the next id")
    # Vectors that are not of unit norm, under right checksums.
    batch = make_batch(["x"], random_blocks(np.random.default_rng(0), 1))
    object.__setattr__(batch, "blocks", {name: 2 * block for name, block in batch.blocks.items()})
    table = tables.rows_table(CONTRACT, batch, np.array([0]))
    entry = segments.write_table(tmp_path / "wrong", "rows", 1, table)
    signed(tmp_path / "wrong", files=[{name: getattr(entry, name) for name in (*entry.__slots__, "name")}])
    refused(DamagedIndexError, "norm 2.0000")


def watched(name: str, path: Path) -> list[str]:
    steps: list[str] = []
    io.on_step = lambda action, changed: steps.append(action)
    COPIES[name](path)
    io.on_step = io._pass
    return steps


def prepare(store: Store, tmp_path: Path) -> None:
    snapshot(store, tmp_path / "snapshot")
    export_index(store, tmp_path / "export")


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("name", sorted(COPIES))
def test_kill_at_every_step_of_a_copy(store: Store, tmp_path: Path, name: str) -> None:
    prepare(store, tmp_path)
    steps = watched(name, tmp_path / "watched")
    killed = [tmp_path / f"killed-{number}" for number in range(len(steps) + 1)]
    assert run_children(name, killed) == ["-9"] * len(steps) + ["0"]
    appeared = 0
    for path in killed:
        if not path.exists():  # not there at all: the next run is not in its own way
            COPIES[name](path)
        else:
            appeared += 1
        if name == "export_origin":
            import_index(path, imported := path.with_name(f"imported-{path.name}"))
            path = imported
        assert verify(path).ok
        assert state(Store.open(path)) == state(store)
    assert 1 <= appeared < len(killed)
    assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("name", sorted(COPIES))
def test_the_disk_is_full_at_every_step_of_a_copy(store: Store, tmp_path: Path, name: str) -> None:
    prepare(store, tmp_path)
    steps = watched(name, tmp_path / "watched")
    for failing in range(len(steps)):
        path, count = tmp_path / f"failed-{failing}", 0

        def fail(action: str, changed: Path, failing: int = failing) -> None:
            nonlocal count
            count += 1
            if count > failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(changed))

        io.on_step = fail
        late = failing >= len(steps) - 2  # it is in its place already
        if failing < len(steps) - 1:
            with pytest.raises(DiskFullError, match="what to do: "):
                COPIES[name](path)
        io.on_step = io._pass
        if not late:
            assert not path.exists()
            COPIES[name](path)
    assert verify(store.path).ok


def test_too_little_space_is_seen_before_anything_is_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(store, tmp_path)
    usage = io.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(io.shutil, "disk_usage", lambda path: usage._replace(free=io.SPARE_BYTES + 100))
    before = sorted(path.name for path in tmp_path.iterdir())
    for name in sorted(COPIES):
        with pytest.raises(DiskFullError, match=r"target: .*found: 17 MB free; expected: 17 MB; what to do: free"):
            COPIES[name](tmp_path / "target")
    generation = store.generation
    with pytest.raises(DiskFullError, match="nothing was written"):
        compact(store)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert Store.open(store.path).generation == generation
    monkeypatch.setattr(io.shutil, "disk_usage", lambda path: usage._replace(free=io.SPARE_BYTES + 100_000))
    compact(store)
    for name in sorted(COPIES):
        COPIES[name](tmp_path / f"of-{name}")
