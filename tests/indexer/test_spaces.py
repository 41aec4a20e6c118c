"""Several vector spaces of a gallery: added while the old one answers, resumed after a kill, dropped without trace."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from crash_child import READS
from index_helpers import (
    CONTRACT,
    OTHER,
    add_rows,
    fill_space,
    make_batch,
    other_blocks,
    plain_search,
    random_blocks,
    small_index,
    state,
)
from test_store_crash import run_children

from indexer import (
    BadVectorError,
    Contract,
    ContractMismatchError,
    IncompleteSpaceError,
    IndexerError,
    Store,
    UnknownRowError,
    compact,
    export_index,
    import_index,
    io,
    purge,
    segments,
    snapshot,
    verify,
)
from indexer.manifest import ROWS, SPACE, FileEntry, read_manifest
from indexer.spaces import add_space, drop_space, list_spaces, make_default

FIRST = CONTRACT.space_id
OLD = Path(__file__).with_name("format3")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return small_index(tmp_path / "index")


def answers(store: Store, contract: Contract) -> list[tuple[int, float]]:
    query = np.random.default_rng(5).standard_normal((1, contract.dim)).astype(np.float32)
    ids, scores = store.search(query, len(store))
    return list(zip(ids[0].tolist(), scores[0].tolist(), strict=True))


def expected_of_other(store: Store) -> list[tuple[int, float]]:
    ids = store.row_ids()
    query = np.random.default_rng(5).standard_normal(OTHER.dim).astype(np.float32)
    return plain_search(np.hstack(list(other_blocks(ids.tolist()).values())), ids, query, len(ids))


def raw(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.glob("*.parquet")))


def test_a_second_space_beside_the_first(store: Store) -> None:
    before, first = state(store), answers(store, CONTRACT)
    other = fill_space(store.path)
    assert other.contract == OTHER
    assert answers(other, OTHER) == expected_of_other(store)
    reader = Store.open(store.path)
    assert (reader.contract, state(reader), answers(reader, CONTRACT)) == (CONTRACT, before, first)
    assert Store.open(store.path, OTHER).contract == OTHER
    assert list_spaces(reader) == [
        {"id": FIRST, "model": "tgfr-1", "rows": 8, "default": True},
        {"id": OTHER.space_id, "model": "tgfr-2", "rows": 8, "default": False},
    ]
    with pytest.raises(ContractMismatchError, match="space add"):
        Store.open(store.path, Contract(OTHER.blocks, {"model_id": "tgfr-3"}))
    make_default(reader, "tgfr-2")
    assert [space["default"] for space in list_spaces(Store.open(store.path))] == [False, True]
    assert Store.open(store.path).contract == OTHER
    assert verify(store.path).ok


def test_a_space_without_some_rows_is_refused_and_says_what_to_do(store: Store) -> None:
    other = add_space(store, OTHER)
    with other.writer() as writer:
        writer.fill(np.array([0, 2]), other_blocks([0, 2]))
        writer.commit()
    assert other.without_vectors().tolist() == [3, 4, 5, 6, 7, 8]
    for refused in (
        lambda: Store.open(store.path, OTHER).search(np.zeros((1, OTHER.dim), np.float32), 1),
        lambda: Store.open(store.path).fitting(OTHER),
        lambda: make_default(Store.open(store.path), OTHER.space_id),
    ):
        with pytest.raises(IncompleteSpaceError, match=r"2 of 8 rows.*tgfr-search space add"):
            refused()
    report = verify(store.path)
    assert report.ok
    assert any("no vectors yet of 6 rows" in note for note in report.notes)
    assert list_spaces(Store.open(store.path))[1]["rows"] == 2


def test_a_long_filling_does_not_look_into_its_earlier_files(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of its commits × commits would be hours of a large gallery."""
    read, looked = segments.read_ids, list[str]()

    def watched(directory: Path, entry: FileEntry, schema: pa.Schema) -> np.ndarray:
        looked.append(entry.kind)
        return read(directory, entry, schema)

    monkeypatch.setattr(segments, "read_ids", watched)
    other = add_space(store, OTHER)
    with other.writer() as writer:
        for row_id in other.without_vectors().tolist():
            writer.fill(np.array([row_id]), other_blocks([row_id]))
            writer.commit()
        assert looked.count(SPACE + OTHER.space_id) == 0
        with pytest.raises(UnknownRowError):
            writer.fill(np.array([0]), other_blocks([0]))
    assert answers(other, OTHER) == expected_of_other(store)


def test_what_cannot_be_filled(store: Store) -> None:
    other = add_space(store, OTHER)
    with other.writer() as writer:
        with pytest.raises(UnknownRowError, match="rows without vectors"):
            writer.fill(np.array([1]), other_blocks([1]))  # deleted
        with pytest.raises(BadVectorError, match="unit vector"):
            writer.fill(np.array([0]), {name: 2 * block for name, block in other_blocks([0]).items()})
        with pytest.raises(BadVectorError, match="differ in"):
            writer.fill(np.array([0]), random_blocks(np.random.default_rng(0), 1))


def test_rows_added_through_one_space_are_missing_in_the_other_until_it_is_filled(store: Store) -> None:
    fill_space(store.path)
    first = Store.open(store.path)
    add_rows(first, ["new", "new"], seed=9, first=40)  # through the first space
    assert Store.open(store.path, OTHER).without_vectors().tolist() == [9, 10]
    other = fill_space(store.path)
    with other.writer() as writer:
        ids = writer.add(make_batch(["late"], other_blocks([11]), first=50))
        writer.commit()
    assert ids.tolist() == [11]
    assert answers(Store.open(store.path, OTHER), OTHER) == expected_of_other(other)
    here = Store.open(store.path, CONTRACT)
    assert here.without_vectors().tolist() == [11]
    with here.writer() as writer:
        writer.fill(np.array([11]), random_blocks(np.random.default_rng(4), 1))
        writer.commit()
    assert len(answers(Store.open(store.path), CONTRACT)) == 11
    assert verify(store.path).ok


