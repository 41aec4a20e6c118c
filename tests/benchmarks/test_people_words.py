"""Protocol 11: who is searched for, who stands in the gallery, whose words are wrong."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.accuracy.people_words import chosen, of_others, told
from pipelines.measure.data import Side
from tgfr_search.data.degrade import LADDER
from tgfr_search.evaluation.intervals import subject_weights


class Rows(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.names)


def side(rows: list[tuple[str, str]]) -> Side:
    names, subjects = [name for name, _ in rows], [subject for _, subject in rows]
    chips: Any = Rows(
        names=names, subjects=subjects, captions=[(f"of {name}",) for name in names], metadata=[{} for _ in rows]
    )
    return Side.of(chips, {})


def test_a_probe_is_never_its_own_gallery_picture() -> None:
    probes = side([("a1", "A"), ("b1", "B"), ("c1", "C"), ("d1", "D")])
    gallery = side([("a1", "A"), ("a2", "A"), ("b0", "B"), ("b1", "B"), ("c1", "C"), ("e1", "E")])
    taken, rows, own = chosen(probes, gallery)
    assert taken.names == ["a1", "b1"], "C has no other picture, D is nobody of the gallery"
    assert rows.names == ["a2", "b0", "c1", "e1"]
    assert [rows.subjects[at] for at in own] == taken.subjects
    wrong = of_others(taken, own)
    assert [lines for (lines,) in wrong] == ["of b1", "of a1"]


def test_what_words_add_is_a_paired_difference() -> None:
    own = np.arange(4)
    ranks = {
        level: {"human": np.array([1, 1, 1, 2]), "none": np.array([1, 2, 1, 2]), "wrong": np.array([2, 2, 1, 2])}
        for level in LADDER
    }
    rows = told(ranks, np.array([1, 11, 11, 11]), own, subject_weights(4, 0))["rank_1"]
    assert rows["caption"][0] == 0.25
    assert rows["bad, human − none"][0] == pytest.approx(0.25)
    assert rows["degraded, wrong − none"][0] == pytest.approx(-0.25)
    low, high = cast(list[float], rows["bad, human − none"][1:])
    assert 0 <= low <= 0.25 <= high, "the same people are drawn for both"
