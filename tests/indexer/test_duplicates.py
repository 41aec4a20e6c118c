"""Near-duplicates: against a plain double loop, whatever the slabs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, make_batch, random_blocks, unit

from indexer import Store, duplicates

COUNT = 40


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Forty rows: some near copies, one photo claimed by two subjects, some rows without the block, some deleted."""
    rng = np.random.default_rng(3)
    blocks = random_blocks(rng, COUNT)
    for row, like in ((7, 2), (20, 2), (21, 20), (35, 30), (39, 0)):
        blocks["face"][row] = unit(blocks["face"][like] + 0.02 * rng.standard_normal(8))
    blocks["face"][36] = blocks["face"][4]
    blocks["face"][[11, 12]] = 0.0
    blocks["caption"][[11, 12]] = unit(rng.standard_normal((2, 4)))
    digests = [f"{i:064x}" for i in range(COUNT)]
    digests[36] = digests[4]
    store = Store.create(tmp_path / "index", CONTRACT)
    with store.writer() as writer:
        writer.add(make_batch([f"s{i}" for i in range(COUNT)], blocks, image_sha256s=digests))
        writer.delete(row_ids=[0, 30])
        writer.commit()
    return store


def plain(store: Store, threshold: float, first: int) -> list[tuple[int, int]]:
    ids = store._generation.ids.tolist()
    face = store.split(store.vectors(ids))["face"]
    photos = [row.image_sha256 for row in store.rows(ids)]
    found = []
    for i in range(len(ids)):
        others = [(-float(face[i] @ face[j]), ids[j]) for j in range(i) if photos[i] != photos[j]]
        if ids[i] >= first and others and -min(others)[0] >= threshold:
            found.append((ids[i], min(others)[1]))
    return found


@pytest.mark.parametrize("slab", [1, 7, 1 << 14])
@pytest.mark.parametrize(("threshold", "first"), [(0.98, 0), (0.98, 21), (0.5, 5), (-0.5, 0), (0.98, 40)])
def test_against_a_plain_loop(
    store: Store, threshold: float, first: int, slab: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_NEW_AT_ONCE", min(slab, 1024))
    monkeypatch.setattr(duplicates, "_OLD_AT_ONCE", slab)
    found, same = store.near_duplicates("face", threshold, first)
    assert [(pair.row_id, pair.like) for pair in found] == plain(store, threshold, first)
    assert same == int(first <= 36)
    if (threshold, first) == (0.98, 0):
        assert [(pair.row_id, pair.like) for pair in found] == [(7, 2), (20, 2), (21, 20)]
        assert all(0.98 <= pair.score <= 1.0 + 1e-6 for pair in found)


def test_an_index_without_rows(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    assert store.near_duplicates("face", 0.9) == ([], 0)
    assert store.count_from(0) == 0
