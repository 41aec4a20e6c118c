"""The arithmetic of the benchmarks, against values worked out by hand."""

import numpy as np
import pytest

from benchmarks.accuracy.auto_captions import _bases, _cells
from benchmarks.accuracy.paper_tables import kept
from benchmarks.accuracy.quality import _cosine, _spearman
from benchmarks.demo_faces.quality import Seen, distances, pairs, quantiles, rank_1
from benchmarks.demo_faces.statistics import scatter_of, symmetric_root
from benchmarks.speed.search_speed import median_ms


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
