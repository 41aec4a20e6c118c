"""One score: a query's inner product with a row, the same with its offset inside, and the sum of its weighted terms."""

from dataclasses import replace

import numpy as np
import pytest

from tgfr_search.errors import CheckpointError
from tgfr_search.model.blocks import BLOCKS, MODE_TERMS, TERMS, terms_of_step
from tgfr_search.model.probe import Probes, dense_rows, resolve_mode, rows_of, score, term_scores, weigh
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.types import FloatArray, Templates

LAYOUT = (("face", 5), ("shared_face", 4), ("caption", 4), ("fused", 3), ("description", 6), ("looks", 6))
ABSENT = {"adapted", "face_dlib", "adapted_dlib"}
"""Terms of blocks that this layout lacks."""
MODES = ("fused", "image", "caption", "fused", "image")


def templates(count: int, seed: int) -> Templates:
    rng = np.random.default_rng(seed)
    blocks = {name: rng.normal(size=(count, dim)).astype(np.float32) for name, dim in LAYOUT}
    return Templates({name: block / np.linalg.norm(block, axis=1, keepdims=True) for name, block in blocks.items()})


@pytest.fixture
def scoring() -> ScoreModel:
    """Weights of every term that the layout has, each a polynomial of its own."""
    rng = np.random.default_rng(3)
    there = [name for name in TERMS if name not in ABSENT]
    weights = {
        mode: {term: tuple(rng.uniform(0.1, 2, 3).tolist()) for term in terms if term in there}
        for mode, terms in MODE_TERMS.items()
    }
    return ScoreModel(weights, {"face": 0.7}, dict.fromkeys(MODE_TERMS, (0.5, -1.0)))


@pytest.fixture
def quality() -> FloatArray:
    return np.array([0.9, 0.2, 0.0, 0.4, 1.0], np.float32)


def test_a_score_by_hand() -> None:
    """w = 2 − q, c = 1 + 3q, m = ½, q = ½: 1.5·(0.6 − 0.5) + 2.5 = 2.65."""
    own = ScoreModel({"image": {"face": (2.0, -1.0)}}, {"face": 0.5}, {"image": (1.0, 3.0)})
    probe = Templates({"face": np.array([[1.0, 0.0]], np.float32)})
    row = Templates({"face": np.array([[0.6, 0.8]], np.float32)})
    made = weigh(probe, np.array([0.5], np.float32), ["image"], own, [("face", 2)])
    assert made.weights(0) == {"face": 1.5}
    assert made.queries.tolist() == [[1.5, 0.0]]
    assert made.offsets.tolist() == [1.75]  # 2.5 − 1.5·½
    assert score(made, rows_of(row, [("face", 2)])) == pytest.approx(np.array([[2.65]]), abs=1e-6)


def test_inner_products_dense_rows_and_weighted_terms_are_one_score(scoring: ScoreModel, quality: FloatArray) -> None:
    probes, gallery = templates(len(MODES), 0), templates(7, 1)
    made = weigh(probes, quality, MODES, scoring, LAYOUT)
    expected = score(made, rows_of(gallery, LAYOUT))
    assert made.dense() @ dense_rows(gallery, LAYOUT).T == pytest.approx(expected, abs=1e-4)
    terms = term_scores(probes.blocks, gallery.blocks)
    assert terms.keys() == TERMS.keys() - ABSENT
    for at, mode in enumerate(MODES):
        own = {name: values[at : at + 1] for name, values in terms.items()}
        summed = scoring.combine(mode, quality[at : at + 1], own) + made.offsets[at]
        assert summed == pytest.approx(expected[at : at + 1], abs=1e-4)
        # Σ_t w_t·(s_t − m_t) + c, as the score model is written.
        w = made.weights(at)
        said = sum(w[t] * (own[t] - scoring.centres.get(t, 0.0)) for t in w) + 0.5 - float(quality[at])
        assert said == pytest.approx(expected[at : at + 1], abs=1e-4)
    assert np.ptp(expected) > 1


