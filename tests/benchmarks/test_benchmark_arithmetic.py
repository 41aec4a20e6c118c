"""The arithmetic of the benchmarks, against values worked out by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy import paper_tables
from benchmarks.accuracy.auto_captions import _bases, _cells
from benchmarks.accuracy.detection import Tally
from benchmarks.accuracy.paper_tables import kept
from benchmarks.accuracy.quality import _cosine, _spearman
from benchmarks.accuracy.several import DRAWS, _drawn
from benchmarks.demo_faces.quality import Seen, distances, pairs, quantiles, rank_1
from benchmarks.demo_faces.statistics import scatter_of, symmetric_root
from benchmarks.readme import _budgets, _text_gain
from benchmarks.speed import encode_rates, served_index, served_load
from benchmarks.speed.cold_start import median
from benchmarks.speed.search_data import _EACH, Faces, distractors
from benchmarks.speed.search_speed import median_ms
from indexer import Block, Contract
from tgfr_search.evaluation.report.reading import SCHEMA, Report
from tgfr_search.faces.detectors.base import Detection
from tgfr_search.faces.schemes import EYES_NOSE_MOUTH


def test_distances_and_pairs() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], np.float32)
    assert distances(points, points) == pytest.approx(np.array([[0, 5, 1], [5, 0, 18**0.5], [1, 18**0.5, 0]]), abs=1e-5)
    genuine, impostor = pairs(points, np.array([7, 7, 3]))
    assert genuine == pytest.approx([5.0])  # each pair once
    assert impostor == pytest.approx([1.0])  # every 97th of two
    assert quantiles(np.arange(101))["q95"] == 95.0


def test_a_probe_without_a_face_is_missed() -> None:
    gallery = np.eye(4, dtype=np.float32)
    seen = Seen(np.array([0, 1, 3]), gallery[[0, 2, 3]], np.empty((3, 0), np.float32))
    assert rank_1(gallery, seen, 4) == {"rank_1": 0.5, "not_found": 1}


def test_a_root_gives_its_square_back_and_leaves_negative_directions_out() -> None:
    root = symmetric_root(np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert root @ root == pytest.approx(np.array([[2.0, 1.0], [1.0, 2.0]]), abs=1e-5)
    assert symmetric_root(np.diag([4.0, -1.0])) == pytest.approx(np.diag([2.0, 0.0]), abs=1e-6)


def test_scatter_is_split_between_and_within_subjects() -> None:
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(2000), 3)
    conditions = rng.integers(0, 2, (6000, 1)).astype(np.float32)
    own = rng.normal(size=(2000, 2))[subjects] * [2.0, 0.0]
    codes = (own + rng.normal(size=(6000, 2)) * [0.5, 1.0] + conditions * [3.0, -1.0]).astype(np.float32)
    made = scatter_of(codes, conditions, subjects)
    assert made.guide == pytest.approx(np.array([[3.0, -1.0]]), abs=0.2)
    assert np.diag(made.within) == pytest.approx([0.25, 1.0], rel=0.1)
    assert np.diag(made.between) == pytest.approx([4.0, 0.0], rel=0.1, abs=0.05)


def test_rank_correlation_of_level_and_prediction() -> None:
    falling = [np.array([0.9, 0.8], np.float32), np.array([0.5, 0.4], np.float32), np.array([0.1, 0.2], np.float32)]
    assert _spearman(falling, np.arange(2)) == pytest.approx(0.956, abs=1e-3)
    assert _spearman(falling[::-1], np.arange(2)) == pytest.approx(-0.956, abs=1e-3)
    assert _cosine(np.array([[3.0, 4.0]], np.float32), np.array([[4.0, 3.0]], np.float32)) == pytest.approx([0.96])


def test_cells_and_what_each_is_a_difference_to() -> None:
    levels = ("normal", "poor")
    both = [("fused", "normal"), ("fused", "poor")]
    assert _cells("auto", levels) == [("caption", "normal"), *both]
    assert _cells("none", levels) == [("caption", "normal"), ("image", "normal"), ("image", "poor"), *both]
    assert _bases("fused", "poor", "auto") == [
        (None, None), ("none", ("fused", "poor", "none")), ("image", ("image", "poor", "none")),
    ]  # fmt: skip
    assert _bases("caption", "normal", "none") == [(None, None)]


def test_a_result_file_keeps_no_groups_curves_or_examples() -> None:
    names = (
        "protocol",
        "options",
        "seconds",
        "interval",
        "data",
        "ladder",
        "absent_captions",
        "shared_lines",
        "systems",
    )
    tree = dict.fromkeys((*names, "curves", "examples")) | {"results": [{"group": None}, {"group": "male=true"}]}
    assert kept(tree) == dict.fromkeys(names) | {"results": [{"group": None}]}


def test_a_median_is_of_each_querys_own_time() -> None:
    ticks = iter([0.0, 0.001, 1.0, 1.005, 2.0, 2.003])
    asked: list[np.ndarray] = []
    queries = [np.full((1, 2), at, np.float32) for at in range(3)]
    assert median_ms(asked.append, lambda: next(ticks), queries) == pytest.approx(3.0)
    assert [int(query[0, 0]) for query in asked] == [0, 0, 1, 2]  # the first call does not count


def ticking(*times: float) -> Any:
    """A clock that shows these times, one after another."""
    left = iter(times)
    return lambda: next(left)


def test_a_rate_is_the_median_of_the_runs_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_rates, "cpu_seconds", ticking(0.0, 2.0, 10.0, 11.0, 20.0, 24.0))
    runs: list[int] = []
    assert encode_rates.rate(8, lambda: runs.append(1)) == pytest.approx(8 / 2.0)
    assert len(runs) == 4


def test_milliseconds_are_a_median_and_laps_are_taken_value_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(perf_counter=ticking(0.0, 0.004, 1.0, 1.001, 2.0, 2.010))
    monkeypatch.setattr(served_index, "time", clock)
    asked: list[int] = []
    assert served_index.milliseconds(asked.append, 3) == pytest.approx(4.0)
    assert asked == [0, 1, 2]
    laps = [{"wall": 3.0, "cpu": 1.0}, {"wall": 1.0, "cpu": 9.0}, {"wall": 2.0, "cpu": 2.00049}]
    assert median(laps) == {"wall": 2.0, "cpu": 2.0}


def test_a_face_is_right_where_both_eyes_are_within_a_quarter_of_their_distance() -> None:
    """Five points of RetinaFace, of which the first two are the eyes, 40 px apart."""
    eyes = np.array([[10.0, 10.0], [50.0, 10.0]], np.float32)

    def seen(off: float) -> Detection:
        points = np.zeros((5, 2), np.float32)
        points[:2] = [eyes[0] + [0.0, off], eyes[1]]
        return Detection((0, 0, 60, 60), points, EYES_NOSE_MOUTH, 1.0)

    tally = Tally()
    tally.add([seen(4.0), seen(30.0)], 0.010, eyes)  # a tenth of the distance; one box too many
    tally.add([seen(11.0)], 0.030, eyes)
    tally.add([], 0.020, eyes)
    told = tally.as_dict(face=True)
    assert told == {
        "photos": 3, "ms": 20.0, "ms_p95": 29.0, "missed": 1, "right": 1, "extra_boxes": 1,
        "eye_error_percent": [10.0, 10.0],
    }  # fmt: skip
    empty = Tally()
    for found in ([], [seen(0.0)], []):
        empty.add(found, 0.01, None)
    assert empty.as_dict(face=False)["false"] == 1


def test_several_pictures_are_never_the_gallerys_and_the_same_each_time() -> None:
    owners = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    firsts = np.array([0, 3, 5])
    drawn = list(_drawn(owners, firsts, 2, "bad"))
    assert [subject for subject, _ in drawn] == [0] * DRAWS + [2] * DRAWS, "1 has one other picture"
    for subject, rows in drawn:
        assert len(set(rows.tolist())) == 2
        assert (owners[rows] == subject).all()
        assert not set(rows.tolist()) & set(firsts.tolist())
    again = list(_drawn(owners, firsts, 2, "bad"))
    assert all((one == other).all() for (_, one), (_, other) in zip(drawn, again, strict=True))


def test_distractors_are_people_of_three_rows_shaped_as_the_real_ones() -> None:
    rng = np.random.default_rng(0)
    contract = Contract((Block("face", 16), Block("caption", 8)), {"model": "m"})
    real = rng.normal(size=(400, 24)).astype(np.float32) * np.linspace(0.5, 2, 24, dtype=np.float32)
    for where in contract.slices.values():
        real[:, where] /= np.linalg.norm(real[:, where], axis=1, keepdims=True)
    made = distractors(Faces(contract, real, np.arange(400), {}), 600, seed=1)
    assert made.shape == (600, 24)
    for where in contract.slices.values():
        own = made[:, where]
        assert np.linalg.norm(own, axis=1) == pytest.approx(np.ones(600), abs=1e-5)
        alike = own @ own.T
        people = np.arange(600) // _EACH
        same = (people[:, None] == people[None, :]) & ~np.eye(600, dtype=bool)
        assert alike[same].mean() > alike[~same & ~np.eye(600, dtype=bool)].mean() + 0.2
        assert np.std(own, axis=0) == pytest.approx(np.std(real[:, where], axis=0), rel=0.25)
    assert (distractors(Faces(contract, real, np.arange(400), {}), 600, seed=1) == made).all()


def test_what_a_killed_service_lost_and_did_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"a": ("k", "enrolled-0"), "b": ("k", "enrolled-1"), "c": ("k", "enrolled-1"), "d": ("k", "enrolled-2")}
    store = SimpleNamespace(photos_by_image=lambda: rows)
    monkeypatch.setattr(served_load, "Store", SimpleNamespace(open=lambda index: store))
    entries = [(0, {"act": act}) for act in ("search", "enrol", "search")]
    monkeypatch.setattr(served_load, "read_entries", lambda log: entries)
    monkeypatch.setattr(served_load, "check_log", lambda log: SimpleNamespace(problems=["p"]))
    asked, sent = ["enrolled-0", "enrolled-1", "enrolled-2"], {"enrolled-0": "j", "enrolled-2": "j"}
    told = served_load._found(Path("index"), Path("data"), 3, asked, sent, ["before"])
    assert told == {
        "searches_answered": 3, "searches_in_the_log": 2, "answered_and_not_logged": 1, "enrolments_answered": 2,
        "rows_of_each_answered_one": [1], "most_rows_of_any": 2, "log_problems": ["before", "p"],
    }  # fmt: skip


def record(system: str, captions: str, level: str, value: float, minus: str | None = None) -> dict[str, Any]:
    return {
        "condition": "clean-gallery", "system": system, "captions": captions, "level": level, "metric": "rank",
        "at": 1, "value": value, "low": value - 0.1, "high": value + 0.1, "reason": None, "minus": minus, "group": None,
    }  # fmt: skip


def test_what_words_are_worth_is_told_level_by_level() -> None:
    results = [record("default", "own", "bad", 0.2, "control"), record("default", "own", "degraded", -0.05, "control")]
    head, _, own, *others = _text_gain(Report({"schema": SCHEMA, "results": results}), ["bad", "degraded"])
    assert head == "| `default` − `control` (text gain), Rank-1 points | bad | mean of the degraded |"
    assert own == "| own | +20.0 (+10.0 to +30.0) | −5.0 (−15.0 to +5.0) |"
    assert [line.split("|")[2].strip() for line in others] == ["–", "–", "–"]


def test_a_cell_of_the_papers_tables_marks_what_differs_from_the_frozen_encoder() -> None:
    results = [record("tgfr", "own", "bad", 0.5), record("tgfr", "own", "bad", 0.3, "frozen")]
    report = Report({"schema": SCHEMA, "results": results})
    cells = [paper_tables._cell(report, ("tgfr", "own"), "bad", metric) for metric in paper_tables.COLUMNS]
    assert cells == ["–"] * 4 + ["50.0 (40.0–60.0) ▲", "–"]


def test_epochs_are_told_system_by_system() -> None:
    def trained(adapt: int, **model: Any) -> dict[str, Any]:
        steps = {"adapt": {"epochs": adapt}, "align": {"epochs": 20}, "fuse": {"epochs": 36}, "describe": {"epochs": 8}}
        return {"provenance": {"options": {**steps, "model": model}}}

    systems = {
        "frozen": {"provenance": {}}, "default": trained(5, description_dim=128), "tgfr": trained(0),
        "cgfr": trained(0) | {"measured": {}},
    }  # fmt: skip
    told = _budgets(systems)
    assert "`default` 5 + 20 + 36 + 8; `tgfr`, `cgfr` 0 + 20 + 36 + 0." in told
    assert told.endswith("Measured in an earlier session: `cgfr`.")
    assert "step 0 is not run again" not in told
