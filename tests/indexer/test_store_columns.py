"""An index that photos came to one at a time has a file for each: what is asked of all rows opens each file once."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from index_helpers import CONTRACT, make_batch, random_blocks

from indexer import Store, segments
from pipelines.enrol.rows.fields import Fields

VALUES = ["x", "7", 7, 0.5, True, None, ["a"], {"b": 1}, 2**70]


def _filled(path: Path, seed: int, files: int = 6) -> Store:
    """An index of many small files whose rows say things of several types, some changed and deleted since."""
    draw, store = random.Random(seed), Store.create(path, CONTRACT)

    def said() -> dict[str, Any]:
        return {name: draw.choice(VALUES) for name in draw.sample("abcdef", 3)}

    for number in range(files):
        blocks = random_blocks(np.random.default_rng(number), 2)
        with store.writer() as writer:
            writer.add(make_batch([f"s{number}", "anna"], blocks, 2 * number, metadata=[said(), said()]))
            writer.commit()
    with store.writer() as writer:
        writer.delete(row_ids=draw.sample(range(2 * files), 2))
        writer.commit()
    with store.writer() as writer:
        writer.update(int(store.row_ids()[0]), metadata=said())
        writer.commit()
    return Store.open(path)


@pytest.mark.parametrize("seed", range(8))
def test_types_are_those_that_all_rows_have(tmp_path: Path, seed: int) -> None:
    store = _filled(tmp_path / "index", seed)
    rows = dict(store.metadata())
    assert Fields(store.metadata_examples()).kinds == Fields(rows.values()).kinds
    for row in rows:
        others = [said for each, said in rows.items() if each != row]
        assert Fields(store.metadata_examples(but=row)).kinds == Fields(others).kinds


def test_rows_of_names_and_of_photos(tmp_path: Path) -> None:
    store = _filled(tmp_path / "index", 0)
    rows = store.rows(store.row_ids(), chips=False)
    name, photo = rows[2].image, rows[5].image_sha256
    assert store.ids_of([name, "nobody.jpg"], [photo]).tolist() == [rows[2].row_id, rows[5].row_id]
    assert store.ids_of([], []).tolist() == []


@pytest.mark.parametrize(
    "asked", ["metadata_examples", "metadata", "rows_by_image", "photos_by_image", lambda store: store.ids_of("a", "b")]
)
def test_a_file_is_opened_a_few_times_however_many_columns_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Any
) -> None:
    _filled(tmp_path / "index", 0)
    store, opened, open_ = Store.open(tmp_path / "index"), Counter[str](), segments._open
    monkeypatch.setattr(segments, "_open", lambda *given: opened.update([given[1].name]) or open_(*given))
    list(getattr(store, asked)() if isinstance(asked, str) else asked(store))
    assert max(opened.values()) <= 3, "its head, its typed columns, its JSON"
