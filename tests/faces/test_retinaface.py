"""RetinaFace: the published network's numbers, and faces found however a photo lies and whatever its size."""

import cv2
import numpy as np
import pytest

from tgfr_search.data.synthetic import SyntheticFaces
from tgfr_search.errors import InputError
from tgfr_search.faces.align import DLIB_CHIP
from tgfr_search.faces.detectors import retinaface_net
from tgfr_search.faces.detectors.base import Detection, Detector, roll
from tgfr_search.faces.detectors.registry import DETECTORS, make_detector
from tgfr_search.faces.detectors.retinaface import RetinaFace
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.faces.photo import Photo
from tgfr_search.faces.quality import inter_eye_px, pose
from tgfr_search.faces.schemes import ARCFACE_CHIP, EYES_NOSE_MOUTH, in_scheme

FIRST = ([0.40577, 0.80621, -1.41233, -0.351], 0.000902, [-2.91452, -1.91301, 0.94849, -1.58502])
"""onnxruntime, the published file, `waves(70, 101)`: box, score and the first two points of the first anchor."""
LAST = ([0.86866, 0.73139, -1.72194, -1.38102], 0.000516, [-0.0268, 0.27366, 0.76148, 0.2528])


def waves(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / 64.0
    colours = [np.sin(7 * x + 3 * y), np.cos(5 * x * y + 2 * y), np.sin(11 * (x - 0.4) ** 2 + y)]
    return np.rint(127.5 + 120 * np.stack(colours, axis=-1)).astype(np.uint8)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """Somebody who does not exist: uint8 [192, 192, 3]."""
    faces = SyntheticFaces.load()
    return faces.render(faces.person(1), 0)


@pytest.fixture(scope="module")
def upright(face: np.ndarray) -> Detection:
    (found,) = RetinaFace().find(face)
    return found


def off(found: Detection, points: np.ndarray) -> float:
    """The largest error of a point, in distances between the eyes."""
    return float(np.abs(found.points - points).max() / np.linalg.norm(points[1] - points[0]))


@pytest.mark.parametrize(("anchor", "expected"), [(0, FIRST), (-1, LAST)])
def test_equals_the_published_network(anchor: int, expected: tuple[list[float], float, list[float]]) -> None:
    boxes, scores, points = retinaface_net.outputs(waves(70, 101))
    assert len(boxes) == len(scores) == len(points) == 2 * (9 * 13 + 5 * 7 + 3 * 4)
    assert np.abs(boxes[anchor] - expected[0]).max() < 1e-4
    assert scores[anchor] == pytest.approx(expected[1], abs=1e-5)
    assert np.abs(points[anchor, :4] - expected[2]).max() < 1e-4


def test_a_face_and_its_points(face: np.ndarray, upright: Detection) -> None:
    left, right, nose, mouth_left, mouth_right = upright.points
    assert upright.scheme == EYES_NOSE_MOUTH
    assert upright.score > 0.99
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    assert abs(roll(upright.points)) < 10
    box = upright.box
    assert all(box[0] < x < box[2] and box[1] < y < box[3] for x, y in upright.points)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_photos_on_their_side_and_upside_down(face: np.ndarray, upright: Detection, quarter: int) -> None:
    turned = np.ascontiguousarray(np.rot90(face, quarter))
    found = RetinaFace().find(turned)[0]
    x, y = upright.points.T
    last = face.shape[0] - 1
    where = {1: (y, last - x), 2: (last - x, last - y), 3: (last - y, x)}[quarter]
    assert off(found, np.stack(where, axis=1)) < 0.1
    assert abs(roll(found.points)) > 80


@pytest.mark.parametrize("angle", [-60, -30, 30, 60, 120])
def test_faces_askew(face: np.ndarray, upright: Detection, angle: int) -> None:
    matrix = cv2.getRotationMatrix2D((95.5, 95.5), angle, 1.0)
    found = RetinaFace().find(cv2.warpAffine(face, matrix, (192, 192), borderMode=cv2.BORDER_REPLICATE))[0]
    assert off(found, upright.points @ matrix[:, :2].T + matrix[:, 2]) < 0.15


@pytest.mark.parametrize("side", [32, 96, 900])
def test_small_and_large(face: np.ndarray, upright: Detection, side: int) -> None:
    how = cv2.INTER_AREA if side < 192 else cv2.INTER_CUBIC
    found = RetinaFace().find(cv2.resize(face, (side, side), interpolation=how))[0]
    assert off(found, (upright.points + 0.5) * side / 192 - 0.5) < 0.2


@pytest.mark.slow
def test_a_small_face_in_a_large_photo_is_found_in_its_tile(face: np.ndarray, upright: Detection) -> None:
    photo = np.full((1500, 2200, 3), 90, np.uint8)
    photo[1200:1264, 1800:1864] = cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA)
    found = RetinaFace().find(photo)[0]
    assert off(found, (upright.points + 0.5) / 3 - 0.5 + [1800, 1200]) < 0.2


