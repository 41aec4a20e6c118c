"""Measures of likelihood ratios equal those of `lir` (make_oracle.py says how its numbers were made)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tgfr_search.errors import InputError
from tgfr_search.forensic.bounds import elub
from tgfr_search.forensic.metrics import (
    cllr,
    cllr_min,
    devpav,
    ece_curve,
    misleading_rates,
    pav,
    resampled_cllr,
    tippett,
)

ORACLE = json.loads(Path(__file__).with_name("oracle.json").read_text())


@pytest.mark.parametrize("case", ORACLE["cases"], ids=lambda case: case["name"])
def test_measures_equal_the_oracle(case: dict[str, Any]) -> None:
    pair = np.array(case["genuine"]), np.array(case["impostor"])
    assert cllr(*pair) == pytest.approx(case["cllr"], abs=1e-9)
    assert cllr_min(*pair) == pytest.approx(case["cllr_min"], abs=1e-9)
    assert devpav(*pair) == pytest.approx(case["devpav"], abs=1e-9, nan_ok=True)
    assert elub(*pair) == pytest.approx(case["elub"], abs=1e-9)


def test_elub_of_weights_is_that_of_repeated_pairs() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(1, 1, 60), rng.normal(-1, 1, 80)
    w1, w0 = rng.integers(1, 4, 60), rng.integers(1, 4, 80)
    repeated = elub(np.repeat(own, w1), np.repeat(other, w0))
    assert elub(own, other, w1.astype(float), w0.astype(float)) == pytest.approx(repeated, abs=1e-12)


def test_a_weight_of_a_person_is_that_person_repeated() -> None:
    rng = np.random.default_rng(1)
    own, other = rng.normal(1, 1, 40), rng.normal(-1, 1, 200)
    who, probe = rng.integers(8, size=40), rng.integers(8, size=200)
    record = (probe + rng.integers(1, 8, size=200)) % 8
    weights = rng.multinomial(8, np.full(8, 1 / 8), size=5).astype(float)
    for row, found in zip(weights, resampled_cllr(own, other, (who, probe, record), weights), strict=True):
        times = (row[probe] * row[record]).astype(int)
        expected = cllr(np.repeat(own, row[who].astype(int)), np.repeat(other, times))
        assert found == pytest.approx(expected, abs=1e-12)
    assert resampled_cllr(own, other, (who, probe, record), np.ones((1, 8)))[0] == pytest.approx(cllr(own, other))


def test_infinite_ratios_cost_what_they_deserve() -> None:
    right = cllr(np.array([np.inf]), np.array([-np.inf]))
    wrong = cllr(np.array([-np.inf]), np.array([0.0]))
    assert (right, wrong) == (0.0, np.inf)
    assert devpav(np.array([-np.inf, 1.0]), np.array([-1.0, 0.0])) == np.inf


def test_ece_at_even_odds_is_cllr_and_pav_is_never_worse() -> None:
    rng = np.random.default_rng(2)
    own, other = rng.normal(2, 2, 300), rng.normal(-1, 1, 500)
    curve = ece_curve(own, other)
    middle = len(curve.prior) // 2
    assert curve.prior[middle] == 0.0
    assert curve.system[middle] == pytest.approx(cllr(own, other))
    assert curve.calibrated[middle] == pytest.approx(cllr_min(own, other))
    assert curve.neutral[middle] == pytest.approx(1.0)
    assert (curve.calibrated <= curve.system + 1e-12).all()
    assert (curve.calibrated <= curve.neutral + 1e-12).all()


def test_tippett_counts_what_lies_above() -> None:
    own, other = np.array([0.5, 1.5, 2.5]), np.array([-2.0, -1.0, 0.0, 1.2])
    curve = tippett(own, other)
    assert curve.genuine[0] == 1.0
    assert curve.impostor[-1] == 0.0
    assert curve.misleading[10.0] == (0.25, 0.0)
    assert misleading_rates(own, other, 1.0) == (0.25, 0.0)


def test_pav_of_ordered_classes_is_infinite() -> None:
    own, other = pav(np.array([1.0, 2.0]), np.array([-1.0, 0.0]))
    assert own.tolist() == [np.inf, np.inf]
    assert other.tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize("bad", [np.empty(0), np.array([1.0, np.nan])])
def test_an_empty_class_and_nan_are_refused(bad: np.ndarray[Any, Any]) -> None:
    good = np.array([1.0])
    with pytest.raises(InputError, match="genuine"):
        cllr(bad, good)
    with pytest.raises(InputError, match="impostor"):
        tippett(good, bad)
