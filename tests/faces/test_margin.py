"""The crop that a row keeps: any chip can be cut from it as from the photo."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from tgfr_search.errors import InputError
from tgfr_search.faces.align import ALIGNMENTS, align
from tgfr_search.faces.margin import MARGIN, SIDE, chip_of, face_crop
from tgfr_search.faces.schemes import BY_SCHEME, in_scheme
from tgfr_search.types import ByteArray, FloatArray


def photo_and_points(scheme: str, width: int, eyes: float, turned: float) -> tuple[ByteArray, FloatArray]:
    """A smooth picture, and a face in its middle whose template is `eyes` times as large as the chip's."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
    photo = cv2.resize(coarse, (width, int(0.8 * width)), interpolation=cv2.INTER_CUBIC)
    template = in_scheme(ALIGNMENTS["dlib-150"], scheme).points
    angle = np.deg2rad(turned)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([photo.shape[1], photo.shape[0]]) / 2
    return photo, ((template - template.mean(axis=0)) @ turn.T * eyes + centre).astype(np.float32)


@pytest.mark.parametrize("scheme", sorted({scheme for _, scheme in BY_SCHEME}))
@pytest.mark.parametrize(("width", "eyes", "turned"), [(400, 0.7, 0.0), (1600, 3.1, 25.0), (3000, 7.4, -10.0)])
def test_every_chip_is_cut_from_it_as_from_the_photo(scheme: str, width: int, eyes: float, turned: float) -> None:
    photo, points = photo_and_points(scheme, width, eyes, turned)
    crop = face_crop(photo, points, scheme, None)
    for name in ALIGNMENTS:
        own = chip_of(crop.picture, crop.points, scheme, ALIGNMENTS[name]).astype(int)
        wanted = align(photo, points, in_scheme(ALIGNMENTS[name], scheme)).astype(int)
        assert own.shape == wanted.shape
        assert np.abs(own - wanted).mean() < 1.5  # of 255; half a pixel's shift gives more than 5


def test_a_shift_of_a_pixel_would_be_seen() -> None:
    photo, points = photo_and_points("eye-corners-nose", 1600, 3.1, 25.0)
    crop = face_crop(photo, points, "eye-corners-nose", None)
    wanted = align(photo, points).astype(int)
    shifted = chip_of(crop.picture, crop.points + 0.5, "eye-corners-nose", ALIGNMENTS["dlib-150"]).astype(int)
    assert np.abs(shifted - wanted).mean() > 5


def test_the_margin_is_a_share_of_the_box_and_the_side_is_limited() -> None:
    photo, points = photo_and_points("eye-corners-nose", 2000, 2.0, 0.0)
    x, y = points.mean(axis=0)
    box = (float(x) - 300, float(y) - 250, float(x) + 300, float(y) + 250)
    crop = face_crop(photo, points, "eye-corners-nose", box)
    width, height = Image.open(io.BytesIO(crop.picture)).size
    assert max(width, height) == SIDE
    wide, high = 600 * (1 + 2 * MARGIN), 500 + 600 * 2 * MARGIN
    assert height / width == pytest.approx(high / wide, abs=0.01)
    assert crop.points[0] == pytest.approx((points[0] - (x - 660, y - 610)) * SIDE / wide, abs=1.0)


def test_at_the_photos_edge_it_ends_there_and_a_small_face_is_not_enlarged() -> None:
    photo, points = photo_and_points("eye-corners-nose", 300, 0.4, 0.0)
    points -= points.min(axis=0)
    crop = face_crop(photo, points, "eye-corners-nose", None)
    assert np.abs(crop.points - points).max() < 1e-4
    for alignment in ALIGNMENTS.values():
        own = chip_of(crop.picture, crop.points, "eye-corners-nose", alignment).astype(int)
        assert np.abs(own - align(photo, points, alignment)).mean() < 1.5


def test_what_is_no_picture_is_told() -> None:
    with pytest.raises(InputError, match="crop of an enrolled face"):
        chip_of(b"no picture", np.zeros((5, 2), np.float32), "eye-corners-nose", ALIGNMENTS["dlib-150"])