def test_the_dimensions_of_a_layout_are_in_its_order(scoring: ScoreModel, quality: FloatArray) -> None:
    probes, gallery = templates(len(MODES), 0), templates(7, 1)
    other = LAYOUT[::-1]
    scores = [
        score(weigh(probes, quality, MODES, scoring, order), rows_of(gallery, order)) for order in (LAYOUT, other)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    mixed = score(weigh(probes, quality, MODES, scoring, LAYOUT), rows_of(gallery, other))
    assert np.abs(mixed - scores[0]).max() > 0.1


def test_parts_one_after_another_are_the_whole(scoring: ScoreModel, quality: FloatArray) -> None:
    probes = templates(len(MODES), 0)
    whole = weigh(probes, quality, MODES, scoring, LAYOUT)
    parts = [weigh(probes.take(at), quality[at], MODES[at], scoring, LAYOUT) for at in (slice(0, 2), slice(2, 5))]
    joined = Probes.concat(parts)
    assert joined.modes == whole.modes
    assert (joined.dense() == whole.dense()).all()
    assert (joined.quality == whole.quality).all()
    assert [joined.weights(at) for at in range(5)] == [whole.weights(at) for at in range(5)]


def test_a_face_alone_is_the_same_face_without_its_words(scoring: ScoreModel, quality: FloatArray) -> None:
    own = templates(len(quality), seed=3)
    said, silent = (weigh(own, quality, [mode] * len(quality), scoring, LAYOUT) for mode in ("fused", "image"))
    parts = Probes.concat([said.take(np.arange(2)), said.take(np.arange(2, 5))])
    for got in (said.alone(), silent.alone(), parts.alone()):
        assert got.modes == ("image",) * len(quality)
        assert (got.dense() == silent.dense()).all()
    assert not np.array_equal(said.queries, silent.queries)
    with pytest.raises(ValueError, match="found None"):
        replace(said, pictures=None).alone()


def test_an_absent_block_adds_nothing_but_the_offset(scoring: ScoreModel) -> None:
    silent = Templates({name: np.zeros((1, dim), np.float32) for name, dim in LAYOUT})
    made = weigh(silent, np.zeros(1, np.float32), ["caption"], scoring, LAYOUT)
    assert score(made, rows_of(templates(7, 1), LAYOUT)).tolist() == [[0.5] * 7]


def test_a_mode_has_the_terms_of_which_the_probe_has_a_side() -> None:
    for mode, source in (("image", "face"), ("caption", "words")):
        assert {TERMS[name].probe.source for name in MODE_TERMS[mode]} == {source}
    assert MODE_TERMS["fused"] == tuple(TERMS)
    assert TERMS["fused"].probe.source == "both"
    assert terms_of_step(0) == ("face", "adapted", "face_dlib", "adapted_dlib")
    assert terms_of_step(1) == ("shared_face", "caption", "caption_to_face", "face_to_caption")


def test_a_term_of_another_mode_is_refused() -> None:
    with pytest.raises(CheckpointError, match="score weights of mode 'image'"):
        ScoreModel({"image": {"caption": (1.0,)}}, {}, {"image": (0.0,)})


def test_names_titles_and_colours_are_told_apart() -> None:
    compared = {block for term in TERMS.values() for block in (term.probe.name, term.gallery.name)}
    assert compared == BLOCKS.keys() - {"attributes"}, "which statements alone read"
    assert len({block.colour for block in BLOCKS.values()}) == len(BLOCKS)
    assert len({block.title for block in BLOCKS.values()}) == len(BLOCKS)
    assert len({term.title for term in TERMS.values()}) == len(TERMS)


@pytest.mark.parametrize(
    ("mode", "image", "caption", "expected"),
    [
        ("auto", True, True, "fused"),
        ("fused", True, False, "image"),
        ("fused", False, True, "caption"),
        ("image", True, True, "image"),
        ("caption", True, True, "caption"),
        ("image", False, True, ""),
        ("caption", True, False, ""),
        ("auto", False, False, ""),
    ],
)
def test_what_a_mode_searches_with(mode: str, image: bool, caption: bool, expected: str) -> None:
    assert resolve_mode(mode, image, caption) == expected
