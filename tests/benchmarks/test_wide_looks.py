"""Experiment 41: areas and precisions by hand and by scikit-learn, a head that folds of people choose, wide maps."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.accuracy.wide_judged import HEADS, auc, average_precision, layout, rank_1, silent, stating
from benchmarks.accuracy.wide_maps import map_reader
from pipelines.train.attributes.map_head import ALPHAS, fit_head
from pipelines.train.attributes.map_parts import in_parts
from tests.models import FAST_MODEL
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.encoders.attribute_reader import GRID
from tgfr_search.encoders.sface import SFaceEncoder
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.faces.wide import cut
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.probe import make_probes, score


class Rows(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.pixels)


def test_areas_and_precisions_of_every_resample() -> None:
    rng = np.random.default_rng(0)
    scores, holds = rng.normal(size=60), rng.uniform(size=60) < 0.3
    weights = subject_weights(60, 0, 20)
    for ours, theirs in ((auc, roc_auc_score), (average_precision, average_precision_score)):
        found = ours(scores, holds, weights)
        assert found.value == pytest.approx(theirs(holds, scores))
        expected = [theirs(holds, scores, sample_weight=own) for own in weights]
        assert found.samples == pytest.approx(expected)


def test_a_head_is_a_ridge_on_standardised_columns() -> None:
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(50), 4)
    x = rng.normal(2.0, [1.0, 3.0, 0.5, 1.0], size=(200, 4))
    labels = (x[:, :2] - 2 + rng.normal(size=(200, 2)) > 0).astype(np.float64)
    subjects = [f"p{own}" for own in people]
    asked: list[Any] = []

    def judge(outputs: Any) -> float:
        asked.append(outputs)
        return float(len(asked) == 3)

    head = fit_head([x[:, :3], x[:, 3:]], labels, subjects, judge)
    assert head.alpha == ALPHAS[2]
    z = (x - x.mean(axis=0)) / x.std(axis=0) / 2
    wanted = (labels - labels.mean(axis=0)) / labels.std(axis=0)
    expected = Ridge(alpha=head.alpha, fit_intercept=False).fit(z, wanted)
    assert head([x[:, :3], x[:, 3:]]) == pytest.approx(expected.predict(z), abs=1e-3)
    assert np.abs(head.held_out - expected.predict(z)).max() > 1e-3, "held out is not fitted"
    assert np.corrcoef(head.held_out[:, 0], labels[:, 0])[0, 1] > 0.5


def test_maps_of_the_nets_own_chip_are_the_encoders_and_parts_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    wide = rng.integers(0, 256, (2, 225, 225, 3), dtype=np.uint8)
    read = map_reader("sface-2021", None)
    regions = SFaceEncoder(regions="1024x7x7").encode(cut(wide, "arcface-112-dlib5")).regions
    cells = np.asarray(regions).reshape(2, 1024, 7, 7)
    got = read(wide)["1024x7x7"].reshape(2, 1024, GRID, GRID)
    assert got[:, :, 0, 0] == pytest.approx(cells[:, :, :2, :2].mean(axis=(2, 3)), abs=2e-2, rel=1e-2)
    larger = map_reader("sface-2021", 160)(wide)
    assert {name: own.shape[1] for name, own in larger.items()} == {"512x14x14": 512 * 16, "1024x7x7": 1024 * 16}
    chips: Any = Rows(folder=Path("chips"), pixels=wide, sha256=["a", "b"])
    calls: list[int] = []

    def count(seen: Any) -> dict[str, Any]:
        calls.append(len(seen))
        return {"mean": seen.mean(axis=(1, 2, 3))}

    first, again = (
        in_parts(tmp_path, "mean", count, chips, ["original", "bad"], lambda *a: None)["mean"] for _ in range(2)
    )
    assert calls == [2]
    assert (first == again).all()
    assert first[0] == pytest.approx(wide[0].mean())
    assert first[1] != pytest.approx(wide[1].mean(), abs=1e-6), "the second was degraded"


def test_statements_over_a_further_block_are_what_the_model_itself_would_state() -> None:
    model = load_model(FAST_MODEL, device="cpu")
    own = model.directions
    assert own is not None
    rng = np.random.default_rng(3)
    width = sum(dim for _, dim in layout(model))
    rows = rng.normal(size=(5, width)).astype(np.float32)
    line = ("a bald man without glasses",)
    alone = make_probes(silent(model), None, [line], ["caption"])
    stated = own.stated([own.claims(line, "caption")], layout(model))
    expected = score(make_probes(model, None, [line], ["caption"]), rows[:, : -len(HEADS) * len(ATTRIBUTES)])
    assert score(stating(alone, stated), rows) == pytest.approx(expected, abs=1e-4)
    wide = replace(own, blocks=("all",), weights={"all": np.eye(40, dtype=np.float32)}, means=np.zeros(40, np.float32))
    claims = own.claims(line, "caption")
    assert claims["bald"] > 0 > claims["eyeglasses"]
    moved = score(stating(alone, wide.stated([claims], layout(model))), rows) - score(
        alone, rows[:, : -len(HEADS) * len(ATTRIBUTES)]
    )
    told = sum(value * rows[:, -40 + ATTRIBUTES.index(name)] for name, value in claims.items())
    assert moved[0] == pytest.approx(np.asarray(told), abs=1e-4)


def test_what_the_wide_block_adds_is_a_paired_difference() -> None:
    ranks = {"image": np.array([1, 2, 2, 2]), "shipped": np.array([1, 2, 2, 2]), "blocks": np.array([1, 1, 2, 2])}
    ranks |= {f"{name} alone": np.array([1, 2, 2, 2]) for name in HEADS}
    ranks |= {f"blocks + {name}": np.array([1, 1, 1, 2]) for name in HEADS}
    rows = rank_1(ranks, np.arange(4), subject_weights(4, 0))
    assert rows["blocks + wide − image"][0] == pytest.approx(0.5)
    assert rows["blocks + wide − blocks"][0] == pytest.approx(0.25)
    assert rows["blocks + all − blocks + aligned"] == [0, 0, 0]
