"""Score weights: what refining may change, and that a good picture does not pay for the poor ones."""

import numpy as np
import pytest
import torch

from pipelines.fit import Trial, _figures, refine_scores
from tgfr_search.model.scoring import ScoreModel

PEOPLE = 60


@pytest.fixture
def trial() -> Trial:
    """Two levels of searches: the face tells all apart at the first, nobody at the second; `fused` the reverse."""
    rng = np.random.default_rng(0)
    mate = np.tile(np.arange(PEOPLE), 2)
    same = np.eye(PEOPLE, dtype=np.float32)[mate]
    level = np.repeat([0, 1], PEOPLE)
    noise = rng.normal(size=(3, 2 * PEOPLE, PEOPLE)).astype(np.float32) * 0.2
    face = same * (level == 0)[:, None] + noise[0]
    fused = same * (level == 1)[:, None] + noise[1]
    scores = np.stack([face, fused, 5 * noise[2]], axis=2)
    quality = torch.from_numpy(np.where(level == 0, 1.0, 0.3).astype(np.float32))
    return Trial(torch.from_numpy(scores), quality, torch.from_numpy(mate), level, ("face", "fused", "caption"))


def test_refining_costs_good_pictures_nothing_and_helps_the_poor_ones(trial: Trial) -> None:
    fitted = {"face": (1.0, 0.0), "fused": (0.5, 0.0), "caption": (1.0, 0.0)}
    image = {"face": (1.0, 0.0)}
    scores = ScoreModel({"fused": fitted, "image": image}, {}, {"fused": (0.0, 0.0), "image": (0.0, 0.0)})
    refined = refine_scores(trial, scores)
    before, after = (_figures(trial, s.weights["fused"], {}, (0.0, 0.0)) for s in (scores, refined))
    frozen = _figures(trial, image, {}, (0.0, 0.0))
    assert before[0, 0] < frozen[0, 0], "the noise does harm to begin with"
    assert (after[0] >= frozen[0]).all()
    assert after[1].mean() > before[1].mean()
    assert refined.weights["fused"]["caption"] == (0.0, 0.0), "noise weighs nothing"
    assert refined.weights["image"] == image


def test_rank_1_and_tar_by_hand() -> None:
    """Three searches among three people: two mates first; one impostor score may be accepted at most, none at 1e-3."""
    scores = torch.tensor([[[0.9], [0.1], [0.2]], [[0.3], [0.8], [0.0]], [[0.7], [0.1], [0.6]]])
    level = np.zeros(3, np.int64)
    trial = Trial(scores, torch.ones(3), torch.arange(3), level, ("face",))
    (figures,) = _figures(trial, {"face": (1.0, 0.0)}, {}, (0.0, 0.0))
    assert figures == pytest.approx([2 / 3, 2 / 3])  # accepted are the mates above 0.7, the highest impostor
