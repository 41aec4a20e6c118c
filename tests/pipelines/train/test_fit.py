"""Score weights: a perfect picture is left to the frozen encoder, a poor one is not."""

import numpy as np
import pytest
import torch

from pipelines.train.score_weights import QUALITY_DEGREE, _powers, fit_mode, fit_scores
from pipelines.train.trial import Trial
from tgfr_search.model.scoring import ScoreModel, weight_at

PEOPLE = 60


def test_trained_weights_fade_with_quality_and_those_of_the_frozen_encoder_need_not() -> None:
    """Searches at two levels: the face tells everybody apart at the first, the two other blocks at both."""
    rng = np.random.default_rng(0)
    mate = np.tile(np.arange(PEOPLE), 2)
    same = np.eye(PEOPLE, dtype=np.float32)[mate]
    level = np.repeat([0, 1], PEOPLE)
    noise = rng.normal(size=(3, 2 * PEOPLE, PEOPLE)).astype(np.float32) * 0.3
    scores = np.stack([same * (level == 0)[:, None] + noise[0], same + noise[1], same + noise[2]], axis=2)
    quality = torch.from_numpy(np.where(level == 0, 0.98, 0.3).astype(np.float32))
    terms = ("face", "adapted", "shared_face")
    trial = Trial(torch.from_numpy(scores), quality, torch.from_numpy(mate), level, terms)
    fitted = fit_scores(trial, modes={"fused": terms, "image": terms})

    def weight(mode: str, term: str, q: float) -> float:
        return float(weight_at(fitted.weights[mode][term], q))

    for mode in ("fused", "image"):
        assert weight(mode, "face", 1.0) > 1
        for term in ("adapted", "shared_face"):
            assert abs(weight(mode, term, 1.0)) < 1e-6
            assert weight(mode, term, 0.3) > 1


def test_words_weigh_what_they_are_worth_over_all_trials_and_pictures_what_they_did() -> None:
    rng = np.random.default_rng(1)
    same = np.eye(PEOPLE, dtype=np.float32)

    def trial(worth: float) -> Trial:
        face = 0.4 * same + 0.3 * np.random.default_rng(2).normal(size=(PEOPLE, PEOPLE)).astype(np.float32)
        words = worth * same + 0.3 * rng.normal(size=(PEOPLE, PEOPLE)).astype(np.float32)
        scores = torch.from_numpy(np.stack([face, words], axis=2))
        return Trial(scores, torch.full((PEOPLE,), 0.5), torch.arange(PEOPLE), np.zeros(PEOPLE, np.int64), terms)

    terms = ("face", "description")
    modes = {"fused": terms, "image": ("face",)}
    one, three = trial(0.1), trial(0.8)
    alone, both = fit_scores(one, modes=modes), fit_scores(one, three, modes=modes)

    def weight(fitted: ScoreModel) -> float:
        return float(weight_at(fitted.weights["fused"]["description"], 0.5))

    assert 0 <= weight(alone) < weight(both) < weight(fit_scores(three, modes=modes))
    assert alone.weights["image"] == both.weights["image"]


def test_a_system_without_the_frozen_face_does_not_fade() -> None:
    scores = torch.eye(4)[:, :, None] + 0.1 * torch.rand(4, 4, 1, generator=torch.Generator().manual_seed(0))
    trial = Trial(scores, torch.full((4,), 0.9), torch.arange(4), np.zeros(4, np.int64), ("shared_face",))
    own = fit_mode(trial, ("shared_face",), {}, True)[0]["shared_face"]
    assert weight_at(own, 1.0) > 0.1
    assert len(own) == QUALITY_DEGREE + 1


def test_bernstein_coefficients_as_powers() -> None:
    """w = 2·(1 − q)² + 3·2q(1 − q) + 5·q² = 2 + 2q + q²; a constant in any degree is itself."""
    assert _powers(np.array([2.0, 3.0, 5.0], np.float32)) == pytest.approx((2.0, 2.0, 1.0))
    assert _powers(np.array([4.0, 4.0, 4.0], np.float32)) == pytest.approx((4.0, 0.0, 0.0))
    assert _powers(np.array([1.5], np.float32)) == pytest.approx((1.5,))


def test_one_sentence_for_all_weighs_nothing_though_it_prefers_some_faces() -> None:
    rng = np.random.default_rng(0)
    face = 0.4 * np.eye(PEOPLE, dtype=np.float32) + 0.3 * rng.normal(size=(PEOPLE, PEOPLE)).astype(np.float32)
    liked = 0.5 * rng.normal(size=(1, PEOPLE)) + 1e-5 * rng.normal(size=(PEOPLE, PEOPLE))  # rounding differs a little
    nothing = 1 + 6e-8 * rng.integers(2, size=(PEOPLE, PEOPLE))
    terms = ("face", "description_to_face", "caption")
    scores = torch.from_numpy(np.stack([face, liked, nothing], axis=2).astype(np.float32))
    trial = Trial(scores, torch.full((PEOPLE,), 0.5), torch.arange(PEOPLE), np.zeros(PEOPLE, np.int64), terms)
    fitted = fit_scores(trial, modes={"fused": terms, "caption": terms[1:]})
    assert set(fitted.weights["fused"]["description_to_face"] + fitted.weights["fused"]["caption"]) == {0.0}
    assert set(fitted.weights["caption"]["description_to_face"]) == {0.0}
    assert float(weight_at(fitted.weights["fused"]["face"], 0.5)) > 0