def test_files_in_any_order_of_rows(store: Store) -> None:
    other = add_space(store, OTHER)
    for part in ([4, 8], [0, 5], [2, 3, 6, 7]):
        with other.writer() as writer:
            writer.fill(np.array(part), other_blocks(part))
            writer.commit()
    assert answers(other, OTHER) == expected_of_other(store)
    digest = other.digest()
    compact(other)
    assert (answers(other, OTHER), other.digest()) == (expected_of_other(store), digest)
    assert sum(1 for _ in other.manifest.of_kind(SPACE + OTHER.space_id)) == 1


@pytest.mark.parametrize("old", [False, True])
def test_upkeep_and_copies_know_spaces(store: Store, tmp_path: Path, old: bool) -> None:
    if old:
        store = Store.open(shutil.copytree(OLD, tmp_path / "old"))
    other = fill_space(store.path)
    with other.writer() as writer:
        writer.delete(row_ids=[2])
        writer.update(0, metadata={"site": "Z"})
        writer.commit()
    store = Store.open(store.path)
    gone = [other_blocks([2])["face"].tobytes(), store.vectors([0])[0, :8].tobytes()]
    seen = answers(store, CONTRACT), expected_of_other(store), store.digest()

    def same(path: Path) -> bool:
        first, second = Store.open(path, CONTRACT), Store.open(path, OTHER)
        assert verify(path).ok, verify(path).problems
        return (answers(first, CONTRACT), answers(second, OTHER), second.digest()) == seen

    snapshot(store, tmp_path / "snapshot")
    export_index(other, tmp_path / "export")
    import_index(tmp_path / "export", tmp_path / "imported", OTHER)
    assert same(tmp_path / "snapshot")
    assert same(tmp_path / "imported")
    assert list_spaces(Store.open(tmp_path / "imported")) == list_spaces(store)
    assert gone[0] in raw(store.path)
    compact(store)
    assert same(store.path)
    assert not any(map(store._generation.has_vectors, store.manifest.of_kind(ROWS)))
    purge(store)
    assert same(store.path)
    assert gone[0] not in raw(store.path)
    make_default(store, OTHER.space_id)
    with pytest.raises(IndexerError, match="the default space"):
        drop_space(Store.open(store.path), "tgfr-2")
    last = Store.open(store.path)
    drop_space(last, FIRST)
    assert gone[1] in raw(store.path)
    purge(last)
    assert gone[1] not in raw(store.path)
    assert answers(Store.open(store.path), OTHER) == seen[1]
    with pytest.raises(ContractMismatchError):
        Store.open(store.path, CONTRACT)
    with pytest.raises(IndexerError, match="it was dropped"):
        store.refresh()
    assert verify(store.path).ok


def test_a_space_dropped_before_any_compaction_leaves_no_vector_behind_a_purge(store: Store) -> None:
    """Its vectors still lie with the rows then."""
    vector = store.vectors([0])[0, :8].tobytes()
    fill_space(store.path)
    make_default(store, "tgfr-2")
    other = Store.open(store.path)
    assert raw(store.path).count(vector) == 1
    drop_space(other, FIRST)
    assert answers(Store.open(store.path), OTHER) == expected_of_other(other)
    digest = other.digest()
    purge(other)
    assert vector not in raw(store.path)
    assert (answers(Store.open(store.path), OTHER), other.digest()) == (expected_of_other(other), digest)
    assert verify(store.path).ok


def test_a_reader_keeps_what_it_has_built_while_a_space_is_added(store: Store) -> None:
    reader = Store.open(store.path, backend="exact").load()
    built, vectors = reader._at.everything, reader._generation.vectors
    fill_space(store.path)
    assert reader.refresh()
    assert reader._at.everything is built
    assert reader._generation.vectors is vectors
    add_rows(Store.open(store.path), ["new"], seed=9, first=60)
    assert reader.refresh()
    assert reader._at.everything is not built
    assert len(reader.row_ids()) == 9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["add_other_space", "drop_first_space"])
def test_kill_at_every_step(tmp_path: Path, name: str) -> None:
    """The old space answers whenever; a run that goes on ends where one that was never killed does."""
    origin = small_index(tmp_path / "origin").path
    if name == "drop_first_space":  # what comes before it is the other name's
        fill_space(origin)
    first = answers(Store.open(origin, CONTRACT), CONTRACT)
    whole, steps = Path(shutil.copytree(origin, tmp_path / "whole")), list[str]()
    io.on_step = lambda action, path: steps.append(action)
    try:
        READS[name](whole)
    finally:
        io.on_step = io._pass
    digest = Store.open(whole).digest()
    killed = [Path(shutil.copytree(origin, tmp_path / f"killed-{number}")) for number in range(len(steps) + 1)]
    assert run_children(name, killed) == ["-9"] * len(steps) + ["0"]
    for path in killed:
        report = verify(path)
        assert report.ok, report.problems
        if FIRST in read_manifest(path).contracts:
            assert answers(Store.open(path, CONTRACT), CONTRACT) == first
        READS[name](path)
        assert Store.open(path).digest() == digest
        assert not [note for note in verify(path).notes if "killed" in note]
