"""The plots of a report, its page and its CSV: points read back from the axes, and what somebody wrote never acts."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm
from test_reading import figure
from test_report_tables import CMC, FROZEN, LEVELS, MEASURED, OURS, ROC, rank_1, report

from tgfr_search.evaluation.report.draw import _write_csv
from tgfr_search.evaluation.report.page import _end_to_end, _enrolment, _groups, _sections, page
from tgfr_search.evaluation.report.plots import Panel, inline, plots
from tgfr_search.evaluation.report.reading import TARS, Report
from tgfr_search.evaluation.report.words import TOLD
from tgfr_search.visible import visible


def drawn(panel: Panel) -> Any:
    axes = Figure().subplots()
    panel.draw(axes)
    return axes


def test_curves_go_through_their_points() -> None:
    made = {plot.name: plot for plot in plots(report())}
    assert list(made) == ["cmc", "roc", "det"]
    cmc, roc, det = (drawn(made[name].panels[1]).lines for name in ("cmc", "roc", "det"))
    assert [line.get_label() for line in cmc] == ["frozen", "default · own"]
    assert cmc[0].get_xydata().tolist() == [[1, 50.0], [2, 75.0], [3, 100.0]]
    assert roc[0].get_xydata() == pytest.approx(100 * np.array(list(zip(ROC["far"], ROC["tar"], strict=True))))
    # Normal deviates of both error rates; the end at FAR 1 has none.
    assert det[0].get_xydata() == pytest.approx(norm.ppf([[0.1, 0.1], [0.01, 0.5]]))


def test_figures_over_the_ladder_stand_beside_each_other_with_their_limits() -> None:
    made = {plot.name: plot for plot in plots(report(rank_1()))}
    axes = drawn(made["ladder"].panels[0])
    (frozen, ours) = axes.containers
    assert frozen[0].get_xydata() == pytest.approx(np.array([[-0.06, 50.0], [0.94, 50.0]]))
    assert ours[0].get_xydata() == pytest.approx(np.array([[0.06, 80.0], [1.06, 80.0]]))
    (bar,) = ours[2]
    assert bar.get_segments()[0] == pytest.approx(np.array([[0.06, 70.0], [0.06, 90.0]]))
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["normal", "very bad"]


def test_ratios_and_scores_are_drawn_where_they_were_measured() -> None:
    shares = {"log10": [-1.0, 0.0, 1.0], "genuine": [1.0, 0.9, 0.5], "impostor": [0.8, 0.2, 0.0]}
    own = {"curves": [{"level": "very_bad", "mode": "image", "tippett": shares}]}
    of = {"system": "default", "captions": "own", "level": "normal"}
    scores = [{**of, "bins": [0.0, 1.0, 2.0], "genuine": [0.2, 0.8], "impostor": [0.9, 0.1]}]
    made = {plot.name: plot for plot in plots(report(evidence=own, curves=scores))}
    assert list(made) == ["scores-default", "tippett"]
    (panel,) = made["tippett"].panels
    assert panel.title == "image, very bad"
    assert drawn(panel).lines[1].get_xydata().tolist() == [[-1, 80.0], [0, 20.0], [1, 0.0]]
    filled = drawn(made["scores-default"].panels[0]).patches[0].get_data()
    assert (filled.values.tolist(), filled.edges.tolist()) == ([0.9, 0.1], [0.0, 1.0, 2.0])


def test_a_panel_takes_the_pages_ink_and_a_title_is_text() -> None:
    text = inline(Panel('<b>"a" & b', lambda axes: axes.set_xlabel("rank")))
    assert text.startswith('<svg role="img" aria-label="&lt;b&gt;&quot;a&quot; &amp; b"')
    assert "#012345" not in text
    assert "currentColor" in text


@pytest.mark.slow
def test_the_page_says_what_was_left_out_and_has_no_empty_part() -> None:
    parts = {section.anchor: section for section in _sections(report(rank_1()))}
    assert parts["enrolment"].told == TOLD["no-enrolment"]
    assert parts["end-to-end"].told == TOLD["no-end-to-end"]
    assert [name for name, section in parts.items() if not section] == ["evidence", "scores", "groups"]
    assert [plot.title for plot in parts["verification"].plots] == ["ROC", "DET"]


def rows(table: Any) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_lost_photos_are_told_level_by_level() -> None:
    fte = [figure(*FROZEN, "normal", "fte", 0.0, n_probes=24), figure(*FROZEN, "very_bad", "fte", None, reason="crops")]
    section = _enrolment(report(fte), {})
    assert rows(section.tables[0]) == [["normal", "0.0", "24"], ["very bad", "– crops", "10"]]
    assert section.told == TOLD["enrolment"]


def test_end_to_end_has_the_systems_that_look_at_photos() -> None:
    results = [*rank_1(), *(figure(*OURS, level, "rank", 0.25, condition="end-to-end") for level in LEVELS)]
    section = _end_to_end(report(results))
    (table,) = section.tables
    at = table.heads.index("Rank-1, %")
    assert [(row[1], row[at], row[-2:]) for row in rows(table)] == [("default", "25.0", ["", ""])] * 2
    assert (section.title, section.told) == ("End to end", TOLD["end-to-end"])


def test_groups_too_small_to_be_measured_are_named_once() -> None:
    few = [figure(*OURS, "normal", "eer", None, group=f"site={n}", reason="3 subjects, fewer than 20") for n in "ba"]
    named = report([*few, few[0]], options={**report().tree["options"], "group_by": "site"})
    section = _groups(named)
    assert section.notice == TOLD["few"].format("site=a, site=b")
    assert [table.caption for table in section.tables] == ["default · own, by site", "frozen, by site"]


def test_the_csv_has_a_row_a_record_and_nulls_are_empty(tmp_path: Path) -> None:
    records = [*rank_1(), figure(*OURS, "normal", "eer", None)]
    _write_csv(report(records), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(records)
    assert (read[-1]["value"], read[-1]["reason"], read[0]["minus"]) == ("", "too few", "")
    assert [float(row["value"]) for row in read[:-1]] == [record["value"] for record in records[:-1]]
    assert json.loads(read[0]["at"]) == 1
    assert TARS[0].label == "TAR@FAR 1e-5"


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</style></table><b>",
    "javascript:alert(1)//.jpg",
    "\x1b[31m\u202egnp.exe",
]
"""Captions, subject ids, file names and names of systems, all of which others choose."""


class Elements(HTMLParser):
    """The elements of a page with their attributes' names, in order, and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))

    def handle_data(self, data: str) -> None:
        self.text += data


