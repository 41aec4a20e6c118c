"""A reader follows what others commit when it is asked to, and never moves to another index."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from index_helpers import CONTRACT, add_rows

from indexer import Store
from indexer.errors import IndexerError


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
