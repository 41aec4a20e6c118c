"""What a report says of its figures: verdicts, answers and tables, from a report small enough to be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from tgfr_search.errors import InputError
from tgfr_search.evaluation.report.reading import EER, RANKS, SCHEMA, TARS, Report, listing, percent, points, spoken

COUNTS = {"n_genuine": 9, "n_impostor": 90, "n_probes": 10, "n_gallery": 5}


def figure(system: str, captions: str, level: str, metric: str, value: float | None, **more: Any) -> dict[str, Any]:
    width = 0.0 if value is None else 0.1
    ends = (None, None) if value is None else (value - width, value + width)
    at = 1 if metric == "rank" else None
    base = {
        "condition": "clean-gallery",
        "system": system,
        "captions": captions,
        "level": level,
        "metric": metric,
        "at": at,
        "value": value,
    }
    told = {"low": ends[0], "high": ends[1], "reason": None if value is not None else "too few"}
    return {**base, **told, "minus": None, "group": None, **COUNTS, **more}


@pytest.fixture
def report() -> Report:
    """Rank-1 of the default: better than frozen at poor, worse at bad, not told apart at normal."""
    series = [("frozen", "none"), ("default", "own"), ("default", "wrong")]
    levels = ["normal", "poor", "very_bad"]
    results = [figure(*each, level, metric, 0.5) for each in series for level in levels for metric in ("rank", "eer")]
    gains = zip(levels, (0.05, 0.2, -0.2), strict=True)
    results += [figure("default", "own", level, "rank", gain, minus="frozen") for level, gain in gains]
    curves = [{"system": s, "captions": c, "level": level, "cmc": [0.5]} for s, c in series for level in levels]
    about = {"system": "default", "captions": "own", "baselines": {"frozen": "none", "control": "constant"}}
    tree = {"schema": SCHEMA, "results": results, "curves": curves, "about": about, "options": {"levels": levels}}
    return Report(tree)


def test_figures_of_whole_photos_stand_beside_those_of_aligned_faces(report: Report) -> None:
    whole = figure("default", "own", "poor", "rank", 0.25, condition="end-to-end")
    both = Report({**report.tree, "results": [*report.tree["results"], whole]})
    found = [both.get(("default", "own"), "poor", RANKS[0], whole=of) for of in (False, True)]
    assert [record["value"] for record in found if record is not None] == [0.5, 0.25]
    assert both.get(("default", "own"), "normal", RANKS[0], whole=True) is None
    assert both.answers() == report.answers()


def test_rates_in_words() -> None:
    assert [percent(value) for value in (0.5, 0.0994, 0.0099, 0.0, 1.0, -0.002)] == [
        "50.0", "9.9", "0.99", "0.0", "100.0", "-0.20",
    ]  # fmt: skip
    assert [points(value) for value in (0.05, -0.002, 0.0)] == ["+5.0", "−0.20", "+0.0"]
    assert spoken("very_bad") == "very bad"
    assert [listing(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("low", "high", "more_is_better", "verdict"),
    [
        (0.1, 0.3, True, "better"),
        (0.1, 0.3, False, "worse"),
        (-0.3, -0.1, True, "worse"),
        (-0.3, -0.1, False, "better"),
        (-0.1, 0.1, True, "not told apart"),
        (0.0, 0.1, True, "not told apart"),
        (None, None, True, ""),
    ],
)
def test_a_verdict_follows_the_interval(
    low: float | None, high: float | None, more_is_better: bool, verdict: str
) -> None:
    metric = RANKS[0] if more_is_better else EER
    assert metric.verdict({"low": low, "high": high}) == verdict
    assert metric.verdict(None) == ""


def test_the_answer_names_every_level_once(report: Report) -> None:
    told = report.answers()
    assert told == [
        "The shipped default against the frozen face encoder, by Rank-1: better at poor quality; worse at very bad "
        "quality; not told apart at normal quality."
    ]


def test_series_in_order_and_one_a_system(report: Report) -> None:
    assert report.measured == [("frozen", "none"), ("default", "own"), ("default", "wrong")]
    assert report.headline == [("frozen", "none"), ("default", "own")]
    assert report.systems == ["frozen", "default"]
    assert report.baselines == [("frozen", "none")]  # the control was not measured
    assert report.curve(("default", "own"), "poor")["cmc"] == [0.5]
    assert report.curve(("control", "constant"), "poor") == {}
    assert report.counts()["n_genuine"] == 9


def test_the_answer_is_told_in_what_could_be_measured(report: Report) -> None:
    assert report.answer_metric == RANKS[0]
    results = [r | {"value": None} if r["metric"] == "rank" else r for r in report.tree["results"]]
    assert Report({**report.tree, "results": results}).answer_metric == EER


def test_the_table_has_a_row_a_level_and_series(report: Report) -> None:
    columns, rows = report.summary()
    assert columns[:4] == ["level", "system", "captions", "Rank-1 %"]
    assert columns[-1] == "Rank-1 vs frozen"
    assert len(rows) == 9
    assert rows[1][:5] == ["normal", "default", "own", "50.0 (40.0–60.0)", "50.0 (40.0–60.0)"]
    assert [row[-1] for row in rows if row[1:3] == ["default", "own"]] == ["not told apart", "better", "worse"]
    assert report.get(("default", "own"), "poor", TARS[0]) is None


def test_alone_there_is_nothing_to_compare_with(report: Report) -> None:
    curves = [curve for curve in report.tree["curves"] if curve["system"] == "default"]
    assert Report({**report.tree, "curves": curves}).answers() == [
        "Only the shipped default was measured: there is nothing to compare it with."
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 99}', "{}"])
def test_what_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(InputError, match=r"report\.json"):
        Report.load(tmp_path / "report.json")


def test_a_report_is_read_back(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(report.tree))
    assert Report.load(tmp_path / "report.json").answers() == report.answers()
