"""Criteria that were fixed beforehand are held against the worst cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tgfr_search.errors import OptionsError
from tgfr_search.forensic.verdict import Criteria, verdict
from tgfr_search.strict import load_toml


def tree(**change: Any) -> dict[str, Any]:
    rates = [{"lr": 1.0, "stranger_above": 0.4}, {"lr": 10.0, "stranger_above": 0.05}]
    cell = {
        "level": "normal", "mode": "image", "lines": 0, "cllr": 0.08, "cllr_cal": 0.004, "devpav": 0.1,
        "misleading": rates,
    }  # fmt: skip
    worse = cell | {"mode": "fused", "lines": 1, "level": "bad", "devpav": None, "cllr_cal": 0.009}
    search = {"mode": "image", "level": "normal", "people": 125, "ece": 0.02, "worst_overconfidence": 0.01}
    threshold = {"mode": "image", "level": "normal", "people": 300, "fpir_asked": 0.01, "fpir_seen": 0.02}
    out = {"cells": [cell, worse], "search": [search], "crowdedness": [], "thresholds": [threshold]}
    wrong = {"mode": "fused-1", "level": "bad", "words": "wrong", "cllr": 0.2, "cllr_image": 0.18}
    saved = {"mode": "image", "level": "bad", "fpir": 0.01, "saved_low": 0.02}
    out["typicality"] = [saved, saved | {"fpir": 0.1, "saved_low": -0.5}]
    right = wrong | {"words": "cross", "cllr": 0.9, "saved_low": -1.0}
    three = right | {"mode": "fused-3", "saved_low": 0.01}
    out["words"] = [wrong, right, three | {"level": "normal", "saved_low": -1.0}, three]
    out["words"][-1] |= change.pop("three", {})
    for name, values in change.items():
        out[name][0] |= values
    return out


def found(**change: Any) -> dict[str, bool | None]:
    return {f"{each.what} {each.asked}": each.met for each in verdict(tree(**change), Criteria())}


def test_what_holds_is_met_and_what_was_not_measured_is_neither() -> None:
    told = verdict(tree(), Criteria())
    assert [each.met for each in told].count(False) == 0
    by_name = {each.what: each for each in told}
    assert by_name["Cllr of the picture alone, poor"].met is None
    assert by_name["Cllr − Cllr_min"].found == 0.009
    assert by_name["Cllr − Cllr_min"].where == "fused with 1 line, bad"
    assert by_name["devPAV"].found == 0.1
    assert by_name["strangers with an LR above k, in the 1/k that theory allows"].found == pytest.approx(0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"cells": {"cllr": 0.11}},
        {"cells": {"cllr_cal": 0.02}},
        {"cells": {"devpav": 0.3}},
        {"cells": {"misleading": [{"lr": 100.0, "stranger_above": 0.011}]}},
        {"search": {"ece": 0.05}},
        {"search": {"worst_overconfidence": 0.06}},
        {"thresholds": {"fpir_seen": 0.031}},
        {"words": {"cllr": 0.22}},
        {"thresholds": {"fpir_seen": 0.002}},
        {"typicality": {"saved_low": -0.01}},
        {"three": {"saved_low": -0.001}},
    ],
)
def test_one_cell_that_fails_is_enough(change: dict[str, Any]) -> None:
    assert [met for met in found(**change).values() if met is False] == [False]


def test_criteria_are_a_file(tmp_path: Path) -> None:
    path = tmp_path / "criteria.toml"
    path.write_text("cllr = [0.2, 0.3]\ndevpav = 0.5\n")
    assert load_toml(path, Criteria) == Criteria(cllr=(0.2, 0.3), devpav=0.5)
    path.write_text("cllrs = 1\n")
    with pytest.raises(OptionsError, match="cllrs"):
        load_toml(path, Criteria)
