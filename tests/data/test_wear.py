"""Degradations for training: repeatable, each one does what its name says, and nothing is done by none."""

import numpy as np
import pytest

from tgfr_search.data.wear import Wear, random_wear, wear_photo

EYES = np.array([[36.0, 44.0], [60.0, 44.0]], np.float32)


@pytest.fixture
def photo() -> np.ndarray:
    y, x = np.mgrid[:96, :96]
    waves = np.stack([np.sin(x / 5) * np.cos(y / 7), np.sin(x / 3 + 1), np.cos(y / 4) * np.sin(x / 9)], axis=-1)
    return np.rint(127.5 + 110 * waves).astype(np.uint8)


def worn(photo: np.ndarray, wear: Wear, key: str = "k", seed: int = 0) -> np.ndarray:
    return wear_photo(photo, EYES, wear, key=key, seed=seed)


def test_no_wear_leaves_the_photo_as_it_is(photo: np.ndarray) -> None:
    before = photo.copy()
    assert np.array_equal(worn(photo, Wear()), photo)
    worn(photo, Wear(cover=(-0.5, -0.5, 1.0, 1.0, 0.0)))
    assert np.array_equal(photo, before), "the photo that was given is not written to"


def test_the_draw_depends_on_key_and_seed_alone(photo: np.ndarray) -> None:
    assert random_wear("a") == random_wear("a")
    assert len({random_wear(key, seed) for key in "abc" for seed in (0, 1)}) == 6
    wear = Wear(noise=5.0)
    assert np.array_equal(worn(photo, wear), worn(photo, wear))
    assert not np.array_equal(worn(photo, wear), worn(photo, wear, key="other"))
    assert not np.array_equal(worn(photo, wear), worn(photo, wear, seed=1))


def test_grey_and_covered_and_dark(photo: np.ndarray) -> None:
    grey = worn(photo, Wear(colour=0.0)).astype(int)
    assert np.ptp(grey, axis=2).max() <= 1
    assert worn(photo, Wear(exposure=-1.0)).mean() < photo.mean()
    # A box of one eye distance (24 px) square, its corner in the middle between the eyes (48, 44).
    covered = worn(photo, Wear(cover=(0.0, 0.0, 1.0, 1.0, 7.0)))
    assert (covered[44:68, 48:72] == 7).all()
    assert np.array_equal(covered[:44], photo[:44])


@pytest.mark.parametrize("wear", [Wear(focus=2.0), Wear(motion=4.0, angle=0.0), Wear(blur=1.5), Wear(side=20)])
def test_blur_takes_away_detail(photo: np.ndarray, wear: Wear) -> None:
    def detail(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())

    fine = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    assert detail(worn(fine, wear)) < 0.8 * detail(fine)


def test_interlaced_lines_come_from_a_moved_picture(photo: np.ndarray) -> None:
    out = worn(photo, Wear(interlace=2.0))
    assert np.array_equal(out[::2], photo[::2])
    assert np.array_equal(out[1::2, 2:], photo[1::2, :-2])


def test_every_draw_gives_a_picture_of_the_same_shape(photo: np.ndarray) -> None:
    outs = [worn(photo, random_wear(str(n)), key=str(n)) for n in range(60)]
    assert all(out.shape == photo.shape and out.dtype == np.uint8 for out in outs)
    assert len({out.tobytes() for out in outs}) == 60
