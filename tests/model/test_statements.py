"""Directions of attributes: linear in the row, exact shares, kept and bound to their model."""

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
    """Row (0.6, 0.8 | looks 1): z = 2·0.6 − 0.5 = 0.7 and 4 − 1 = 3; ½·(−1·0.7 + ½·3) = 0.4."""
    row = Templates({"face": np.array([[0.6, 0.8]], np.float32), "caption": np.array([[0, 1]], np.float32),
                     "looks": np.ones((1, 1), np.float32)})  # fmt: skip
    assert own.seen(row.blocks) == pytest.approx(np.array([[0.7, 3.0]]))
    stated = own.stated([{"eyeglasses": -1.0, "male": 0.5}], ["caption"], LAYOUT)
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
    stated = own.stated([{"male": 1.0}, {"male": 1.0}], ["fused", "caption"], LAYOUT)
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
    assert own.claims(lines[:1]) == {}
    assert own.claims(lines[1:2]) == {"male": -1.0, "eyeglasses": 1.0}
    assert own.claims(lines[2:]) == {"male": 1.0}  # no direction tells bald
    assert own.claims(("a man", "not a man")) == {}  # contradicts itself
    assert own.heard(lines) == ("This man wears eyeglasses.", ", with glasses", "a bald man")
    assert own.heard(("no glasses",)) == ()


def test_directions_are_kept_and_belong_to_one_model(own: Directions, tmp_path: Path) -> None:
    path = write_directions(tmp_path / "m" / "statements", own)
    read = read_directions(path.parent, CONTRACT)
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
