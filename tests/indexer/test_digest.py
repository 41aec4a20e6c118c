"""The content digest: the same for the same rows whatever their history, another for any other row."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, make_batch, random_blocks, small_index

from indexer import (
    Block,
    Contract,
    QuarantineRecord,
    Store,
    Writer,
    compact,
    export_index,
    import_index,
    purge,
    restore,
    snapshot,
)


def in_commits_of(path: Path, size: int) -> Store:
    """Six rows, committed `size` at a time."""
    store = Store.create(path, CONTRACT)
    blocks = random_blocks(np.random.default_rng(4), 6)
    for start in range(0, 6, size):
        part = {name: block[start : start + size] for name, block in blocks.items()}
        with store.writer() as writer:
            writer.add(make_batch([f"s{i}" for i in range(start, start + size)], part, first=start))
            writer.commit()
    return store


def test_it_does_not_know_how_the_rows_came_there(tmp_path: Path) -> None:
    digests = {in_commits_of(tmp_path / f"by{size}", size).digest() for size in (1, 2, 3, 6)}
    assert len(digests) == 1
    assert len(next(iter(digests))) == 64


def test_upkeep_and_copies_keep_it(tmp_path: Path) -> None:
    store = small_index(tmp_path / "index")
    with store.writer() as writer:
        writer.update(0, subject_id="zoe", metadata={"a": 1})
        writer.commit()
    before = store.digest()
    snapshot(store, tmp_path / "snapshot")
    restore(tmp_path / "snapshot", tmp_path / "restored")
    export_index(store, tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "imported")
    compact(store)
    compacted = store.digest()
    purge(store)
    copies = [Store.open(tmp_path / name).digest() for name in ("snapshot", "restored", "imported")]
    assert [compacted, store.digest(), *copies] == [before] * 5


CHANGES: dict[str, Callable[[Writer], object]] = {
    "delete": lambda writer: writer.delete(row_ids=[5]),
    "subject": lambda writer: writer.update(2, subject_id="other"),
    "metadata": lambda writer: writer.update(2, metadata={"n": 3}),
    "quarantine": lambda writer: writer.quarantine([QuarantineRecord("q.jpg", "no_face", "", "")]),
    "add": lambda writer: writer.add(make_batch(["s6"], random_blocks(np.random.default_rng(0), 1), first=6)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_any_change_changes_it(tmp_path: Path, name: str) -> None:
    store = in_commits_of(tmp_path / "index", 6)
    before = store.digest()
    with store.writer() as writer:
        CHANGES[name](writer)
        writer.commit()
    assert store.digest() != before


@pytest.mark.parametrize("changed", ["captions", "chips", "quality", "vectors", "images", "contract"])
def test_every_column_counts(tmp_path: Path, changed: str) -> None:
    def digest(path: Path, contract: Contract, blocks: dict[str, np.ndarray], **columns: object) -> str:
        store = Store.create(path, contract)
        with store.writer() as writer:
            writer.add(make_batch(["s"], blocks, **columns))
            writer.commit()
        return store.digest()

    blocks = random_blocks(np.random.default_rng(0), 1)
    before = digest(tmp_path / "a", CONTRACT, blocks)
    assert digest(tmp_path / "b", CONTRACT, blocks) == before
    others: dict[str, object] = {"captions": [("x",)], "chips": [b"x"], "quality": [{"x": 1}], "images": ["x"]}
    contract = Contract((Block("face", 8), Block("caption", 4)), {"model_id": "other"})
    if changed == "vectors":
        blocks = {**blocks, "face": np.roll(blocks["face"], 1, axis=1)}
    columns = {changed: others[changed]} if changed in others else {}
    assert digest(tmp_path / "c", contract if changed == "contract" else CONTRACT, blocks, **columns) != before


def test_of_a_copied_directory(tmp_path: Path) -> None:
    store = small_index(tmp_path / "index")
    shutil.copytree(store.path, tmp_path / "copy")
    assert Store.open(tmp_path / "copy").digest() == store.digest()
