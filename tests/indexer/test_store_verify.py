"""`verify` finds every changed bit; `open` and `search` never answer wrongly because of one."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from index_helpers import CONTRACT, make_batch, random_blocks, small_index, state

from indexer import IndexerError, NotAnIndexError, Store, lock, segments, tables, verify
from indexer.manifest import DELETED, ROWS, FileEntry, read_manifest, write_manifest

FLIPS = 1000
ASKED = int(os.environ.get("TGFR_FLIPS", "240"))
"""Of those that are not only looked for but searched with; `make soak` takes all of them."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small index of every kind of file, with the record of a killed writer in LOCK."""
    path = tmp_path_factory.mktemp("whole") / "index"
    small_index(path)
    (path / lock.LOCK_NAME).write_bytes(lock._owner_record())
    return path


@pytest.fixture
def index(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "index")
    return tmp_path / "index"


def flips(index: Path, seed: int, count: int = FLIPS) -> list[tuple[Path, int, int]]:
    """Random (file, byte, bit); every file gets its share, however small."""
    chance = random.Random(seed)
    files = sorted(index.iterdir())
    chosen = [files[i % len(files)] for i in range(count)]
    return [(path, chance.randrange(path.stat().st_size), chance.randrange(8)) for path in chosen]


def test_a_whole_index(whole: Path) -> None:
    report = verify(whole)
    assert (report.ok, report.problems, report.rows) == (True, (), 8)
    assert report.files == len(list(whole.iterdir())) == 8
    assert report.bytes == sum(path.stat().st_size for path in whole.iterdir())
    assert report.notes == ("LOCK: names a writer that was killed; the next one overwrites it",)


def test_verify_changes_nothing(index: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in index.iterdir()}
    verify(index)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in index.iterdir()} == before


@pytest.mark.slow
def test_every_flipped_bit_is_found(index: Path) -> None:
    seen = set()
    for path, byte, bit in flips(index, seed=1):
        data = path.read_bytes()
        path.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :])
        report = verify(index)
        assert not report.ok, (path.name, byte, bit)
        assert path.name in " ".join(report.problems), (path.name, byte, bit)
        path.write_bytes(data)
        seen.add(path.name)
    assert seen == {path.name for path in index.iterdir()}
    assert verify(index).ok


@pytest.mark.slow
def test_a_flipped_bit_never_gives_a_wrong_answer(index: Path) -> None:
    """Without `verify`: the true answer, or an error of ours; never a crash, never another answer."""
    queries = np.random.default_rng(0).standard_normal((2, CONTRACT.dim)).astype(np.float32)

    def answer() -> tuple[object, ...]:
        store = Store.open(index, CONTRACT, backend="exact")
        ids, scores = store.search(queries, 4)
        return ids.tolist(), scores.tolist(), state(store), store.search_subjects(queries, 3), store.info()

    truth, refused = answer(), 0
    for path, byte, bit in flips(index, seed=2, count=ASKED):
        data = path.read_bytes()
        path.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :])
        try:
            assert answer() == truth, (path.name, byte, bit)
        except IndexerError:
            refused += 1
        path.write_bytes(data)
    assert refused > ASKED / 3


@pytest.mark.parametrize("change", ["cut", "empty", "zero tail", "longer", "missing"])
@pytest.mark.parametrize("name", ["manifest.json", "rows-00000001.parquet", "deleted-00000002.parquet", "LOCK"])
def test_damaged_files(index: Path, name: str, change: str) -> None:
    if name == "LOCK" and change in ("empty", "missing"):
        pytest.skip("an empty or missing LOCK is whole")
    data = (index / name).read_bytes()
    changed = {
        "cut": data[:-7],
        "empty": b"",
        "zero tail": data[:-50] + bytes(50),
        "longer": data + b"\n",
    }
    if change == "missing":
        (index / name).unlink()
    else:
        (index / name).write_bytes(changed[change])
    report = verify(index)
    assert not report.ok
    assert name in " ".join(report.problems)
    if name != "LOCK":
        with pytest.raises(IndexerError):
            Store.open(index).load().rows([0])


def test_files_that_do_not_belong(index: Path) -> None:
    (index / "notes.txt").touch()
    (index / "folder").mkdir()
    shutil.copy(index / "rows-00000001.parquet", index / "rows-00000001.parquet.bak")
    shutil.copy(index / "rows-00000001.parquet", index / "quarantine-00000001.parquet")
    report = verify(index)
    assert [problem.split(":")[0] for problem in report.problems] == [
        "folder",
        "notes.txt",
        "quarantine-00000001.parquet",
        "rows-00000001.parquet.bak",
    ]


