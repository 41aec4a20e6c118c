"""Decisions about labels reach the figures: one person under two ids is one, and kept cells are not mixed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.faces.aligned import Chips, relabelled
from pipelines.measure.cells import Cell, Cells
from pipelines.measure.checks import decided_labels
from pipelines.measure.data import BenchData, BenchOptions, Side, join
from pipelines.measure.systems.trained import Default
from tgfr_search.data.same_person import DIFFERENT, SAME, Decision, decisions_text
from tgfr_search.model.loaded import FaceTextModel


def chips(folder: Path) -> Chips:
    names = ["a1", "a2", "b1", "c1"]
    pixels = np.zeros((4, 2, 2, 3), np.uint8)
    said: list[tuple[str, ...]] = [()] * 4
    return Chips(folder, pixels, names, ["a", "a", "b", "c"], names, said, [{}] * 4, {}, "d" * 64)


def joined(of: Chips) -> BenchData:
    return join(Side.of(of, {}), None, 0)


def test_two_ids_become_one_person(tmp_path: Path, model: FaceTextModel) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text(decisions_text([Decision("b", "a", SAME), Decision("c", "a")]), encoding="utf-8")
    plain, merged = chips(tmp_path / "chips"), relabelled(chips(tmp_path / "chips"), path)
    assert relabelled(plain, None) is plain
    assert merged.subjects == ["a", "a", "a", "c"]
    before, after = joined(plain), joined(merged)
    assert (before.roles.subject_count, after.roles.subject_count) == (3, 2)
    cell = Cell(Default("default", model), "normal", "none")
    keys = []
    for data, decided in ((before, None), (after, path)):
        options = BenchOptions(tmp_path, same_person=decided)
        keys.append(Cells(options, data, np.empty((0, 0), np.float32), tmp_path / "cells")._key(cell))
    assert keys[0] != keys[1]


def test_a_photo_of_somebody_else_is_no_genuine_pair(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text(decisions_text([Decision("a", "a", DIFFERENT, photo="a2")]), encoding="utf-8")
    decided = relabelled(chips(tmp_path / "chips"), path)
    assert decided.subjects == ["a", "a, photo a2", "b", "c"]
    assert len(joined(chips(tmp_path / "chips")).roles.searches) > 0
    assert len(joined(decided).roles.searches) == 0
    (told,) = decided_labels(BenchOptions(tmp_path, same_person=path))
    assert told.startswith("labels: 0 pairs of ids are one person each, 1 photos are of somebody else, as decided in ")
