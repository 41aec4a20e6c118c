"""What words add, and what a stated prior makes of likelihood ratios."""

from __future__ import annotations

import numpy as np
import pytest

from tgfr_search.errors import InputError
from tgfr_search.forensic.words import increment, mixture, posterior, rivals


def test_an_unreliable_witness_leaves_the_picture() -> None:
    fused, image = np.array([3.0, -2.0]), np.array([1.0, 1.0])
    assert mixture(fused, image, 0.0) == pytest.approx(image)
    assert mixture(fused, image, 1.0) == pytest.approx(fused)
    assert mixture(fused, image, 0.8) == pytest.approx(np.log10([0.8 * 1000 + 2, 0.8 * 0.01 + 2]))


def test_words_that_contradict_cost_at_most_what_the_witness_may_err() -> None:
    image = np.array([2.0])
    assert increment(mixture(np.array([-300.0]), image, 0.8), image)[0] == pytest.approx(np.log10(0.2))


@pytest.mark.parametrize("r", [-0.1, 1.1, float("nan")])
def test_a_reliability_out_of_range_is_refused(r: float) -> None:
    with pytest.raises(InputError, match="reliability"):
        mixture(np.zeros(1), np.zeros(1), r)


def test_the_posterior_is_bayes_rule() -> None:
    told = posterior(np.array([2.0, 0.0, -1.0]), 0.3)
    weights = np.array([0.1 * 100, 0.1 * 1, 0.1 * 0.1, 0.7])
    assert [*told.candidates, told.nobody] == pytest.approx(list(weights / weights.sum()))


@pytest.mark.parametrize("prior", [0.0, 1.0, 1.2])
def test_a_prior_that_is_none_is_refused(prior: float) -> None:
    with pytest.raises(InputError, match="prior"):
        posterior(np.array([1.0]), prior)


def test_nobody_and_nan_are_refused() -> None:
    with pytest.raises(InputError, match="no candidate"):
        posterior(np.empty(0), 0.5)
    with pytest.raises(InputError, match="NaN"):
        posterior(np.array([np.nan]), 0.5)


def test_rivals_lie_within_a_factor_of_ten() -> None:
    assert rivals(np.array([2.5, 1.6, 1.4, 3.0]), 0).tolist() == [False, True, False, True]
