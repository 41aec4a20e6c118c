"""Directions of attributes: linear in the row, exact shares, kept and bound to their model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tgfr_search.errors import CheckpointError
from tgfr_search.model.probe import rows_of, score, weigh
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.statements import Directions, Stated, read_directions, write_directions
from tgfr_search.types import Templates
from tgfr_search.words.phrasing import word_pairs

LAYOUT = (("face", 2), ("caption", 2), ("looks", 1))
CONTRACT = {"weights_sha256": "w" * 64, "face_encoder_sha256": "f" * 64}


@pytest.fixture
def own() -> Directions:
    """Glasses are the first number of the face, the sex is the look."""
    return Directions(
        ("eyeglasses", "male"),
        ("face", "looks"),
        {"face": np.array([[2, 0], [0, 0]], np.float32), "looks": np.array([[0], [4]], np.float32)},
        np.array([0.5, 1.0], np.float32),
        np.array([0.1, 0.5], np.float32),
        np.array([[1, 0, 0, 0], [1, 1, -1, 2]], np.float32),
        {"caption": 0.5},
        frozenset(word_pairs("This man wears eyeglasses.")),
        {**CONTRACT, "model_id": "m"},
    )


def test_a_statement_by_hand(own: Directions) -> None:
    """Row (0.6, 0.8 | looks 1): z = 2·0.6 − 0.5 = 0.7 and 4 − 1 = 3; −½·0.7 + ¼·3 = 0.4."""
    row = Templates({"face": np.array([[0.6, 0.8]], np.float32), "caption": np.array([[0, 1]], np.float32),
                     "looks": np.ones((1, 1), np.float32)})  # fmt: skip
    assert own.seen(row.blocks) == pytest.approx(np.array([[0.7, 3.0]]))
    stated = own.stated([{"eyeglasses": -0.5, "male": 0.25}], LAYOUT)
    rows = rows_of(row, LAYOUT)
    assert rows @ stated.queries[0] + stated.offsets[0] == pytest.approx(np.array([0.4]))
    scoring = ScoreModel({"caption": {"caption": (1.0,)}}, {}, {"caption": (0.25,)})
    probe = Templates({"face": np.zeros((1, 2), np.float32), "caption": np.array([[0, 1]], np.float32),
                       "looks": np.zeros((1, 1), np.float32)})  # fmt: skip
    none = weigh(probe, np.zeros(1, np.float32), ["caption"], scoring, LAYOUT)
    made = weigh(probe, np.zeros(1, np.float32), ["caption"], scoring, LAYOUT, stated)
    assert score(none, rows) == pytest.approx(np.array([[1.25]]))
    assert score(made, rows) == pytest.approx(np.array([[1.65]]))
    assert (made.stated.queries == stated.queries).all()


def test_a_mode_without_a_weight_hears_no_statements(own: Directions) -> None:
    stated = own.stated([own.claims(("a male", "a bald man"), mode) for mode in ("fused", "caption")], LAYOUT)
    assert not stated.queries[0].any()
    assert stated.offsets.tolist() == [0.0, -0.5]
    assert (Stated.concat([stated, stated]).take(np.array([3, 0])).queries == stated.queries[[1, 0]]).all()


def test_probabilities_follow_the_quality(own: Directions) -> None:
    blocks = {"face": np.array([[0.25, 0]], np.float32), "looks": np.full((1, 1), 0.5, np.float32)}
    good, bad = (own.probabilities(blocks, np.array([q]))[0] for q in (1.0, 0.0))
    assert good.tolist() == pytest.approx([0.5, 1 / (1 + np.exp(-3))])  # (1 + 1)·1 − 1 + 2
    assert bad.tolist() == pytest.approx([0.5, 0.5])  # 1·1 − 1


def test_the_text_encoder_keeps_the_lines_that_it_was_taught(own: Directions) -> None:
    lines = ("This man wears eyeglasses.", "not a man, with glasses", "a bald man")
    assert own.unfamiliar(lines) == (1, 2)
    assert own.claims(lines[:1], "caption") == {}
    assert own.claims(lines[1:2], "caption") == {"male": -0.5, "eyeglasses": 0.5}
    assert own.claims(lines[2:], "caption") == {"male": 0.5}  # no direction tells bald
    assert own.claims(("a man", "not a man"), "caption") == {}  # contradicts itself
    assert own.heard(lines) == ("This man wears eyeglasses.", ", with glasses", "a bald man")
    assert own.heard(("no glasses",)) == ()


def test_a_line_in_the_phrasing_that_was_taught_weighs_what_is_left_to_say(own: Directions) -> None:
    heard = replace(own, familiar={"caption": 0.1, "fused": 0.2})
    lines = ("This man wears eyeglasses.", "not a man")
    assert heard.claims(lines[:1], "caption") == pytest.approx({"male": 0.1, "eyeglasses": 0.1})
    assert heard.claims(lines[:1], "fused") == pytest.approx({"male": 0.2, "eyeglasses": 0.2})
    assert heard.claims(("This man wears eyeglasses.", "with glasses"), "caption") == pytest.approx(
        {"male": 0.1, "eyeglasses": 0.5}
    )
    assert heard.claims(lines, "caption") == pytest.approx({"eyeglasses": 0.1})  # they contradict each other


def test_what_other_claims_tell_already_counts_less(own: Directions) -> None:
    """Σ + 0.3 = ((1.3, 0.6), (0.6, 1.3)), its determinant 1.33; weights (Σ + 0.3)⁻¹·1.3·claims."""
    together = replace(own, covariance=np.array([[1, 0.6], [0.6, 1]], np.float32))
    assert together.weights_of({"male": 1.0}) == {"male": 1.0}
    assert own.weights_of({"male": 1.0, "eyeglasses": 1.0}) == {"male": 1.0, "eyeglasses": 1.0}
    both = together.weights_of({"male": 1.0, "eyeglasses": 1.0})
    assert both == pytest.approx({"male": 1.3 * 0.7 / 1.33, "eyeglasses": 1.3 * 0.7 / 1.33})
    apart = together.weights_of({"male": 1.0, "eyeglasses": -1.0})
    assert apart == pytest.approx({"male": 1.3 * 1.9 / 1.33, "eyeglasses": -1.3 * 1.9 / 1.33})
    turned = together.weights_of({"male": 1.0, "eyeglasses": 0.1})  # 0.13 − 0.6 would speak against glasses
    assert turned == pytest.approx({"male": 1.3 * (1.3 - 0.06) / 1.33, "eyeglasses": 0.0})
    assert together.digest != own.digest


def test_directions_are_kept_and_belong_to_one_model(own: Directions, tmp_path: Path) -> None:
    own = replace(own, familiar={"fused": 0.1}, covariance=np.array([[1, 0.5], [0.5, 1]], np.float32))
    path = write_directions(tmp_path / "m" / "statements", own)
    read = read_directions(path.parent, CONTRACT)
    assert (read.familiar, read.covariance.tolist()) == (own.familiar, own.covariance.tolist())
    assert (read.attributes, read.blocks, read.strength, read.known) == (
        own.attributes, own.blocks, own.strength, own.known,
    )  # fmt: skip
    assert (read.weights["face"] == own.weights["face"]).all()
    assert (read.calibration == own.calibration).all()
    with pytest.raises(CheckpointError, match="fit-statements"):
        read_directions(path.parent, {**CONTRACT, "weights_sha256": "x" * 64})
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CheckpointError):
        read_directions(path.parent, CONTRACT)


def test_an_index_without_their_blocks_is_refused(own: Directions) -> None:
    with pytest.raises(CheckpointError, match="looks"):
        own.placed((("face", 2), ("caption", 2)))