def test_what_a_killed_writer_leaves_is_a_note(index: Path) -> None:
    (index / "rows-00000004.parquet").write_bytes(b"half a fi")
    (index / ".tmp-manifest.json").touch()
    report = verify(index)
    assert report.ok
    assert [note.split(":")[0] for note in report.notes] == [".tmp-manifest.json", "LOCK", "rows-00000004.parquet"]
    with Store.open(index).writer():
        pass
    assert (verify(index).ok, verify(index).notes) == (True, ())


def test_an_index_that_is_being_written(index: Path) -> None:
    with Store.open(index).writer() as writer:
        (index / ".tmp-rows-00000004.parquet").touch()
        report = verify(index)
        assert report.ok
        assert ["of the writer at work" in report.notes[0], "is being written" in report.notes[1]] == [True, True]
        writer.add(make_batch(["z"], random_blocks(np.random.default_rng(0), 1)))
        (index / ".tmp-rows-00000004.parquet").unlink()
        writer.commit()
        assert (verify(index).ok, verify(index).rows) == (True, 9)


def commit_by_hand(index: Path, kind: str, table: pa.Table) -> None:
    """What a faulty program would commit: right checksums over wrong content."""
    committed = read_manifest(index)
    entry = segments.write_table(index, kind, committed.generation + 1, table)
    write_manifest(index, committed.next([entry], committed.next_row_id))


def rows_by_hand(ids: list[int], blocks: dict[str, np.ndarray]) -> pa.Table:
    good = make_batch(["x"] * len(ids), random_blocks(np.random.default_rng(0), len(ids)))
    object.__setattr__(good, "blocks", blocks)
    return tables.rows_table(CONTRACT, good, np.array(ids))


@pytest.mark.parametrize(
    ("kind", "table", "message"),
    [
        (DELETED, tables.deleted_table([77]), "refers to rows that are not there"),
        (DELETED, tables.deleted_table([1]), "twice to one"),
        (ROWS, rows_by_hand([2], random_blocks(np.random.default_rng(0), 1)), "row ids: not ascending"),
        (ROWS, rows_by_hand([1000], random_blocks(np.random.default_rng(0), 1)), "not below the next id"),
        (
            ROWS,
            rows_by_hand([8], {name: 2 * block for name, block in random_blocks(np.random.default_rng(0), 1).items()}),
            r"'face', row 0 \(id 9\).*norm 2.0000",
        ),
    ],
)
def test_content_that_does_not_agree_with_itself(tmp_path: Path, kind: str, table: pa.Table, message: str) -> None:
    index = small_index(tmp_path / "index").path
    if "id 9" in message:  # leave room for one more id
        committed = read_manifest(index)
        write_manifest(index, committed.next([], committed.next_row_id + 5))
        table = rows_by_hand(
            [committed.next_row_id], {n: 2 * b for n, b in random_blocks(np.random.default_rng(0), 1).items()}
        )
    commit_by_hand(index, kind, table)
    report = verify(index)
    assert not report.ok
    assert any(re.search(message, problem) for problem in report.problems), report.problems


def test_a_file_with_other_columns(tmp_path: Path) -> None:
    index = small_index(tmp_path / "index").path
    commit_by_hand(index, ROWS, tables.deleted_table([20]))
    assert "other rows or columns" in verify(index).problems[0]
    with pytest.raises(IndexerError, match="other rows or columns"):
        Store.open(index).load()


def test_a_manifest_that_lies_about_a_file(index: Path) -> None:
    committed = read_manifest(index)
    data = (index / "rows-00000003.parquet").read_bytes()
    lie = FileEntry(ROWS, 3, 2, len(data), hashlib.sha256(data).hexdigest())
    files = [lie if entry.name == lie.name else entry for entry in committed.files]
    object.__setattr__(committed, "files", tuple(files))
    write_manifest(index, committed)
    assert "other rows or columns" in verify(index).problems[0]


def test_verify_of_no_index(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotAnIndexError):
            verify(path)
    (tmp_path / "manifest.json").write_text('{"format": "something"}')
    assert not verify(tmp_path).ok
