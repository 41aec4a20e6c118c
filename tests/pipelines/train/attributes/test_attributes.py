"""The attribute head: calibration, thresholds and figures against values derived by hand; what is said; its files."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.train.attributes.head import labels_of, platt, thresholds_of, train_attributes
from pipelines.train.attributes.options import AttributeOptions
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.evaluation.attributes import LEAST_STATED, attribute_figures, smallest_threshold
from tgfr_search.model.attribute_card import attribute_card
from tgfr_search.model.attribute_head import AttributeHead
from tgfr_search.model.attributes import SHIPPED, AttributeModel, load_attributes, save_attributes
from tgfr_search.options import DataOptions
from tgfr_search.strict import load_toml


@pytest.fixture(scope="module")
def shipped() -> AttributeModel:
    return load_attributes()


def test_the_smallest_threshold_with_the_precision() -> None:
    p = np.linspace(1.0, 0.01, 100)
    truth = np.arange(100) < 50  # right down to 0.51, then wrong
    at = smallest_threshold(p, truth, 0.8)
    assert at is not None
    assert truth[p >= at].mean() >= 0.8 > truth[: int((p >= at).sum()) + 1].mean()
    assert int((p >= at).sum()) == 62  # 50 of 62 are 0.806, 50 of 63 are 0.794
    assert smallest_threshold(p, ~truth, 0.8) is None
    few = np.arange(100) < LEAST_STATED - 1
    assert smallest_threshold(p, few, 1.0) is None  # right every time, but too seldom
    tied = np.full(40, 0.5)
    assert smallest_threshold(tied, np.arange(40) < 30, 0.75) == 0.5
    assert smallest_threshold(tied, np.arange(40) < 29, 0.75) is None  # tied faces are stated together or not at all


def test_what_may_be_said() -> None:
    options = AttributeOptions(name="x", precision=0.8, data=DataOptions(path="x"))
    p = np.linspace(1.0, 0.01, 100).astype(np.float32)
    truth = (np.arange(100) < 50).astype(np.float32)
    yes, no = thresholds_of("male", p, truth, options)
    assert yes == 0.5  # valid would allow 0.39, which is likelier untrue
    assert no is not None
    assert 0.49 < no < 0.5
    assert thresholds_of("bangs", p, truth, options)[1] is None  # nobody says "without bangs"
    assert thresholds_of("attractive", p, truth, options) == (None, None)
    assert thresholds_of("bald", p, 1 - truth, options) == (None, None)


def test_calibration_finds_the_scale() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 20_000).astype(np.float32)
    truth = (rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * logit - 1)))).astype(np.float32)
    truth[:100] = np.nan
    assert platt(logit, truth) == pytest.approx((0.5, -1.0), abs=0.05)
    assert platt(logit, np.zeros_like(truth))[1] < -2  # never seen: hardly likely, and finite


def test_figures_by_hand() -> None:
    names = list(ATTRIBUTES)
    p, truth = np.zeros((4, 40), np.float32), np.full((4, 40), np.nan, np.float32)
    at = names.index("bangs")
    p[:, at], truth[:, at] = [0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0]
    thresholds: dict[str, tuple[float | None, float | None]] = dict.fromkeys(names, (None, None))
    thresholds["bangs"] = (0.5, None)
    out = attribute_figures(p, truth, thresholds, dict.fromkeys(names, 0.5))
    assert out["balanced_accuracy"] == {"bangs": 0.75}
    assert out["mean_balanced_accuracy"] == 0.75
    assert out["precision"] == pytest.approx(2 / 3)
    assert out["recall"] == 1.0
    assert out["stated"] == 0.75
    # Bins 0.9, 0.6, 0.1 hold 1, 2, 1 faces: |0.9 − 1|, |0.6 − 0.5|, |0.1 − 0|, all 0.1.
    assert out["calibration_error"] == pytest.approx(0.1, abs=1e-6)


def test_only_what_is_sure_is_said(shipped: AttributeModel) -> None:
    p = np.full((2, 40), 0.5, np.float32)
    names = list(shipped.names)
    for name in names:
        yes, no = shipped.config["thresholds"][name]
        p[0, names.index(name)] = 0.0 if yes is None else yes
        p[1, names.index(name)] = 0.2 if no is None else no - 0.01
    said = shipped.stated(p)
    assert all(said[0].values())
    assert not {"attractive", "blurry"} & set(said[0])
    assert said[1] == {"male": False, "no_beard": False}
    lines = shipped.lines(p, ["ab" * 32, "cd" * 32])
    assert any("eyeglasses" in line for line in lines[0])
    assert all(" man" not in line and "He " not in line for line in lines[1])


def test_nothing_sure_says_nothing(shipped: AttributeModel) -> None:
    p = np.full((1, 40), 0.3, np.float32)
    thresholds = dict.fromkeys(shipped.names, (0.5, None))
    unsure = dataclasses.replace(shipped, config={**shipped.config, "thresholds": thresholds})
    assert unsure.lines(p, ["k"]) == [()]


def test_a_saved_model_says_the_same_and_a_changed_one_is_refused(shipped: AttributeModel, tmp_path: Path) -> None:
    config = {k: v for k, v in shipped.config.items() if k not in ("format", "model_id", "sha256")}
    model_id = save_attributes(tmp_path, shipped.head, config)
    assert model_id == shipped.model_id
    again = load_attributes(tmp_path)
    faces = FaceFeatures(torch.randn(5, 128), torch.randn(5, 256, 4, 4))
    assert np.array_equal(again.probabilities(faces), shipped.probabilities(faces))
    tree = json.loads((tmp_path / "attributes.json").read_text())
    tree["thresholds"]["bangs"] = [0.01, None]
    (tmp_path / "attributes.json").write_text(json.dumps(tree))
    with pytest.raises(CheckpointError, match="another digest"):
        load_attributes(tmp_path)
    with pytest.raises(CheckpointError, match="an attribute model"):
        load_attributes(tmp_path / "nothing")


def test_the_card_is_what_the_file_says(shipped: AttributeModel) -> None:
    assert (SHIPPED / "CARD.md").read_text(encoding="utf-8") == attribute_card(shipped.config)


def test_the_head_learns_and_ignores_the_vectors_length() -> None:
    torch.manual_seed(0)
    head = AttributeHead(8, (4, 2, 2), 2, channels=4, hidden=16, dropout=0.0)
    faces = FaceFeatures(torch.randn(256, 8), torch.randn(256, 4, 2, 2))
    wanted = torch.stack([faces.global_[:, 0] > 0, faces.regions[:, 1, 0, 1] > 0], dim=1).float()
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(150):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(head(faces), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    head.eval()
    assert float(((head(faces) > 0) == (wanted > 0.5)).float().mean()) > 0.95


def test_configuration() -> None:
    path = Path(__file__).resolve().parents[4] / "configs/attributes.toml"
    options = load_toml(path, AttributeOptions)
    assert load_attributes().config["name"] == options.name


def test_data_without_attributes_are_refused() -> None:
    class Chips:
        metadata = [{"site": "A"}]  # noqa: RUF012

    with pytest.raises(InputError, match="no attribute column"):
        labels_of(Chips())  # type: ignore[arg-type]
    Chips.metadata = [{"male": True}]
    row = labels_of(Chips())[0]  # type: ignore[arg-type]
    assert row[ATTRIBUTES.index("male")] == 1.0
    assert np.isnan(row[ATTRIBUTES.index("young")])


def test_training_end_to_end(demo: Path, tmp_path: Path) -> None:
    """The demo's people have attributes: a head trained on some of them is written, read, and describes the others."""
    import csv

    import pyarrow as pa
    import pyarrow.parquet as pq

    with (demo / "gallery/captions.csv").open(encoding="utf-8", newline="") as file:
        rows = list({row["image"]: row for row in csv.DictReader(file)}.values())
    columns: dict[str, list[object]] = {
        "image": [(demo / "gallery" / row["image"]).read_bytes() for row in rows],
        "file": [row["image"] for row in rows],
        "identity": [row["image"].split("/")[0] for row in rows],
        "split": ["valid" if row["image"] >= "person0008" else "train" for row in rows],
    }
    columns |= {name: [row[name] in ("True", "true", "1") for row in rows] for name in ATTRIBUTES if name in rows[0]}
    assert len(columns) > 20
    pq.write_table(pa.table(columns), tmp_path / "set.parquet")
    options = AttributeOptions(
        name="tiny", epochs=2, batch=4, hidden=8, channels=4, device="cpu",
        data=DataOptions(path=str(tmp_path / "set.parquet"), views=("original",), cache=str(tmp_path / "cache")),
    )  # fmt: skip
    out = train_attributes(options, tmp_path / "model", workers=0)
    model = load_attributes(tmp_path / "model")
    assert model.model_id == out["model_id"]
    assert f"# {model.model_id}" in (tmp_path / "model/CARD.md").read_text()
    p = model.probabilities(FaceFeatures(torch.randn(2, 128), torch.randn(2, 256, 4, 4)))
    assert p.shape == (2, 40)
    assert ((p >= 0) & (p <= 1)).all()
