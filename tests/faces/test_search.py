from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from tgfr_search.errors import FaceError
from tgfr_search.faces import FaceFinder
from tgfr_search.faces.detect import find_faces
from tgfr_search.faces.photo import Photo
from tgfr_search.faces.search import LAST_SIDE, Box, _starts, least_side, search, turned
from tgfr_search.types import ByteArray

DrawFace = Callable[[int], ByteArray]


def background(width: int, height: int) -> ByteArray:
    """Soft grey clouds without a face."""
    coarse = np.random.default_rng(0).normal(120, 12, (height // 16, width // 16, 3))
    clouds = np.clip(coarse, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def placed(face: ByteArray, width: int, height: int, x: int, y: int) -> ByteArray:
    photo = background(width, height)
    photo[y : y + face.shape[0], x : x + face.shape[1]] = face
    return photo


@pytest.mark.parametrize(
    ("width", "height", "side", "x", "y"),
    [
        (4000, 2000, 200, 3800, 1800),  # a face of about 90 px: 58 in a look at 2560; in the last tile
        (2000, 1600, 120, 701, 903),  # of about 53 px
    ],
)
def test_small_face_in_a_large_photo(draw_face: DrawFace, width: int, height: int, side: int, x: int, y: int) -> None:
    boxes = find_faces(placed(draw_face(side), width, height, x, y))
    assert len(boxes) == 1
    centre = np.array([(boxes[0].left + boxes[0].right) / 2 - x, (boxes[0].top + boxes[0].bottom) / 2 - y])
    assert np.abs(centre / side - [0.5, 0.54]).max() < 0.1


@pytest.mark.slow
def test_the_limit_of_the_search_is_told(draw_face: DrawFace) -> None:
    photo = background(1600, 320)
    least = least_side(photo)
    assert least == 20
    with pytest.raises(FaceError, match=rf"of {least} pixels or more .* in 1600×320"):
        FaceFinder().cut(Photo(photo, "0" * 64))
    assert least_side(background(320, 320)) == 20


def test_tiles_cover_a_photo_and_overlap() -> None:
    for length, side, overlap in [(100, 200, 20), (6000, 1100, 280), (2561, 1280, 120), (1101, 1100, 280)]:
        starts = _starts(length, side, overlap)
        assert starts[0] == 0
        assert starts[-1] + side >= length
        assert all(b - a <= side - overlap for a, b in pairwise(starts))


def test_a_face_in_two_tiles_is_one(draw_face: DrawFace) -> None:
    """A detector that sees a mark wherever it lies whole in a view."""
    photo = np.zeros((3000, 4000, 3), np.uint8)
    photo[1000:1100, 2000:2100, 0] = 255
    looks: list[tuple[int, ...]] = []

    def look(view: ByteArray) -> list[Box]:
        looks.append(view.shape)
        rows, columns = np.nonzero(view[..., 0] > 128)
        if not len(rows) or min(np.ptp(rows), np.ptp(columns)) < 85:
            return []
        return [Box(int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max()), 2.0)]

    found = search(photo, look)
    assert len(found) == 1
    assert np.abs(np.array(found[0][:4]) - [2000, 1000, 2100, 1100]).max() <= 3
    assert max(max(shape) for shape in looks) <= LAST_SIDE


def test_ordinary_photos_are_looked_at_once(draw_face: DrawFace) -> None:
    """A face that the first look is sure of costs no other look."""
    looks = []

    def look(view: ByteArray) -> list[Box]:
        looks.append(view.shape)
        return [Box(100, 100, 200, 200, 1.3)]

    search(np.zeros((400, 400, 3), np.uint8), look)
    assert looks == [(400, 400, 3)]


def test_an_upside_down_face_is_refused_though_it_is_seen() -> None:
    """A detector that sees a faint face in any view, and a better one where the mark is at the bottom."""
    photo = np.zeros((300, 300, 3), np.uint8)
    photo[:150] = 255

    def look(view: ByteArray) -> list[Box]:
        better = view[-1].mean() > view[0].mean()
        return [Box(100, 100, 200, 200, 0.9 if better else 0.5)]

    assert search(photo, look) == []
    assert turned(photo, look) == 180
    assert len(search(photo[::-1].copy(), look)) == 1


# --- real photographs -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shared
def test_lfw_portraits_upside_down_and_upright(shared_data: Path) -> None:
    """Every 24th LFW portrait: found upright; turned by 180° refused, and the hint says how to turn it."""
    paths = sorted((shared_data / "lfw_photos").glob("*/*/*.jpg"))[::24]
    assert len(paths) == 25
    finder, hinted = FaceFinder(), 0
    for path in paths:
        photo = finder.load(path)
        assert find_faces(photo.pixels), path
        with pytest.raises(FaceError) as caught:
            finder.cut(Photo(photo.pixels[::-1, ::-1].copy(), photo.sha256))
        hinted += "turned by 180°" in caught.value.detail
    assert hinted >= len(paths) - 1


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(("width", "height", "face"), [(6000, 4000, 110), (2500, 2000, 60)])
def test_lfw_face_in_a_large_photo(shared_data: Path, width: int, height: int, face: int) -> None:
    finder = FaceFinder()
    portrait = finder.load(sorted((shared_data / "lfw_photos" / "gallery").glob("*/*.jpg"))[5]).pixels
    box = find_faces(portrait)[0]
    factor = face / (box.right - box.left)
    small = np.asarray(cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    found = find_faces(placed(small, width, height, width // 2, height // 3))
    assert len(found) == 1
    assert found[0].right - found[0].left == pytest.approx(face, rel=0.3)
