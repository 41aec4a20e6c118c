"""Stored queries: every row that is committed after them is matched once, whoever is killed when."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from crash_child import READS
from index_helpers import CONTRACT, OTHER, add_rows, fill_space, match_plainly, small_index
from test_store_crash import run_children

from indexer import DamagedIndexError, IndexerError, Store, compact, io, purge, snapshot, verify, watch_file, watches

LIMIT = 0.2


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return small_index(tmp_path / "index")


def query(seed: int = 4, dim: int = CONTRACT.dim) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(dim).astype(np.float32)


def watched(store: Store, threshold: float = LIMIT) -> watch_file.Watch:
    return watches.add(store, query(), threshold, {"mode": "image"})


def expected(store: Store, first: int, threshold: float = LIMIT) -> dict[int, float]:
    """Rows of an id of `first` or more that score as high, by the definition of a score."""
    ids = store.row_ids()
    scores = store.vectors(ids).astype(np.float64) @ query().astype(np.float64)
    return {
        row: score
        for row, score in zip(ids.tolist(), scores.tolist(), strict=True)
        if row >= first and score >= threshold
    }


def found(path: Path) -> dict[int, float]:
    (watch,) = watches.read_watches(path)
    out = {hit.row_id: hit.score for hit in watch.hits}
    assert len(out) == len(watch.hits), "a hit twice"
    return out


def test_rows_that_come_after_a_watch_are_matched_once(store: Store) -> None:
    watch = watched(store)
    first = store.manifest.next_row_id
    assert (watch.first, watch.matched, watch.rows, watch.hits) == (first, first, 0, ())
    assert match_plainly(store) == []  # what was there before is none of its business
    add_rows(store, [*"abcdefgh"], seed=6, first=40)
    (done,) = match_plainly(store)
    assert found(store.path) == pytest.approx(expected(store, first))
    assert 0 < len(done.hits) < 8
    assert (done.rows, done.matched) == (8, first + 8)
    assert {hit.generation for hit in done.hits} == {store.generation}
    assert match_plainly(store) == []
    assert [each.to_bytes() for each in watches.read_watches(store.path)] == [done.to_bytes()]
    old = Store.open(store.path)
    add_rows(store, ["i", "j"], seed=7, first=60)
    match_plainly(store)
    assert match_plainly(old) == []  # a reader of an earlier state has nothing to say
    assert found(store.path) == pytest.approx(expected(store, first))


def test_a_file_gives_the_watch_back(store: Store) -> None:
    watch = watched(store)
    (again,) = watches.read_watches(store.path)
    assert again.to_bytes() == watch.to_bytes()
    assert (again.query == watch.query).all()
    second = watches.add(store, query(5), 1.0, {})
    assert {each.name for each in watches.read_watches(store.path)} == {watch.name, second.name}


@pytest.mark.slow
def test_killed_at_every_step_no_hit_is_lost_or_doubled(store: Store, tmp_path: Path) -> None:
    watched(store)
    whole = Path(shutil.copytree(store.path, tmp_path / "whole"))
    steps = []
    former, io.on_step = io.on_step, lambda step, path: steps.append((step, path.name))
    try:
        READS["grow_watched"](whole)
    finally:
        io.on_step = former
    killed = [tmp_path / f"killed-{number}" for number in range(len(steps) + 1)]
    for path in killed:
        shutil.copytree(store.path, path)
    assert run_children("grow_watched", killed) == ["-9"] * len(steps) + ["0"]
    between = 0
    for path in killed:
        now = Store.open(path)
        (watch,) = watches.read_watches(path)
        assert {hit.row_id for hit in watch.hits} == set(expected(now, watch.first)) & set(range(watch.matched))
        between += watch.matched < now.manifest.next_row_id
        READS["grow_watched"](path)
        assert found(path) == pytest.approx(found(whole))
        assert verify(path).ok
    assert between > 2, "no kill fell between a commit and its hits"
    assert len(found(whole)) > 1


def test_a_listener_that_refuses_leaves_the_rows_to_the_next(store: Store) -> None:
    watch = watched(store, threshold=-100.0)
    add_rows(store, ["a", "b"], seed=6, first=40)

    def refuse(watch: watch_file.Watch, hits: list[watch_file.Hit]) -> None:
        raise PermissionError("the log is full")

    with pytest.raises(PermissionError):
        watches.match(store, {watch.name: lambda rows: np.zeros(len(rows))}, refuse)
    assert found(store.path) == {}
    match_plainly(store)
    assert len(found(store.path)) == 2


def test_purge_clears_the_hits_of_rows_that_are_gone(store: Store) -> None:
    watched(store, threshold=-100.0)
    add_rows(store, ["a", "b"], seed=6, first=40)
    match_plainly(store)
    first, second = found(store.path)
    with store.writer() as writer:
        writer.delete(row_ids=[first])
        writer.commit()
    compact(store)
    assert set(found(store.path)) == {first, second}
    report = purge(store)
    assert (report.hits_removed, set(found(store.path))) == (1, {second})
    assert purge(store).hits_removed == 0
    assert (
        f'"row_id": {first},'
        not in (store.path / "watches").joinpath(f"{watches.read_watches(store.path)[0].name}.json").read_text()
    )


def test_removed_is_gone_from_the_disk_and_a_copy_has_none(store: Store, tmp_path: Path) -> None:
    watch = watched(store)
    snapshot(store, tmp_path / "copy")
    assert not (tmp_path / "copy" / "watches").exists()
    report = verify(store.path)
    assert report.ok
    assert [note for note in report.notes if "watches: 1 stored probes" in note]
    with pytest.raises(IndexerError, match=f"found: no such watch; expected: of: {watch.name}"):
        watches.remove(store.path, "../manifest")
    assert watches.remove(store.path, watch.name).name == watch.name
    assert [path.name for path in (store.path / "watches").iterdir()] == ["LOCK"]
    assert verify(store.path).ok


def test_a_watch_of_another_space_is_left_alone(store: Store) -> None:
    add_rows(store, ["a"], seed=1, first=50)
    other = fill_space(store.path)
    watch = watches.add(Store.open(store.path), query(), -100.0, {})
    with other.writer() as writer:
        writer.delete(row_ids=[0])
        writer.commit()
    assert match_plainly(other) == []
    assert watch.space == CONTRACT.space_id != OTHER.space_id


def test_bad_queries_and_damaged_files_are_told(store: Store) -> None:
    for wrong, threshold in ((query(dim=3), 1.0), (query() * np.inf, 1.0), (query(), float("nan"))):
        with pytest.raises(IndexerError, match="watch; found"):
            watches.add(store, wrong, threshold, {})
    watch = watched(store)
    path = store.path / "watches" / f"{watch.name}.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "threshold": -5.0}))
    with pytest.raises(DamagedIndexError, match="a watch as it was written"):
        watches.read_watches(store.path)
    report = verify(store.path)
    assert not report.ok
    assert watch.name in report.problems[0]
