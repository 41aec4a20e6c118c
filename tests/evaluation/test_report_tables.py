"""What stands in the tables and strips of a report page: by hand, from records that are read by eye."""

from __future__ import annotations

from typing import Any

import pytest
from test_reading import figure

from tgfr_search.evaluation.report import evidence
from tgfr_search.evaluation.report.answer import answer, facts, warnings
from tgfr_search.evaluation.report.page import _captions, _differences
from tgfr_search.evaluation.report.reading import EER, RANKS, SCHEMA, Report
from tgfr_search.evaluation.report.tables import Notes, differences, figures, groups, interval
from tgfr_search.evaluation.report.words import REGIMES

FROZEN, OURS = ("frozen", "none"), ("default", "own")
LEVELS = ["normal", "very_bad"]
CMC = [0.5, 0.75, 1.0]
ROC = {"far": [1.0, 0.1, 0.01], "tar": [1.0, 0.9, 0.5]}


def report(results: list[dict[str, Any]] = [], **tree: Any) -> Report:  # noqa: B006  (read only)
    shown = [
        {"system": s, "captions": c, "level": level, "cmc": CMC, **ROC} for s, c in (FROZEN, OURS) for level in LEVELS
    ]
    options = {"levels": LEVELS, "condition": "clean-gallery", "group_by": None, "split": None, "probes": "data/set"}
    data = {"images": 1200, "subjects": 300, "warnings": [], "not_detected": {}}
    base = {
        "schema": SCHEMA, "results": results, "curves": shown, "options": options, "data": data,
        "about": {"system": "default", "captions": "own", "baselines": {"frozen": "none"}},
        "ladder": {"normal": {"side": None}, "very_bad": {"side": 16}}, "suspects": {"pairs": 0, "subjects": []},
        "absent_captions": {}, "shared_lines": {},
    }  # fmt: skip
    return Report({**base, **tree})


def rank_1(ours: float = 0.8, frozen: float = 0.5, gain: tuple[float, float] = (0.2, 0.4)) -> list[dict[str, Any]]:
    """Rank-1 of both at both levels, and the paired difference with its interval."""
    low, high = gain
    out = []
    for level in LEVELS:
        out += [figure(*FROZEN, level, "rank", frozen), figure(*OURS, level, "rank", ours)]
        out.append(figure(*OURS, level, "rank", ours - frozen, minus="frozen", low=low, high=high))
    return out


def texts(table: Any) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_a_table_of_rates_marks_what_differs_from_the_frozen_encoder() -> None:
    table = figures(report(rank_1()), [FROZEN, OURS], RANKS[:2], "c", counts=("n_probes", "n_gallery"))
    assert table.heads == ["level", "system", "captions", "Rank-1, %", "Rank-5, %", "probes", "gallery"]
    # Rank-5 was not asked for: an empty cell, and no count beside it, which would be another figure's.
    assert texts(table)[:2] == [
        ["normal", "frozen", "none", "50.0", "", "", ""], ["", "default", "own", "80.0", "", "", ""],
    ]  # fmt: skip
    assert [row.classes for row in table.rows] == ["first", "main", "first", "main"]
    assert table.rows[1].cells[3].limits == "70.0–90.0"
    assert [row.cells[3].sign for row in table.rows] == ["", "▲", "", "▲"]
    assert figures(report(rank_1()), [OURS], RANKS[:1], "c", counts=("n_probes",)).rows[0].cells[-1].text == "10"


@pytest.mark.parametrize(
    ("gain", "sign"), [((0.1, 0.2), "▲"), ((-0.2, -0.1), "▼"), ((-0.1, 0.2), ""), ((0.0, 0.2), "")]
)
def test_what_cannot_be_told_apart_is_not_marked(gain: tuple[float, float], sign: str) -> None:
    table = figures(report(rank_1(gain=gain)), [OURS], RANKS[:1], "c")
    assert table.rows[0].cells[3].sign == sign