def written_by(somebody: str) -> Report:
    """A whole report in which every name and word is somebody's."""
    series = [FROZEN, (somebody, "own")]
    results = [figure(*one, level, "rank", 0.5) for one in series for level in ("normal", "very_bad")]
    results += [
        figure(somebody, "own", "normal", "rank", 0.1, minus="frozen"),
        figure(*FROZEN, "normal", "eer", None, reason=somebody),
        figure(somebody, "own", "normal", "rank", 0.5, group=f"site={somebody}"),
    ]  # fmt: skip
    example = {
        "kind": "failure", "level": "normal", "rank": 9, "frozen_rank": 4, "caption": [somebody, somebody],
        "probe": somebody, "first": somebody, "mate": somebody, "first_score": 0.5, "mate_score": 0.25,
        "pictures": {"probe": somebody, "first": "2", "mate": "3"},
    }  # fmt: skip
    options = {
        **report().tree["options"], "probes": somebody, "split": somebody, "group_by": "site", "seed": somebody,
    }  # fmt: skip
    evidence = {**MEASURED, "propositions": [somebody], "notes": [somebody]}
    return report(
        results, options=options, examples=[example], evidence=evidence, notice=somebody, created=somebody, seconds=1,
        curves=[{"system": s, "captions": c, "level": "normal", "cmc": CMC, **ROC} for s, c in series],
        about={"system": somebody, "captions": "own", "baselines": {"frozen": "none"}}, package=somebody, protocol="1",
        data={**report().tree["data"], "warnings": [somebody], "not_detected": {somebody: 1}, "data_sha256": somebody},
        suspects={"pairs": 1, "subjects": [[somebody, somebody, 1]]}, machine={somebody: somebody},
        interval={"resamples": 10}, systems={somebody: {"model_id": somebody, "provenance": {somebody: somebody}}},
        ladder={level: {"side": None, "blur": 0, "noise": 0, "jpeg": None} for level in ("normal", "very_bad")},
    )  # fmt: skip


def test_nothing_that_somebody_wrote_becomes_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the elements that it has of a harmless name, each with the same attributes, whatever was written."""
    monkeypatch.setattr("tgfr_search.evaluation.report.page.inline", lambda panel: "<svg></svg>")  # tested above
    plain = Elements(page(written_by("somebody"), {"2": b"x"}))
    assert plain.text.count("somebody") > 20
    for text in HOSTILE:
        shown = Elements(page(written_by(text), {"2": b"x"}))
        assert shown.found == plain.found, text
        assert shown.text.count(visible(text)) > 20
        assert not set(shown.text) & set("\x1b\u202e")
