"""Colours, examples, the ladder and the origin of a report: what the page gets, from records that are read by eye."""

from __future__ import annotations

from typing import Any

import pytest

from tgfr_search.data.regimes import REGIMES as ALL_REGIMES
from tgfr_search.evaluation.report import words
from tgfr_search.evaluation.report.foot import KINDS, examples, ladder, origins, provenance
from tgfr_search.evaluation.report.palette import COLOURS, REGIME_COLOURS, SPARE, colour, label, style
from tgfr_search.evaluation.report.reading import SCHEMA, Report

FOUND = {
    "kind": "success", "level": "very_bad", "rank": 1, "frozen_rank": 4, "caption": ["A man.", "He smiles."],
    "probe": "p.jpg", "first": "f.jpg", "frozen_first": "z.jpg", "mate": "f.jpg",
    "first_score": 1.234, "mate_score": 1.234, "pictures": {"probe": "1", "first": "2", "frozen_first": "3"},
}  # fmt: skip
MISSED = {
    "kind": "failure", "level": "normal", "rank": 9, "frozen_rank": None, "caption": [],
    "probe": "q.jpg", "first": "g.jpg", "mate": "m.jpg",
    "first_score": 0.5, "mate_score": 0.25, "pictures": {"probe": "4", "first": "5", "mate": "6"},
}  # fmt: skip


def report(**tree: Any) -> Report:
    about = {"system": "default", "captions": "own", "baselines": {}}
    return Report({"schema": SCHEMA, "results": [], "curves": [], "about": about, "options": {"levels": []}, **tree})


def test_an_example_shows_who_was_put_first_and_who_it_is() -> None:
    found = examples(report(examples=[FOUND, MISSED]), {"1": b"probe", "6": b"mate"})
    assert list(found) == list(KINDS.values())
    (success,), (failure,) = found.values()
    assert [(face.style, face.name) for face in success.faces] == [("", "p.jpg"), ("hit", "f.jpg"), ("miss", "z.jpg")]
    assert [face.told for face in success.faces] == [
        "probe, very bad", "first candidate, right, score 1.23", "frozen put this one first",
    ]  # fmt: skip
    assert (success.rank, success.frozen_rank, success.said) == (1, 4, "A man. He smiles.")
    assert [face.data for face in success.faces] == [b"probe", None, None]
    assert [(face.style, face.name) for face in failure.faces] == [("", "q.jpg"), ("miss", "g.jpg"), ("hit", "m.jpg")]
    assert failure.faces[1].told == "first candidate, wrong, score 0.50"
    assert failure.faces[2].told == "the right one, score 0.25"
    assert failure.faces[2].data == b"mate"


def test_a_kind_without_examples_is_left_out() -> None:
    assert list(examples(report(examples=[MISSED]), {})) == [KINDS["failure"]]
    assert examples(report(examples=[]), {}) == {}


def test_the_ladder_is_told_level_by_level() -> None:
    steps = {
        "normal": {"side": None, "blur": 0.0, "noise": 0, "jpeg": None},
        "very_bad": {"side": 16, "blur": 1.5, "noise": 8.0, "jpeg": 20},
    }
    table = ladder(report(ladder=steps))
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["normal", "–", "0", "0", "–"],
        ["very bad", "16", "1.5", "8", "20"],
    ]
    assert len(table.heads) == 5


def test_where_the_figures_come_from() -> None:
    tree = {
        "created": "2026-01-01", "seconds": 7, "package": "0.1.0", "protocol": "1", "interval": {"resamples": 100},
        "data": {"data_sha256": "ab"}, "machine": {"device": "CPU"},
        "options": {"levels": ["normal", "bad"], "split": None, "seed": 3},
        "systems": {"default": {"model_id": "m-1", "provenance": {"seed": 5}}},
    }  # fmt: skip
    told = provenance(report(**tree))
    assert told["measured"] == "2026-01-01, in 7 s"
    assert told["intervals"] == "95 %, 100 resamples of subjects"
    assert told["levels"] == "normal, bad"
    assert told["seed"] == "3"
    assert "split" not in told  # was not asked for
    assert told["model of default"] == "m-1"
    assert [line.strip() for line in origins(report(**tree))] == ["{", '"default": {', '"seed": 5', "}", "}"]


def test_a_system_keeps_its_colour_and_two_unknown_ones_differ() -> None:
    every = ["frozen", "mine", "default", "yours"]
    assert [colour(name, every) for name in every] == [COLOURS["frozen"], SPARE[0], COLOURS["default"], SPARE[1]]
    assert colour("default", ["default"]) == COLOURS["default"]
    assert len({*COLOURS.values(), *SPARE}) == len(COLOURS) + len(SPARE)


@pytest.mark.parametrize(
    ("series", "told"),
    [(("frozen", "none"), "frozen"), (("control", "constant"), "control"), (("default", "own"), "default · own")],
)
def test_a_series_is_named_with_its_captions_where_it_has_a_choice(series: tuple[str, str], told: str) -> None:
    assert label(series) == told


def test_all_lettering_of_a_plot_has_the_one_colour_that_the_page_replaces() -> None:
    inks = {name for name, value in style("#010203").items() if value == "#010203"}
    assert inks == {
        "text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color",
        "axes.titlecolor",
    }  # fmt: skip


def test_every_caption_regime_is_explained_and_has_a_colour() -> None:
    assert set(words.REGIMES) == set(REGIME_COLOURS) == set(ALL_REGIMES)
    assert len(set(REGIME_COLOURS.values())) == len(REGIME_COLOURS)
