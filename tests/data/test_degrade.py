from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tgfr_search.data.degrade import (
    CHIP_PER_EYES,
    LADDER,
    Degradation,
    degrade,
    degrade_photo,
    random_degradation,
)
from tgfr_search.faces.align import DLIB_CHIP
from tgfr_search.faces.quality import inter_eye_px
from tgfr_search.types import ByteArray

LEVELS = ("normal", "poor", "bad", "very_bad")


def chip(seed: int = 0) -> ByteArray:
    """Something like a face in its spectrum: noise of every coarseness, [150, 150, 3]."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.normal(0, 25, (size, size, 3)), (150, 150), interpolation=cv2.INTER_CUBIC)
        for size in (3, 8, 20, 60, 150)
    ]
    return np.clip(128 + sum(layers), 0, 255).astype(np.uint8)


def distance(a: ByteArray, b: ByteArray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_the_ladder_is_the_protocols() -> None:
    assert tuple(LADDER) == LEVELS
    assert [level.side for level in LADDER.values()] == [None, 28, 20, 14]
    noise = [level.noise for level in LADDER.values()]
    quality = [level.jpeg or 100 for level in LADDER.values()]
    assert noise == sorted(set(noise))
    assert quality == sorted(set(quality), reverse=True)


def test_normal_changes_nothing() -> None:
    assert np.array_equal(degrade(chip(), "normal", key="a"), chip())


@pytest.mark.parametrize("seed", range(5))
def test_each_level_is_worse_than_the_one_before(seed: int) -> None:
    original = chip(seed)
    away = [distance(original, degrade(original, level, key=str(seed))) for level in LEVELS]
    assert away == sorted(set(away))


def test_same_key_level_and_seed_same_picture() -> None:
    original = chip()
    first = degrade(original, "bad", key="a", seed=1)
    for key in "bcd":  # whatever was degraded between
        degrade(original, "bad", key=key)
    assert np.array_equal(degrade(original.copy(), "bad", key="a", seed=1), first)
    for other in (degrade(original, "bad", key="b", seed=1), degrade(original, "bad", key="a", seed=2)):
        assert not np.array_equal(other, first)


def test_same_picture_in_another_process() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(degrade, chip(), random_degradation("k", 3), key="k", seed=3).result()
    assert np.array_equal(there, degrade(chip(), random_degradation("k", 3), key="k", seed=3))


def test_the_noise_of_two_levels_is_not_the_same() -> None:
    grey = np.full((150, 150, 3), 128, np.uint8)
    one, two = (degrade(grey, Degradation(name, noise=8.0), key="a").astype(float) for name in ("one", "two"))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.02


def test_pixels_are_averaged_by_hand() -> None:
    """[4, 4] to [2, 2]: each coarse pixel is the mean of four, and the cubic enlargement passes through their means."""
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, :2] = [[[40], [80]], [[120], [160]]]
    expected = cv2.resize(np.array([[100.0, 0], [0, 0]]), (4, 4), interpolation=cv2.INTER_CUBIC)
    result = degrade(picture, Degradation("x", side=2), key="a")
    np.testing.assert_allclose(result[..., 0], np.clip(expected, 0, 255), atol=1.0)


def test_noise_has_its_sigma() -> None:
    grey = np.full((150, 150, 3), 128, np.uint8)
    result = degrade(grey, Degradation("x", noise=8.0), key="a").astype(float)
    assert result.std() == pytest.approx(8.0, rel=0.02)
    assert result.mean() == pytest.approx(128.0, abs=0.2)


def test_light() -> None:
    """A stop is a factor of 2 in light, 2^(1/2.2) in the stored value: 200 → 145.9; gamma 2: 255·(200/255)² = 156.9."""
    bright = np.full((10, 10, 3), 200, np.uint8)
    assert (degrade(bright, Degradation("x", exposure=-1.0), key="a") == 146).all()
    assert (degrade(bright, Degradation("x", gamma=2.0), key="a") == 157).all()
    assert (degrade(bright, Degradation("x", exposure=3.0), key="a") == 255).all()


@pytest.mark.parametrize(("angle", "along"), [(0.0, 1), (90.0, 0)])
def test_motion_smears_along_its_direction(angle: float, along: int) -> None:
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 252
    smeared = degrade(point, Degradation("x", motion=8.0, angle=angle), key="a")[..., 0].astype(int)
    spread = np.flatnonzero(smeared.sum(axis=1 - along))
    assert (spread.min(), spread.max()) == (11, 19)
    assert np.flatnonzero(smeared.sum(axis=along)).tolist() == [15]
    assert smeared.sum() == pytest.approx(252, abs=9)


def test_motion_is_counted_in_coarse_pixels() -> None:
    """4 coarse pixels at half the resolution are 8 of the chip: smear first, then reduce."""
    original = chip()
    smeared = degrade(original, Degradation("x", motion=8.0, angle=30.0), key="a")
    expected = degrade(smeared, Degradation("x", side=75), key="a")
    result = degrade(original, Degradation("x", side=75, motion=4.0, angle=30.0), key="a")
    assert np.abs(result.astype(int) - expected).max() <= 2  # `smeared` was rounded on its way


def test_blur_is_counted_in_coarse_pixels() -> None:
    """The optics of one camera: blur 0.5 at 30 px is sigma 2.5 in the chip of 150."""
    original = chip()
    soft = np.asarray(cv2.GaussianBlur(original.astype(np.float32), (0, 0), 2.5, borderType=cv2.BORDER_REPLICATE))
    expected = cv2.resize(
        np.rint(cv2.resize(soft, (30, 30), interpolation=cv2.INTER_AREA)), (150, 150), interpolation=cv2.INTER_CUBIC
    )
    result = degrade(original, Degradation("x", side=30, blur=0.5), key="a")
    assert np.abs(result - np.clip(expected, 0, 255)).max() <= 1.0


def test_jpeg_at_falling_quality() -> None:
    original = chip()
    away = [distance(original, degrade(original, Degradation("x", jpeg=quality), key="a")) for quality in (95, 60, 20)]
    assert 0 < away[0] < away[1] < away[2]


def test_random_parameters_cover_the_ladder_and_more() -> None:
    draws = [random_degradation(str(i)) for i in range(1000)]
    assert draws[7] == random_degradation("7")
    assert draws[7] != random_degradation("7", seed=1)
    for name, low, high in [
        ("side", 10, 60),
        ("blur", 0.0, 1.0),
        ("noise", 0.0, 16.0),
        ("jpeg", 20, 95),
        ("exposure", -1.0, 0.7),
        ("motion", 0.0, 3.0),
    ]:
        values = [getattr(draw, name) for draw in draws]
        room = (high - low) / 20
        assert low <= min(values) <= low + room
        assert high - room <= max(values) <= high
    assert degrade(chip(), draws[0], key="0").shape == (150, 150, 3)


def test_a_level_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        degrade(chip(), "awful", key="a")


# --- whole photos -------------------------------------------------------------------------------------------------


def test_photo_and_chip_meet_the_same_fate() -> None:
    """A photo that is nothing but the chip: the same scale, so the same picture."""
    assert pytest.approx(DLIB_CHIP.size / inter_eye_px(DLIB_CHIP.points), abs=0.001) == CHIP_PER_EYES
    for level in LEVELS:
        photo = degrade_photo(chip(), 150 / CHIP_PER_EYES, level, key="a")
        assert np.array_equal(photo, degrade(chip(), level, key="a"))


def test_photo_keeps_its_size_and_a_small_face_is_not_enlarged() -> None:
    photo = np.tile(chip(), (2, 3, 1))[:, :401]
    assert degrade_photo(photo, 40.0, "bad", key="a").shape == photo.shape
    still = replace(LADDER["bad"], noise=0.0, jpeg=None, blur=1.0)
    assert np.array_equal(degrade_photo(photo, 5.0, still, key="a"), degrade(photo, replace(still, side=None), key="a"))
    assert degrade_photo(photo[:1, :1], 900.0, "very_bad", key="a").shape == (1, 1, 3)
