"""End to end: what a lost image does to every figure, against the definition worked out pair by pair."""

import numpy as np
import pytest

from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.evaluation.protocol import one_set, two_sets
from tgfr_search.evaluation.whole import measure_whole

RNG = np.random.default_rng(7)


def vectors(owners: np.ndarray, dim: int = 16) -> np.ndarray:
    """Images near their subject's own direction, with a last column that is 1 as `dense_rows` has it."""
    centres = RNG.normal(size=(owners.max() + 1, dim))
    found = centres[owners] + 1.2 * RNG.normal(size=(len(owners), dim))
    return np.concatenate([found, np.ones((len(owners), 1))], axis=1).astype(np.float32)


def test_a_lost_image_is_a_false_non_match_and_a_miss_and_never_a_false_match() -> None:
    owners = np.repeat(np.arange(60), 4)
    images, roles = vectors(owners), one_set(owners, seed=0)
    lost = RNG.random(len(owners)) < 0.2
    assert lost[roles.gallery].any()
    found = measure_whole(images, images, lost, lost, roles, subject_weights(60, 0, 20))

    scores = (images @ images.T).astype(np.float64)
    scores[lost] = scores[:, lost] = -np.inf
    below = np.tril(np.ones_like(scores, bool), -1)
    same = owners[:, None] == owners[None, :]
    impostors, genuine = np.sort(scores[below & ~same])[::-1], scores[below & same]
    allowed = int(1e-3 * len(impostors))
    expected = float((genuine > impostors[allowed]).mean())
    assert found.figures["tar_at_far", 1e-3].value == pytest.approx(expected)

    to_gallery = scores[np.ix_(roles.searches, roles.gallery)]
    own = np.where(owners[roles.gallery][None, :] == owners[roles.searches][:, None], to_gallery, -np.inf).max(axis=1)
    ranks = np.where(np.isfinite(own), (to_gallery >= own[:, None]).sum(axis=1), 10**6)
    for k in (1, 5, 10):
        assert found.figures["rank", k].value == pytest.approx(float((ranks <= k).mean()))
    assert found.counts["n_probes"] == len(roles.searches)


def test_a_miss_is_a_miss_at_every_rank_of_a_gallery_of_three() -> None:
    owners = np.repeat(np.arange(3), 2)
    images, roles = vectors(owners), one_set(owners, seed=0)
    lost = np.zeros(6, bool)
    lost[[1, 2]] = True  # the first one's probe, the second one's template
    found = measure_whole(images, images, lost, lost, roles, subject_weights(3, 0, 20))
    assert found.figures["rank", 10].value == pytest.approx(1 / 3)
    assert found.figures["tar_at_far", 1e-3].value is None


def test_where_nothing_is_lost_the_figures_are_the_aligned_ones() -> None:
    from tgfr_search.evaluation.measures import measure

    owners, enrolled = np.repeat(np.arange(40), 3), np.arange(40)
    probes, templates = vectors(owners), vectors(enrolled)
    roles, weights = two_sets(owners, enrolled, seed=0), subject_weights(40, 0, 20)
    whole = measure_whole(probes, templates, np.zeros(120, bool), np.zeros(40, bool), roles, weights)
    aligned = measure(probes, templates, roles, weights)
    for key, figure in whole.figures.items():
        assert figure.value == aligned.figures[key].value, key
        assert (figure.low, figure.high) == (aligned.figures[key].low, aligned.figures[key].high), key


def test_where_everything_is_lost_nothing_is_found() -> None:
    owners = np.repeat(np.arange(60), 4)
    images, roles, lost = vectors(owners), one_set(owners, seed=0), np.ones(240, bool)
    found = measure_whole(images, images, lost, lost, roles, subject_weights(60, 0, 20))
    assert found.figures["rank", 10].value == 0
    assert found.figures["tar_at_far", 1e-3].value == 0