def test_two_faces_the_larger_first_and_a_blurred_one_behind_left_out(face: np.ndarray) -> None:
    photo = np.full((300, 500, 3), 90, np.uint8)
    photo[20:212, 20:212] = face
    photo[60:188, 300:428] = cv2.resize(face, (128, 128), interpolation=cv2.INTER_AREA)
    first, second = RetinaFace().find(photo)
    assert first.area > second.area
    assert first.box[2] < 250 < second.box[0]


@pytest.mark.parametrize("photo", [np.zeros((60, 80, 3), np.uint8), np.zeros((1, 1, 3), np.uint8), waves(200, 300)])
def test_no_face(photo: np.ndarray) -> None:
    assert RetinaFace().find(photo) == []


def test_detectors_by_name() -> None:
    assert [make_detector(name).spec.name for name in ("dlib", "retinaface")] == ["dlib", "retinaface"]
    with pytest.raises(InputError, match="dlib, retinaface"):
        make_detector("yunet")


def test_another_detector_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    class Middle:
        """Sees a face in the middle of everything."""

        spec = RetinaFace().spec

        def find(self, photo: np.ndarray) -> list[Detection]:
            size = photo.shape[0] / 112
            return [Detection((0.0, 0.0, size, size), ARCFACE_CHIP.points * size, EYES_NOSE_MOUTH, 1.0)]

    monkeypatch.setitem(DETECTORS, "middle", Middle)
    detector: Detector = make_detector("middle")
    assert len(detector.find(np.zeros((112, 112, 3), np.uint8))) == 1


def test_dlib_by_name_gives_its_own_points(face: np.ndarray, upright: Detection) -> None:
    (found,) = make_detector("dlib").find(face)
    assert found.scheme == "eye-corners-nose"
    right, left = found.points[:2].mean(axis=0), found.points[2:4].mean(axis=0)
    assert np.abs(np.stack([left, right]) - upright.points[:2]).max() < 8


def test_the_finder_cuts_the_same_chip_by_either_detector(face: np.ndarray) -> None:
    photo = Photo(face, "0" * 64)
    for alignment in ("dlib-150", "arcface-112-dlib5"):
        finder = FaceFinder().for_alignment(alignment)
        ours, theirs = (finder.for_detector(name).cut(photo) for name in ("retinaface", "dlib"))
        assert ours.pixels.shape == theirs.pixels.shape
        difference = np.abs(ours.pixels.astype(int) - theirs.pixels.astype(int)).mean()
        shifted = np.abs(np.roll(ours.pixels, 8, axis=1).astype(int) - theirs.pixels.astype(int)).mean()
        assert difference < shifted
        assert ours.scheme == EYES_NOSE_MOUTH
        assert ours.quality.inter_eye_px == pytest.approx(theirs.quality.inter_eye_px, rel=0.15)
        assert ours.quality.yaw == pytest.approx(theirs.quality.yaw, abs=12)
        assert ours.quality.roll == pytest.approx(theirs.quality.roll, abs=6)


def test_pose_by_the_tip_of_the_nose() -> None:
    """A level frontal face, then its nose moved by its depth: tan yaw = 1."""
    points = np.array([[0, 0], [100, 0], [50, 62], [30, 110], [70, 110]], np.float32)
    assert pose(points, EYES_NOSE_MOUTH) == pytest.approx((0.0, 0.0, 0.0), abs=0.01)
    points[2, 0] += 44
    assert pose(points, EYES_NOSE_MOUTH)[0] == pytest.approx(45.0, abs=0.01)
    assert inter_eye_px(points, EYES_NOSE_MOUTH) == 100


def test_unknown_detectors_and_points_are_told() -> None:
    with pytest.raises(InputError, match="dlib, retinaface"):
        FaceOptions(detector="mtcnn")
    with pytest.raises(InputError, match="eye-corners-nose, eyes-nose-mouth"):
        in_scheme(DLIB_CHIP, "pupils")
    assert FaceFinder(FaceOptions(detector="dlib")).for_detector("retinaface").detector == "dlib"
    assert FaceFinder().for_detector("").detector == "dlib"
