"""What an open case needs of an index: kept through compaction and purge, named, and given up only when told so."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, add_rows, fill_space, make_batch, random_blocks, small_index, state

from indexer import (
    DamagedIndexError,
    GoneGenerationError,
    HeldError,
    IndexerError,
    Store,
    compact,
    holds,
    purge,
    snapshot,
    verify,
)
from indexer.upkeep import read_proof

CASE = "c0ffee"
SECRET = b"a crop of somebody"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Nine rows, of which one is deleted; the last one has a crop that is told apart."""
    made = small_index(tmp_path / "index")
    with made.writer() as writer:
        writer.add(make_batch(["gone"], random_blocks(np.random.default_rng(5), 1), first=30, chips=[SECRET]))
        writer.commit()
    return made


def hold(store: Store, case: str = CASE, search: str = "S0001", rows: tuple[int, ...] = (0, 9)) -> holds.Hold:
    return holds.place(store.path, store.manifest, case=case, search=search, rows=rows)


def forget_somebody(store: Store) -> None:
    with store.writer() as writer:
        writer.delete(subject_id="gone")
        writer.commit()


def on_disk(path: Path) -> bool:
    return any(SECRET in file.read_bytes() for file in path.glob("rows-*"))


@pytest.mark.parametrize("spaces", [False, True])
def test_a_held_state_answers_as_it_did_after_compaction_and_purge(store: Store, spaces: bool) -> None:
    if spaces:
        fill_space(store.path)
        store = Store.open(store.path, CONTRACT)
    before, generation = state(store), store.generation
    query = np.random.default_rng(1).standard_normal((1, CONTRACT.dim)).astype(np.float32)
    found = store.search(query, 4)
    hold(store)
    forget_somebody(store)
    add_rows(store, ["later"], seed=9, first=40)
    assert [told.case for told in compact(store).held_by] == [CASE]
    report = purge(store)
    assert (report.rows_removed, report.rows_kept) == (0, 2)
    assert report.files_kept > 0
    (told,) = report.held_by
    assert (told.case, told.searches, told.generations) == (CASE, ("S0001",), (generation,))
    assert (told.rows_deleted, told.candidates, told.legal) == (2, (9,), False)
    assert on_disk(store.path)
    again = Store.open(store.path, CONTRACT, generation=generation)
    assert (state(again), again.generation) == (before, generation)
    np.testing.assert_array_equal(again.search(query, 4), found)
    assert Store.open(store.path, CONTRACT).row_ids("gone").tolist() == []
    assert verify(store.path).ok
    assert f"holds: 1 searches of 1 open cases: {CASE}" in verify(store.path).notes


def test_a_purge_goes_over_a_case_when_it_is_told_to_and_the_hold_says_so(store: Store) -> None:
    generation = store.generation
    hold(store)
    hold(store, "another", "S0007")
    forget_somebody(store)
    purge(store)
    with pytest.raises(HeldError, match=r"case nobody, which holds nothing; expected: who does: another, c0ffee"):
        purge(store, over=["nobody"])
    report = purge(store, over=[CASE])  # the other one still needs all of it
    assert (report.gone_over, report.rows_removed, on_disk(store.path)) == ((), 0, True)
    report = purge(store, over=[CASE, "another"])
    assert [(told.case, told.candidates) for told in report.gone_over] == [("another", (9,)), (CASE, (9,))]
    assert (report.rows_removed, report.rows_kept, report.files_kept, report.held_by) == (2, 0, 0, ())
    assert not on_disk(store.path)
    rows = [row["row_id"] for row in read_proof(store.path / report.proofs[-1])["rows_removed"]]
    assert rows == [1, 9]
    with pytest.raises(GoneGenerationError, match=rf"generation {generation} of .*purged at 20.*in spite of a case"):
        Store.open(store.path, generation=generation)
    with pytest.raises(HeldError, match="who does: nobody does"):
        purge(store, over=[CASE])
    assert verify(store.path).ok


def test_a_purge_beside_a_hold_proves_only_what_is_gone(store: Store) -> None:
    """A row in two replaced files, one of which is held, is on disk still: no proof may say that it went."""
    hold(store)
    add_rows(store, ["later"], seed=9, first=40)
    compact(store)  # writes the row a second time
    forget_somebody(store)
    report = purge(store)
    assert report.files_removed > 0
    assert report.rows_removed == 0
    assert on_disk(store.path)
    assert purge(store, over=[CASE]).rows_removed == 2


def test_the_end_of_a_case_ends_its_holds(store: Store) -> None:
    hold(store)
    hold(store, search="S0002")
    hold(store, "another")
    assert holds.release(store.path, CASE) == 2
    assert [each.case for each in holds.read_holds(store.path)] == ["another"]
    assert holds.release(store.path, "another") == 1
    forget_somebody(store)
    assert purge(store).rows_removed == 2
    assert holds.release(store.path, CASE) == 0
    with pytest.raises(GoneGenerationError, match="found: not held"):
        Store.open(store.path, generation=1)


def test_no_purge_goes_over_a_legal_hold(store: Store) -> None:
    hold(store)
    assert holds.put_on_legal_hold(store.path, CASE, True) == 1
    forget_somebody(store)
    before = store.generation
    with pytest.raises(HeldError, match=r"c0ffee, which is on legal hold.*--release"):
        purge(store, over=[CASE])
    assert Store.open(store.path).generation == before
    assert purge(store).held_by[0].legal
    assert holds.put_on_legal_hold(store.path, CASE, False) == 1
    assert purge(store, over=[CASE]).rows_removed == 2


def test_a_state_that_was_purged_before_cannot_be_held(store: Store) -> None:
    old = Store.open(store.path)
    forget_somebody(store)
    purge(store)
    with pytest.raises(GoneGenerationError, match="a purge removed it"):
        hold(old)
    assert holds.read_holds(store.path) == []


def test_a_purge_at_work_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with holds.changing(store.path):
        other = threading.Thread(target=hold, args=(store,))
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join()
    assert len(holds.read_holds(store.path)) == 1
    monkeypatch.setattr(holds, "WAIT_SECONDS", 0.05)
    with holds.changing(store.path), pytest.raises(IndexerError, match="being written"):
        hold(store)


def test_a_hold_that_was_changed_stops_a_purge_and_is_found(store: Store) -> None:
    made = hold(store)
    path = store.path / "holds" / made.name
    data = path.read_text()
    for changed in (
        data.replace('"generation": 4', '"generation": 3'),
        data[:-5],
        "[]",
        data.replace("S0001", "S0002"),
    ):
        path.write_text(changed)
        with pytest.raises(DamagedIndexError, match=r"a hold as it was written"):
            purge(store)
        assert not verify(store.path).ok
    path.write_text(data)
    assert verify(store.path).ok
    (store.path / "holds" / "notes.txt").write_text("mine")
    assert verify(store.path).problems == ("holds/notes.txt: does not belong to the index",)
    (store.path / "holds" / "notes.txt").unlink()
    (store.path / "holds" / f".tmp-{made.name}").write_text("half")
    assert verify(store.path).ok
    purge(store)
    assert not (store.path / "holds" / f".tmp-{made.name}").exists()
    for case, search in (("../x", "S1"), ("A", "S1"), ("", "S1"), ("a", "../S1")):
        with pytest.raises(IndexerError, match="an id of small letters"):
            hold(store, case, search)


def test_a_snapshot_of_a_held_index_holds_nothing(store: Store, tmp_path: Path) -> None:
    hold(store)
    snapshot(store, tmp_path / "copy")
    assert not (tmp_path / "copy" / "holds").exists()
    assert verify(tmp_path / "copy").ok
