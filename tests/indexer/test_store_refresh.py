"""A reader follows what others commit when it is asked to, and never moves to another index."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, add_rows, fill_space, make_batch, random_blocks

from indexer import Store, segments
from indexer.errors import IndexerError
from indexer.upkeep.compact import compact


def test_a_reader_moves_to_what_another_committed(tmp_path: Path) -> None:
    writing = Store.create(tmp_path / "index", CONTRACT)
    reading = Store.open(tmp_path / "index")
    assert not reading.refresh()
    add_rows(writing, ["anna", "bert", "cora"])
    pinned = reading.pinned()
    assert (len(reading), reading.refresh(), len(reading)) == (0, True, 3)
    assert len(pinned) == 0, "what was begun before stays where it was"
    assert not reading.refresh()


def test_another_index_in_its_place_is_none_to_follow(tmp_path: Path) -> None:
    reading = Store.create(tmp_path / "index", CONTRACT)
    shutil.rmtree(tmp_path / "index")
    Store.create(tmp_path / "index", CONTRACT)
    with pytest.raises(IndexerError, match=reading.index_id):
        reading.refresh()


def _edit(path: Path, number: int) -> None:
    """One of the ways in which an index changes, by somebody else."""
    store = Store.open(path)
    with store.writer() as writer:
        if number % 4 == 2:
            writer.delete(row_ids=[int(store.row_ids()[0])])
        elif number % 4 == 3:
            writer.update(int(store.row_ids()[-1]), subject_id=f"renamed-{number}")
        else:
            writer.add(make_batch([f"subject-{number}"], random_blocks(np.random.default_rng(number), 1), number))
        writer.commit()
    if number == 6:
        compact(Store.open(path))


@pytest.mark.parametrize("spaces", [False, True])
def test_a_reader_that_follows_knows_what_one_that_opens_anew_does(tmp_path: Path, spaces: bool) -> None:
    path, query = tmp_path / "index", np.ones((1, CONTRACT.dim), np.float32)
    add_rows(Store.create(path, CONTRACT), ["anna", "bert", "cora"])
    if spaces:
        fill_space(path)
    following = Store.open(path, CONTRACT).load()
    for number in range(4, 14):
        _edit(path, number)
        assert following.refresh()
        if number % 3:  # sometimes two commits pass before anything is asked
            fresh = Store.open(path, CONTRACT)
            assert following.row_ids().tolist() == fresh.row_ids().tolist()
            assert np.array_equal(following.vectors(fresh.row_ids()), fresh.vectors(fresh.row_ids()))
            assert following.search_subjects(query, 3) == fresh.search_subjects(query, 3)


def test_who_follows_reads_the_vectors_of_new_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = tmp_path / "index", list[str]()
    add_rows(Store.create(path, CONTRACT), ["anna", "bert", "cora"])
    for number in (4, 5, 8):
        _edit(path, number)
    following = Store.open(path).load()
    read_vectors = segments.read_vectors
    monkeypatch.setattr(segments, "read_vectors", lambda *given: read.append(given[1].name) or read_vectors(*given))
    _edit(path, 9)
    following.refresh()
    following.load()
    assert len(read) == 1
