"""Score weights: a perfect picture is left to the frozen encoder, a poor one is not."""

import numpy as np
import pytest
import torch

from pipelines.fit import QUALITY_DEGREE, Trial, _powers, fit_mode, fit_scores
from tgfr_search.model.scoring import weight_at

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
    fitted = fit_scores(trial, {"fused": terms, "image": terms})

    def weight(mode: str, term: str, q: float) -> float:
        return float(weight_at(fitted.weights[mode][term], q))

    for mode in ("fused", "image"):
        assert weight(mode, "face", 1.0) > 1
        for term in ("adapted", "shared_face"):
            assert abs(weight(mode, term, 1.0)) < 1e-6
            assert weight(mode, term, 0.3) > 1


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