def test_a_reason_is_told_once_however_many_cells_lack_a_figure() -> None:
    few = [figure(*OURS, level, "eer", None) for level in LEVELS]
    other = figure(*FROZEN, "normal", "eer", None, reason="no genuine pair")
    table = figures(report([*few, other]), [FROZEN, OURS], [EER], "c")
    assert table.notes == ["no genuine pair", "too few"]
    assert [row.cells[3].note for row in table.rows] == [1, 2, 0, 2]
    notes = Notes()
    assert [notes.mark(reason).note for reason in ("a", "b", "a")] == [1, 2, 1]


def test_differences_are_in_points_with_their_sign() -> None:
    table = differences(report(rank_1(gain=(-0.002, 0.4))), [OURS], RANKS[:1], "frozen", "c")
    cell = table.rows[0].cells[3]
    assert (cell.text, cell.limits, cell.verdict) == ("+30.0", "−0.20 to +40.0", "not told apart")
    assert table.heads[-1] == "Rank-1, points"
    assert [each.rows[0].cells[1].text for each in _differences(report(rank_1()))] == ["default"]


def test_within_groups_errors_are_compared_not_rates() -> None:
    """Rates .9 and .6 are errors of .1 and .4, limits the other way round, the largest four times the smallest."""
    rows = [
        figure(*OURS, "normal", "rank", rate, group=f"male={value}", n_probes=n)
        for value, rate, n in (("false", 0.9, 7), ("true", 0.6, 1234))
    ]
    rows.append(figure(*OURS, "normal", "eer", 0.25, group="male=true"))
    table = groups(report(rows), OURS, [EER, RANKS[0]], "male")
    assert table.heads == ["level", "male", "EER, %", "1 − Rank-1, %", "probes"]
    assert texts(table)[:3] == [
        ["normal", "false", "", "10.0", "7"],
        ["", "true", "25.0", "40.0", "1,234"],
        ["", "largest ÷ smallest", "–", "4.00", ""],
    ]
    assert table.rows[1].cells[3].limits == "30.0–50.0"
    rows[0] = figure(*OURS, "normal", "rank", 1.0, group="male=false")
    assert texts(groups(report(rows), OURS, [RANKS[0]], "male"))[2][2] == "– (a group without an error)"


def test_a_rate_without_limits_has_none() -> None:
    assert (interval(0.5, None, None).limits, interval(0.005, 0.0, 0.01).limits) == ("", "0.0–1.0")


def test_strips_end_at_the_next_ten_per_cent_and_say_which_photos_were_lost() -> None:
    fte = figure(*FROZEN, "very_bad", "fte", 0.25)
    told = answer(report([*rank_1(ours=0.55, frozen=0.45), fte]))
    # The highest limit is .65, so that the strip ends at .7.
    assert (told.upper, told.sentences[0][:50]) == ("70.0", "The shipped default against the frozen face encode")
    ours, frozen = told.levels[1].bars
    assert (ours.main, frozen.main) == (True, False)
    assert ours.at == pytest.approx(100 * 0.55 / 0.7)
    assert (ours.left, ours.width) == (pytest.approx(100 * 0.45 / 0.7), pytest.approx(100 * 0.2 / 0.7))
    assert ours.title == "default: Rank-1 55.0 %"
    assert (told.levels[0].size, told.levels[1].size) == ("faces as they are", "face crop of 16 × 16 px")
    assert told.levels[0].lost == ""
    assert told.levels[1].lost.startswith("25.0 % of the photos give no face")
    assert told.explained.endswith("Higher is better.")


@pytest.mark.parametrize(
    ("gain", "style", "told"),
    [
        ((0.1, 0.2), "better", "▲ better than frozen"),
        ((-0.2, -0.1), "worse", "▼ worse than frozen"),
        ((-0.1, 0.1), "same", "≈ not told apart from frozen"),
    ],
)
def test_a_pill_says_what_the_difference_shows(gain: tuple[float, float], style: str, told: str) -> None:
    (pill,) = answer(report(rank_1(gain=gain))).levels[0].pills
    assert (pill.style, pill.told, pill.detail) == (style, told, "+30.0 points")


def test_what_was_not_measured_is_told_where_its_rate_would_stand() -> None:
    told = answer(report([figure(*OURS, "normal", "rank", 0.5), figure(*FROZEN, "normal", "rank", None)]))
    ours, frozen = told.levels[0].bars
    assert (frozen.shown, frozen.reason) == ("–", "too few")
    assert told.levels[1].bars[0].reason == "not measured"
    assert told.levels[0].pills[0].detail == "not measured"
    assert ours.shown == "50.0 %"


