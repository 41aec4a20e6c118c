from __future__ import annotations

from collections.abc import Callable

import cv2
import dlib
import numpy as np
import pytest

from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.align import ARCFACE_CHIP, DLIB_CHIP, Alignment, align, fit_chip, reduced, similarity
from tgfr_search.faces.detect import _predictor, find_faces, find_landmarks
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.photo import Photo
from tgfr_search.types import ByteArray

DrawFace = Callable[[int], ByteArray]


def test_similarity_of_a_known_turn() -> None:
    """(0,0) (1,0) (0,1) turned by 90° clockwise in the image, doubled and shifted by (5, 7)."""
    source = np.array([[0.0, 0], [1, 0], [0, 1]])
    target = np.array([[5.0, 7], [5, 9], [3, 7]])
    np.testing.assert_allclose(similarity(source, target), [[0, -2, 5], [2, 0, 7]], atol=1e-12)


def test_similarity_is_the_least_squares_one() -> None:
    random = np.random.default_rng(0)
    source, target = random.normal(size=(5, 2)), random.normal(size=(5, 2))

    def error(matrix: np.ndarray) -> float:
        return float(((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum())

    best = similarity(source, target)
    assert best[0, 0] == best[1, 1]
    assert best[0, 1] == -best[1, 0]
    for _ in range(200):
        a, b, x, y = random.normal(scale=0.05, size=4)
        assert error(best) < error(best + np.array([[a, -b, x], [b, a, y]]))


def test_template_lies_level_in_the_chip() -> None:
    """By hand: the nose is 0.628 of the mean shape down: (0.25 + 0.6278) / 1.5 · 150 − 0.5 = 87.28."""
    points = DLIB_CHIP.points
    assert points.shape == (5, 2)
    assert points[4, 1] == pytest.approx(87.28, abs=0.005)
    assert points[0, 0] > points[1, 0] > points[3, 0] > points[2, 0]  # the eye on the image's right comes first
    assert Alignment("dlib-150", 150, DLIB_CHIP.template) == DLIB_CHIP


def test_chip_agrees_with_dlib(draw_face: DrawFace) -> None:
    for size in (200, 250, 400):  # enlarged, about the same, reduced
        photo = draw_face(size)
        box = find_faces(photo)[0]
        shape = _predictor()(photo, dlib.rectangle(*box[:4]))
        reference = dlib.get_face_chip(photo, shape, 150, 0.25)
        landmarks = np.array([[part.x, part.y] for part in shape.parts()], np.float32)
        assert np.abs(align(photo, landmarks).astype(int) - reference).mean() < 1.0


def test_chip_does_not_depend_on_size_turn_and_place(draw_face: DrawFace) -> None:
    """One picture, seen larger, turned or shifted, with its landmarks moved along: the same chip."""
    photo = draw_face(400)
    landmarks = find_landmarks(photo, find_faces(photo)[0])
    chip = align(photo, landmarks).astype(int)
    for scale, angle in ((1.0, 30.0), (0.7, -20.0), (3.0, 0.0), (7.3, 90.0), (2.0, 180.0)):
        side = int(600 * scale)
        matrix = cv2.getRotationMatrix2D((200, 200), angle, scale)
        matrix[:, 2] += [side / 2 - 200 + 13, side / 2 - 200 - 17]
        moved = np.asarray(cv2.warpAffine(photo, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)
        points = (landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        assert np.abs(align(moved, points) - chip).mean() < 1.0, (scale, angle)


def test_large_faces_are_averaged_not_sampled() -> None:
    """Black and white pixels in turn, eight to one chip pixel: grey when averaged, and garbage when skipped over."""
    photo = np.zeros((1600, 1600, 3), np.uint8)
    photo[::2, ::2] = photo[1::2, 1::2] = 255
    chip = align(photo, DLIB_CHIP.points * 8.03 + 100)
    assert np.abs(chip[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_outside_of_the_photo_is_black() -> None:
    photo = np.full((300, 300, 3), 200, np.uint8)
    chip = align(photo, DLIB_CHIP.points - [75, 0])
    assert (chip[:, :74] == 0).all()
    assert (chip[:, 76:] == 200).all()
    assert (align(photo, DLIB_CHIP.points + 5000) == 0).all()
    assert (align(photo, DLIB_CHIP.points * 20 - 9000) == 0).all()


def test_photo_wider_than_the_warp_can_take(draw_face: DrawFace) -> None:
    photo = np.zeros((400, 40_000, 3), np.uint8)
    photo[:, -400:] = draw_face(400)
    landmarks = find_landmarks(draw_face(400), find_faces(draw_face(400))[0])
    chip = align(photo, landmarks + np.array([39_600, 0], np.float32))
    assert np.array_equal(chip[:, 20:130], align(draw_face(400), landmarks)[:, 20:130])


def test_an_alignment_may_use_some_of_the_points() -> None:
    eyes = Alignment("eyes", 112, ((74, 50), (66, 50), (38, 50), (46, 50), (56, 80)), used=(0, 1, 2, 3))
    photo = np.zeros((200, 200, 3), np.uint8)
    photo[100, 120] = 255
    landmarks = np.array([[136, 100], [120, 100], [64, 100], [80, 100], [0, 0]], np.float32)  # the nose is ignored
    assert np.unravel_index(align(photo, landmarks, eyes)[..., 0].argmax(), (112, 112)) == (50, 66)


def test_reduced_says_where_it_lies() -> None:
    photo = np.arange(20 * 30 * 3, dtype=np.uint32).astype(np.uint8).reshape(20, 30, 3)
    patch, factor, origin = reduced(photo, np.array([3.2, 4.7]), np.array([9.5, 99.0]), 0.3)
    assert (factor, origin.tolist()) == (1, [3, 4])
    assert np.array_equal(patch, photo[4:20, 3:10])
    patch, factor, origin = reduced(photo, np.array([-5.0, 0.0]), np.array([7.0, 7.0]), 2.9)
    assert (factor, origin.tolist(), patch.shape) == (2, [0, 0], (3, 3, 3))
    assert patch[0, 0, 0] == 47  # of 0, 3, 90, 93: the mean, 46.5


def test_ready_chip_is_only_resized() -> None:
    checks = np.zeros((300, 300, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    chip, points = fit_chip(checks)
    assert chip.shape == (150, 150, 3)
    assert np.abs(chip.astype(int) - 127).max() <= 1  # averaged
    np.testing.assert_allclose(points, DLIB_CHIP.points * 2 + 0.5, rtol=1e-6)
    same = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    assert np.array_equal(fit_chip(same)[0], same)
    assert fit_chip(same[:20, :21])[0].shape == (150, 150, 3)


@pytest.mark.parametrize("shape", [(150, 180, 3), (112, 96, 3), (1, 2, 3)])
def test_a_crop_that_is_not_square_is_no_chip(shape: tuple[int, int, int]) -> None:
    with pytest.raises(FaceError) as caught:
        fit_chip(np.zeros(shape, np.uint8))
    assert caught.value.reason is Reason.NOT_A_CHIP
    assert f"{shape[1]}×{shape[0]}" in caught.value.detail


def test_the_mean_face_has_its_eyes_where_arcface_has_them() -> None:
    """insightface's template: eyes at (38.2946, 51.6963) and (73.5318, 51.5014), nose tip y 71.74, mouth y 92.3."""
    points = ARCFACE_CHIP.points
    np.testing.assert_allclose(points[:2].mean(axis=0), [73.5318, 51.5014], atol=1e-3)
    np.testing.assert_allclose(points[2:4].mean(axis=0), [38.2946, 51.6963], atol=1e-3)
    assert points[4, 0] == pytest.approx(56.03, abs=0.1)  # under the tip of the nose
    assert 71.74 < points[4, 1] < 92.2  # the base of the nose: below its tip, above the mouth
    assert points[0, 0] > points[1, 0] > points[3, 0] > points[2, 0]


def test_a_face_is_cut_for_either_network(draw_face: DrawFace) -> None:
    """The eyes found again in the ArcFace chip lie where the template has them."""
    photo = draw_face(400)
    finder = FaceFinder().for_alignment("arcface-112-dlib5")
    face = finder.cut(Photo(photo, "0" * 64))
    assert face.pixels.shape == (112, 112, 3)
    assert FaceFinder().for_alignment("dlib-150") == FaceFinder()
    assert FaceFinder().cut(Photo(photo, "0" * 64)).pixels.shape == (150, 150, 3)
    chip = cv2.copyMakeBorder(face.pixels, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
    found = find_landmarks(chip, find_faces(chip)[0]) - 60
    eyes = np.stack([found[2:4].mean(axis=0), found[:2].mean(axis=0)])
    np.testing.assert_allclose(eyes, [[38.29, 51.70], [73.53, 51.50]], atol=2.5)
