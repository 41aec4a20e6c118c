"""Directions are a ridge on labels; what they give is calibrated by quality; both on made-up numbers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from pipelines.faces.aligned import silent
from pipelines.train.attributes.rows import StatementOptions, embedded, train_views
from pipelines.train.attributes.solve import calibrate, figures_of, phrasing, ridge
from pipelines.train.attributes.statements import carry_statements
from tests.models import FAST_MODEL
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.degrade import degrade
from tgfr_search.errors import InputError
from tgfr_search.faces.align import DLIB_CHIP, WIDE_CHIP, Alignment
from tgfr_search.model.checkpoint import find_model, load_model
from tgfr_search.words.phrasing import is_familiar


def test_directions_are_those_of_a_ridge_in_units_of_the_labels_spread() -> None:
    rng = np.random.default_rng(0)
    rows = {"face": rng.normal(size=(300, 5)).astype(np.float32), "looks": rng.normal(size=(300, 3)).astype(np.float32)}
    x = np.concatenate([rows["face"], rows["looks"]], axis=1)
    labels = (x[:, :2] + rng.normal(size=(300, 2)) > 0.5).astype(np.float64)
    labels = np.concatenate([labels, np.zeros((300, 1))], axis=1)  # nobody has the third
    weights, means = ridge(rows, ("face", "looks"), labels, 2.0)
    model = Ridge(alpha=2.0).fit(x, labels[:, :2])
    expected = (model.predict(x) - labels[:, :2].mean(axis=0)) / labels[:, :2].std(axis=0)
    got = rows["face"] @ weights["face"].T + rows["looks"] @ weights["looks"].T - means
    assert got[:, :2] == pytest.approx(expected, abs=5e-3)
    assert (got[:, 2] == 0).all()


def test_a_calibration_finds_the_odds_that_made_the_labels_and_leaves_out_the_unknown() -> None:
    rng = np.random.default_rng(1)
    z, q = rng.normal(size=20000), rng.uniform(size=20000)
    truth = (rng.uniform(size=20000) < 1 / (1 + np.exp(-((1 + 2 * q) * z - 1 + 0.5 * q)))).astype(np.float64)
    truth[:100] = np.nan
    assert calibrate(z, q, truth) == pytest.approx((1, 2, -1, 0.5), abs=0.25)
    never = calibrate(z, q, np.zeros(20000))
    assert 1 / (1 + np.exp(-never[2])) < 0.01


def test_the_phrasing_is_what_is_usual_in_the_lines() -> None:
    known = phrasing(["She is young.", "She is old.", "She is young.", "A strange line once"])
    assert is_familiar("She is young.", known)
    assert not is_familiar("A strange line once", known)


def test_figures_by_hand() -> None:
    p, truth = np.full((4, 40), 0.5), np.zeros((4, 40))
    p[:, 0], truth[:, 0] = (0.9, 0.8, 0.3, 0.1), (1, 1, 0, 0)
    own, name = figures_of(p, truth), ATTRIBUTES[0]
    assert (own["share"][name], own["auc"][name]) == (0.5, 1.0)
    assert own["brier_gain"][name] == pytest.approx(1 - (0.01 + 0.04 + 0.09 + 0.01) / 4 / 0.25)
    assert own["auc"][ATTRIBUTES[1]] is None


def test_statements_are_carried_to_a_model_of_the_same_modules_only(tmp_path: Path) -> None:
    shipped = find_model(FAST_MODEL)
    shutil.copytree(shipped, tmp_path / "new", ignore=shutil.ignore_patterns("statements"))
    old, new = load_model(FAST_MODEL, device="cpu"), load_model(tmp_path / "new", device="cpu")
    assert new.directions is None
    carry_statements(old, new, {})
    again = load_model(tmp_path / "new", device="cpu").directions
    assert again is not None
    assert old.directions is not None
    assert again.digest == old.directions.digest
    with pytest.raises(Exception, match="face_sface"):
        carry_statements(old, new, {"face": "face_sface"})
    with pytest.raises(InputError, match="no statements"):
        carry_statements(new, old, {})
    config = json.loads((tmp_path / "new/config.json").read_text())
    other = replace(new, config={**config, "tensors_sha256": "0" * 64})
    with pytest.raises(InputError, match="other trained modules"):
        carry_statements(old, other, {})


class OneRow(SimpleNamespace):
    def __len__(self) -> int:
        return 1


def test_one_train_face_in_three_is_degraded_by_the_levels_in_turn() -> None:
    expected = [
        "poor",
        "original",
        "original",
        "bad",
        "original",
        "original",
        "very_bad",
        "original",
        "original",
        "poor",
    ]
    assert train_views(10) == expected


@pytest.mark.parametrize("alignment", [DLIB_CHIP, WIDE_CHIP], ids=lambda own: own.name)
def test_a_wide_chip_is_degraded_as_much_as_the_narrow_one_in_it(alignment: Alignment, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    chips: Any = OneRow(
        folder=Path("chips"),
        pixels=rng.integers(0, 256, (1, alignment.size, alignment.size, 3), dtype=np.uint8),
        sha256=["a"],
    )
    seen: list[Any] = []

    def embed(pixels: Any, captions: Any) -> Any:
        seen.append(pixels)
        return SimpleNamespace(templates=SimpleNamespace(blocks={"face": np.ones((1, 1))}), quality=np.ones(1))

    spec = SimpleNamespace(alignment=alignment.name)
    model: Any = SimpleNamespace(
        face_encoder=SimpleNamespace(spec=spec), tgfr=SimpleNamespace(layout=(("face", 1),)), contract={}, embed=embed
    )
    embedded(model, chips, ["bad"], StatementOptions(data=tmp_path, cache=tmp_path), silent)
    assert (seen[0][0] == degrade(chips.pixels[0], "bad", key="a", side=150.0)).all()
