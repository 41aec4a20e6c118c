"""Verdicts by hand: what a face shows against what is said of it."""

import numpy as np
import pytest

from pipelines.search.answers.card import card_text, compared, compared_text, counted_text, verdict
from tgfr_search.model.loaded import FaceTextModel


@pytest.mark.parametrize(
    ("p", "expected"),
    [(1.0, "agrees"), (0.8, "agrees"), (0.79, "cannot be seen"), (0.21, "cannot be seen"), (0.0, "contradicts")],
)
def test_a_verdict(p: float, expected: str) -> None:
    assert verdict(p) == expected


def test_a_denial_agrees_with_a_face_that_does_not_show_it() -> None:
    card = {"eyeglasses": 0.03, "male": 0.99, "bangs": 0.5}
    said = compared({"eyeglasses": -1.0, "male": -0.5, "bangs": 1.0, "long_hair": 1.0}, card)
    assert [(own["attribute"], own["as_stated"], own["verdict"]) for own in said] == [
        ("eyeglasses", 0.97, "agrees"), ("male", 0.01, "contradicts"), ("bangs", 0.5, "cannot be seen"),
    ]  # fmt: skip
    assert [(own["holds"], own["sure"]) for own in said] == [(False, 1.0), (False, 0.5), (True, 1.0)]
    assert [own["mark"] + " " + own["text"] for own in compared_text(said)] == [
        "✓ not eyeglasses 0.97", "✗ not male 0.01", "? bangs 0.50",
    ]  # fmt: skip
    assert counted_text(said) == "agrees 1, contradicts 1, unseen 1"
    assert counted_text([]) == ""
    assert card_text(card) == "male 0.99"
    assert card_text(None) == ""


def test_the_shipped_directions_tell_probabilities_of_every_attribute(model: FaceTextModel) -> None:
    own = model.directions
    assert own is not None
    blocks = {name: np.zeros((1, own.weights[name].shape[1]), np.float32) for name in own.blocks}
    p = own.probabilities(blocks, np.ones(1))[0]
    assert len(own.attributes) == 40
    assert ((p > 0) & (p < 1)).all()
