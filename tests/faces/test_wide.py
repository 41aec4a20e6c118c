"""The wide chip and the chips that are cut from it are those that a photo gives by itself."""

import numpy as np
import pytest

from tgfr_search.data.degrade import degrade
from tgfr_search.errors import InputError
from tgfr_search.faces.align import ALIGNMENTS, ARCFACE_CHIP, DLIB_CHIP, MEAN_SHAPE, WIDE_CHIP, align
from tgfr_search.faces.schemes import ARCFACE_POINTS, EYES_NOSE_MOUTH, WIDE_POINTS, in_scheme
from tgfr_search.faces.wide import cut


def photo() -> np.ndarray:
    """Smooth, so that a second resampling costs little."""
    y, x = np.mgrid[0:400, 0:400] / 25
    waves = (np.sin(x), np.cos(y), np.sin(x + y))
    return np.stack([127 + 100 * wave for wave in waves], axis=2).astype(np.uint8)


def landmarks(scale: float) -> np.ndarray:
    return (np.array(MEAN_SHAPE, np.float32) * 100 * scale + 150).astype(np.float32)


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.3])
def test_dlibs_chip_is_a_slice_of_the_wide_one(scale: float) -> None:
    wide = align(photo(), landmarks(scale), WIDE_CHIP)
    own = align(photo(), landmarks(scale), DLIB_CHIP)
    apart = np.abs(cut(wide[None], "dlib-150")[0].astype(int) - own)
    assert apart.max() <= 2  # the warp rounds its places to 1/32 pixel


def test_arcfaces_points_lie_where_they_should() -> None:
    wide = np.zeros((1, 225, 225, 3), np.uint8)
    for x, y in WIDE_POINTS:
        wide[0, round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = 255
    chip = cut(wide, "arcface-112-dlib5")[0, ..., 0].astype(float)
    for x, y in ARCFACE_POINTS:
        ys, xs = np.mgrid[0:112, 0:112]
        near = (abs(xs - x) < 6) & (abs(ys - y) < 6)
        centre = [(own * chip)[near].sum() / chip[near].sum() for own in (xs, ys)]
        assert np.allclose(centre, (x, y), atol=2.5)  # the two sets of five have not quite the same shape


def test_arcfaces_chip_is_inside_the_wide_one() -> None:
    assert cut(np.full((1, 225, 225, 3), 200, np.uint8), ARCFACE_CHIP.name).min() == 200


def test_the_ladder_counts_dlibs_chip_in_every_chip() -> None:
    assert {name: own.ladder_side for name, own in ALIGNMENTS.items()} == {
        "dlib-150": 150.0, "arcface-112-dlib5": 100.587, "wide-225": 150.0,
    }  # fmt: skip
    wide = align(photo(), landmarks(1.0), WIDE_CHIP)
    coarse = degrade(wide, "very_bad", key="a", side=WIDE_CHIP.ladder_side)
    steps = np.abs(np.diff(coarse[100, :, 0].astype(int)))
    assert (wide != coarse).any()
    assert steps.max() < 60  # 21 coarse pixels over 225, enlarged smoothly


def test_both_schemes_place_the_same_face() -> None:
    by_points = in_scheme(WIDE_CHIP, EYES_NOSE_MOUTH)
    assert (by_points.size, by_points.digest != WIDE_CHIP.digest) == (225, True)


def test_no_faces_and_unknown_chips() -> None:
    assert cut(np.empty((0, 225, 225, 3), np.uint8), "arcface-112-dlib5").shape == (0, 112, 112, 3)
    with pytest.raises(InputError, match="wide-225"):
        cut(np.zeros((1, 225, 225, 3), np.uint8), "wide-225")
