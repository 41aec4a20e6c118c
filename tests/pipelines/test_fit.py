"""Score weights: a perfect picture is left to the face encoder, a poor one is not."""

import numpy as np
import torch

from pipelines.fit import Trial, fit_mode, fit_scores

PEOPLE = 60


def test_trained_weights_fade_with_quality_and_those_of_the_face_encoder_need_not() -> None:
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
        a, b = fitted.weights[mode][term]
        return a + b * q

    for mode in ("fused", "image"):
        assert abs(weight(mode, "shared_face", 1.0)) < 1e-6
        assert weight(mode, "face", 1.0) > 1
        assert weight(mode, "adapted", 1.0) > 1
        assert weight(mode, "shared_face", 0.3) > 1


def test_a_system_without_the_frozen_face_does_not_fade() -> None:
    scores = torch.eye(4)[:, :, None] + 0.1 * torch.rand(4, 4, 1, generator=torch.Generator().manual_seed(0))
    trial = Trial(scores, torch.full((4,), 0.9), torch.arange(4), np.zeros(4, np.int64), ("shared_face",))
    a, b = fit_mode(trial, ("shared_face",), {}, True)[0]["shared_face"]
    assert a + b > 0.1
