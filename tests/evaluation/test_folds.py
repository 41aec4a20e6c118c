"""LFW's protocol: a fold is judged at a threshold that it had no part in choosing."""

import numpy as np
import pytest

from tgfr_search.evaluation.folds import best_threshold, fold_accuracy, fold_tar

YES, NO = True, False


def fold(genuine: list[float], impostor: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(genuine + impostor), np.array([YES] * len(genuine) + [NO] * len(impostor))


def test_the_threshold_lies_midway_between_the_classes() -> None:
    assert best_threshold(*fold([0.6, 0.9], [0.1, 0.4])) == pytest.approx(0.5)
    # 0.2 and 0.6 make one error each, 0.4 makes two.
    assert best_threshold(*fold([0.3, 0.7], [0.1, 0.5])) == pytest.approx(0.6)
    # Two errors at 0.2, 0.35 and 0.55, three elsewhere: the middle one.
    assert best_threshold(*fold([0.2, 0.4, 0.6], [0.3, 0.5])) == pytest.approx(0.35)


def test_accuracy_by_hand() -> None:
    """Folds 1 and 2 choose 0.5 for fold 3, where a genuine pair of 0.4 is then lost; and so on."""
    folds = [fold([0.8], [0.2]), fold([0.8], [0.2]), fold([0.4], [0.2])]
    # Fold 3 held out: threshold 0.5, accuracy 1/2. Others held out: 0.3, accuracy 1.
    figure = fold_accuracy(folds)
    assert figure.value == pytest.approx((1 + 1 + 0.5) / 3)
    assert figure.error == pytest.approx(np.std([1, 1, 0.5], ddof=1) / np.sqrt(3))


def test_a_fold_does_not_choose_its_own_threshold() -> None:
    """Every fold alone is separable, at thresholds that contradict each other: honest accuracy is a half."""
    folds = [fold([0.9] * 5, [0.6] * 5), fold([0.3] * 5, [0.1] * 5)]
    assert fold_accuracy(folds).value == 0.5


def test_tar_by_hand() -> None:
    rng = np.random.default_rng(0)
    impostors = [np.linspace(0, 1, 100) + 0.001 * rng.random(100) for _ in range(3)]
    folds = [fold([0.95, 0.5, 2.0, 2.0], list(own)) for own in impostors]
    figure = fold_tar(folds, 0.1)  # 200 impostors of the others: 20 may pass, so the threshold is about 0.9
    assert (figure.value, figure.error) == (0.75, 0.0)
    assert fold_tar(folds, 0.45).value == 0.75  # about 0.55
    assert fold_tar(folds, 0.55).value == 1.0  # about 0.45: the genuine pair of 0.5 gets in
    few = fold_tar(folds, 0.01)
    assert few.value is None
    assert "200 impostor pairs expect 2.0 false accepts" in few.reason


def test_one_fold_is_no_fold() -> None:
    one = [fold([0.8], [0.2])]
    assert fold_accuracy(one).value is None
    assert "one fold" in fold_tar(one, 0.1).reason
