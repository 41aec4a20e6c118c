"""Caches: never the truth, never an obstacle, never a hiding place for what was purged."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from index_helpers import CONTRACT, add_rows, plain_search, small_index
from test_store_crash import run_children

from indexer import IndexLockedError, Store, caches, checksums, compact, generation, io, lock, purge, repair, verify

pytestmark = pytest.mark.slow

QUERY = np.random.default_rng(5).standard_normal((1, CONTRACT.dim)).astype(np.float32)


@pytest.fixture(autouse=True)
def always_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "MAPPED_FROM", 1)


@pytest.fixture
def door() -> Iterator[None]:
    former = io.on_step
    yield
    io.on_step = former


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return small_index(tmp_path / "index")


def answer(path: Path) -> tuple[Any, ...]:
    store = Store.open(path, backend="exact")
    ids, scores = store.search(QUERY, 4)
    ids_of_rows = [0, 2, 3, 4, 5, 6, 7, 8]
    return ids.tolist(), scores.tolist(), store.vectors(ids_of_rows).tobytes()


def cached(path: Path) -> list[Path]:
    return caches.files(path)


def is_mapped(store: Store) -> bool:
    base: Any = store._generation.vectors
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    return base is not None


def test_the_first_search_keeps_what_the_next_one_maps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "MAPPED_FROM", 1 << 40)
    truth = answer(store.path)
    assert not cached(store.path)
    monkeypatch.setattr(generation, "MAPPED_FROM", 1)
    assert answer(store.path) == truth
    (file,) = cached(store.path)
    written = file.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(generation.Generation, "read_vectors", None)  # nobody reads the segments any more
        assert is_mapped(Store.open(store.path, backend="exact").load())
        assert answer(store.path) == truth
    assert file.stat().st_mtime_ns == written
    assert store.info()["bytes_cached"] == file.stat().st_size == 8 * CONTRACT.dim * 4 + 12
    report = verify(store.path)
    assert (report.ok, report.bytes) == (True, sum(p.stat().st_size for p in store.path.rglob("*") if p.is_file()))


@pytest.mark.parametrize("backend", ["exact", "flat"])
def test_every_change_makes_a_new_one(store: Store, backend: str) -> None:
    for step in ("none", "add", "delete", "compact"):
        if step == "add":
            add_rows(store, ["new", "new"], seed=9, first=60)
        elif step == "delete":
            with store.writer() as writer:
                writer.delete(row_ids=[3])
                writer.commit()
        elif step == "compact":
            compact(store)
        reader = Store.open(store.path, backend=backend)
        ids = reader._generation.ids
        found = list(zip(*(part[0].tolist() for part in reader.search(QUERY, 3)), strict=True))
        plain = np.concatenate(list(reader._generation.read_vectors()))
        assert found == plain_search(plain, ids, QUERY[0], 3)
        assert is_mapped(reader)
        assert len(cached(store.path)) == 1


def test_a_reader_keeps_its_mapping_when_the_cache_goes(store: Store) -> None:
    reader = Store.open(store.path).load()
    before = reader.search(QUERY, 3)
    assert caches.forget(store.path) == 1
    for part, same in zip(reader.search(QUERY, 3), before, strict=True):
        np.testing.assert_array_equal(part, same)


def test_a_flipped_bit_is_found_and_gives_no_wrong_answer(store: Store) -> None:
    truth = answer(store.path)
    chance = random.Random(4)
    for number in range(60):
        (file,) = cached(store.path)
        data = file.read_bytes()
        at = chance.randrange(len(data)) if number > 12 else len(data) - 1 - number  # the trailer in any case
        file.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        report = verify(store.path)
        assert not report.ok
        assert f"cache/{file.name}: a damaged cache" in report.problems[0]
        assert answer(store.path) == truth
        assert verify(store.path).ok  # it was made anew


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(1000)])
def test_another_file_of_its_name(store: Store, wrong: bytes) -> None:
    truth = answer(store.path)
    cached(store.path)[0].write_bytes(wrong)
    assert answer(store.path) == truth
    cached(store.path)[0].write_bytes(wrong)
    assert any("cache" in line for line in repair(store.path).repaired)
    assert (verify(store.path).ok, verify(store.path).notes) == (True, ())


def test_purge_removes_all_caches(store: Store) -> None:
    secret = store.vectors([2]).tobytes()
    Store.open(store.path).load()
    (store.path / "cache" / "of-another-kind").mkdir()
    (store.path / "cache" / "of-another-kind" / "file").write_bytes(secret)
    with store.writer() as writer:
        writer.delete(row_ids=[2])
        writer.commit()
    assert secret in b"".join(file.read_bytes() for file in cached(store.path))
    purge(store)
    assert not cached(store.path)
    assert sorted(path.name for path in (store.path / "cache").iterdir()) == ["LOCK"]
    assert (verify(store.path).ok, verify(store.path).notes) == (True, ())


def test_a_reader_from_before_cannot_undo_a_purge(store: Store) -> None:
    old = Store.open(store.path)
    _ = old._generation.ids
    tables = list(old._generation.read_vectors())
    with store.writer() as writer:
        writer.delete(row_ids=[2])
        writer.commit()
    purge(store)
    assert caches.keep(old.path, old.manifest, "vectors.f32", tables) is None
    assert not cached(store.path)


def test_nothing_is_kept_while_somebody_writes(store: Store) -> None:
    with store.writer():
        reader = Store.open(store.path).load()
        assert not is_mapped(reader)
        assert not cached(store.path)
    (store.path / "cache").mkdir(exist_ok=True)
    with lock.hold(store.path / "cache"):
        assert not is_mapped(Store.open(store.path).load())


def test_a_purge_waits_for_a_cache_that_is_being_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(store.path).load()
    monkeypatch.setattr(caches, "WAIT_SECONDS", 0.2)
    with store.writer() as writer:
        writer.delete(row_ids=[2])
        writer.commit()
    with lock.hold(store.path / "cache"), pytest.raises(IndexLockedError):
        purge(store)
    assert verify(store.path).ok
    purge(store)
    assert not cached(store.path)


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
def test_where_none_can_be_kept_the_answer_is_the_same(store: Store, code: int) -> None:
    truth = answer(store.path)
    caches.forget(store.path)
    shutil.rmtree(store.path / "cache")
    steps: list[str] = []
    io.on_step = lambda action, path: steps.append(action)
    answer(store.path)
    caches.forget(store.path)
    shutil.rmtree(store.path / "cache")
    for failing in range(len(steps)):
        count = 0

        def fail(action: str, path: Path, failing: int = failing) -> None:
            nonlocal count
            count += 1
            if count > failing:
                raise OSError(code, os.strerror(code), str(path))

        io.on_step = fail
        assert answer(store.path) == truth
        io.on_step = io._pass
        shutil.rmtree(store.path / "cache", ignore_errors=True)
        assert verify(store.path).ok


@pytest.mark.usefixtures("door")
def test_killed_at_every_step(store: Store, tmp_path: Path) -> None:
    steps: list[str] = []
    io.on_step = lambda action, path: steps.append(action)
    truth = answer(store.path)
    io.on_step = io._pass
    caches.forget(store.path)
    shutil.rmtree(store.path / "cache")
    killed = [Path(shutil.copytree(store.path, tmp_path / f"killed-{n}")) for n in range(len(steps) + 1)]
    ends = run_children("load_mapped", killed)
    assert ends == ["-9"] * len(steps) + ["0"]
    for path in killed:
        assert verify(path).ok
        assert answer(path) == truth
        assert [file.name[:7] for file in cached(path)] == ["vectors"]
        purge(Store.open(path))
        assert (verify(path).ok, verify(path).notes) == (True, ())


def test_pages_that_were_read_are_let_go(tmp_path: Path) -> None:
    def pages() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("RssFile:", "RssShmem:")))

    rows = np.random.default_rng(0).standard_normal((1 << 15, 512), np.float32)  # 64 MiB
    path = tmp_path / "vectors.f32"
    path.write_bytes(rows.tobytes() + bytes(checksums.TRAILER))
    mapped = caches.map_vectors(path, 512)
    before = pages()
    np.testing.assert_array_equal(mapped, rows)
    assert pages() - before > 60 << 20
    caches.let_go(mapped[:100])
    assert pages() - before < 10 << 20
    np.testing.assert_array_equal(mapped[::1000], rows[::1000])
    caches.let_go(rows)  # nothing to let go