def test_facts_and_warnings_are_counted_in_words() -> None:
    eer = figure(*OURS, "normal", "eer", 0.1, n_genuine=1500, n_impostor=2_000_000, n_probes=900, n_gallery=300)
    data = {"images": 1200, "subjects": 300, "warnings": ["odd"], "not_detected": {"no_face": 3, "too_small": 1}}
    suspects = {"pairs": 12, "subjects": [["a", "b", 7], ["c", "d", 3], ["e", "f", 1], ["g", "h", 1]]}
    made = report([eer], data=data, suspects=suspects)
    assert facts(made).split(" · ") == [
        "1,200 images of 300 subjects", "1,500 genuine and 2,000,000 impostor pairs",
        "900 searches in a gallery of 300", "templates at full quality", f"said of a probe: {REGIMES['own']}",
    ]  # fmt: skip
    odd, lost, labels = warnings(made)
    assert odd == "odd"
    assert lost.startswith("photos without a usable face: 3 × no_face and 1 × too_small")
    assert labels.endswith("Most are of the subjects a / b (7), c / d (3) and e / f (1)")


MEASURED = {
    "reason": None, "propositions": ["H1.", "H2."], "calibration": "0123456789abcdef", "notes": ["n"],
    "cells": [{
        "level": "very_bad", "mode": "fused", "lines": 3, "cllr": 0.1234, "cllr_low": 0.1, "cllr_high": 0.2,
        "cllr_min": 0.11, "devpav": None, "people": 1234, "genuine": 2000, "impostor": 3_000_000,
        "misleading": [{"lr": 10, "stranger_above": 0.012, "same_person_below": 0.1}],
    }],
    "search": [{"level": "normal", "mode": "image", "people": 1000, "ece": 0.02, "worst_overconfidence": 0.1}],
    "thresholds": [{
        "level": "normal", "mode": "fused-1", "people": 100, "fpir_asked": 0.01, "fpir_seen": None, "fnir": 0.25,
        "warning": "w",
    }],
    "crowdedness": [
        {"level": "normal", "mode": "image", "ratio": 2.718}, {"level": "bad", "mode": "image", "ratio": None},
    ],
}  # fmt: skip


def test_what_scores_are_worth_is_told_in_four_tables() -> None:
    ratios, search, thresholds, crowded = evidence.tables(report(evidence=MEASURED))
    cells = "very bad: picture and 3 lines", "0.123", "0.110", "–", "1.2", "–", "1,234", "2,000 and 3,000,000"
    assert tuple(texts(ratios)[0]) == cells
    assert ratios.rows[0].cells[1].limits == "(0.100–0.200)"
    assert ratios.notes == ("n",)
    assert texts(search) == [["normal: picture alone", "1,000", "0.020", "0.100"]]
    assert texts(thresholds) == [["normal: picture and 1 line", "100", "1.0", "–", "25.0", "w"]]
    assert texts(crowded) == [["normal: picture alone", "2.7"], ["bad: picture alone", "–"]]
    assert evidence.told(report(evidence=MEASURED)).startswith("H1. H2. By the calibration 0123456789ab, fitted on")


def test_what_was_not_measured_says_why_and_an_old_report_nothing() -> None:
    assert evidence.told(report(evidence={"reason": "because"})) == "Not measured. because"
    assert evidence.tables(report(evidence={"reason": "because"})) == []
    assert evidence.told(report()) == ""


def test_regimes_are_explained_with_what_they_had_to_do_without() -> None:
    several = [*report().tree["curves"], {"system": "default", "captions": "wrong", "level": "normal", "cmc": CMC}]
    shared = {"own": {"genuine": 1234, "impostor": 5}}
    told, rows = _captions(report(curves=several, absent_captions={"own": 1500}, shared_lines=shared))
    assert texts(told)[1] == ["own", REGIMES["own"], "1,500", "1,234 genuine, 5 impostor"]
    assert texts(told)[2] == ["wrong", REGIMES["wrong"], "0", ""]
    assert [row[1:3] for row in texts(rows)[:2]] == [["default", "own"], ["default", "wrong"]]
