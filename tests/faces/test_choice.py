"""Which face is meant: by number, box or points, and every way to say it wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from picture_helpers import encoded
from PIL import Image

from tgfr_search.errors import FaceError, InputError, Reason
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.types import AlignedFace, ByteArray, Record

LARGE, SMALL = 400, 240


Picture = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def picture(draw_face: Callable[[int], ByteArray]) -> Picture:
    """Drawn faces of (side, x, y) on grey."""

    def made(*places: tuple[int, int, int], size: tuple[int, int] = (900, 480)) -> Image.Image:
        page = Image.new("RGB", size, (120, 140, 160))
        for side, x, y in places:
            page.paste(Image.fromarray(draw_face(side)), (x, y))
        return page

    return made


@pytest.fixture(scope="module")
def pair(picture: Picture) -> bytes:
    """A small face on the left, a large one on the right."""
    return encoded(picture((SMALL, 20, 100), (LARGE, 450, 40)), "PNG")


def cut(data: bytes, choice: FaceChoice | None, **options: object) -> AlignedFace:
    finder = FaceFinder(FaceOptions(**options))  # type: ignore[arg-type]
    return finder.cut(finder.load(data), choice)


def reason(data: bytes, choice: FaceChoice) -> Reason:
    with pytest.raises(FaceError) as told:
        cut(data, choice)
    assert str(told.value).count("--") >= 1 or told.value.do
    return told.value.reason


def test_by_number_and_by_box(pair: bytes) -> None:
    largest = cut(pair, None)
    assert [face.chosen for face in largest.seen] == [True, False]
    small = cut(pair, FaceChoice(number=2), on_multiple="error")
    assert [face.chosen for face in small.seen] == [False, True]
    assert small.box is not None
    assert small.box[0] < 300 < largest.seen[0].box[0]
    assert not np.array_equal(small.pixels, largest.pixels)
    x, y, width, height = small.seen[1].box
    for box in ((x, y, width, height), (x - 20, y - 20, width + 40, height + 40)):
        assert np.array_equal(cut(pair, FaceChoice(box=box)).pixels, small.pixels)
    assert cut(pair, FaceChoice(number=1)).seen == largest.seen


def test_a_face_that_the_photo_as_a_whole_does_not_show(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what is in and near the box is looked at alone."""
    from tgfr_search.faces import meant

    data = encoded(picture((SMALL, 20, 100)), "PNG")
    known = cut(data, None)
    real = meant.faces_of

    def none(*args: object) -> list[object]:
        raise FaceError(Reason.NO_FACE, "none")

    monkeypatch.setattr(meant, "faces_of", none)
    found = cut(data, FaceChoice(box=known.seen[0].box))
    monkeypatch.setattr(meant, "faces_of", real)
    assert found.box is not None
    assert known.box is not None
    assert np.abs(np.subtract(found.box, known.box)).max() < 0.1 * known.seen[0].box[2]


def test_points_by_hand_cut_what_the_detector_cuts(pair: bytes) -> None:
    found = cut(pair, None, detector="retinaface")
    eyes = FaceChoice.of(eyes=[value for point in found.seen[0].points[:2] for value in point])
    five = FaceChoice.of(eyes=found.seen[0].points)
    for choice in (eyes, five):
        by_hand = cut(pair, choice, detector="retinaface")
        assert (by_hand.quality.by_hand, by_hand.quality.detector_score, by_hand.quality.yaw) == (True, None, None)
        assert [(face.score, face.chosen) for face in by_hand.seen] == [(None, True)]
        assert abs(by_hand.quality.inter_eye_px - found.quality.inter_eye_px) < 0.02
    assert np.abs(cut(pair, five).pixels.astype(int) - found.pixels).max() <= 2  # dlib's chip, by the same points


def test_no_detector_is_asked_for_points_by_hand() -> None:
    blank = encoded(Image.new("RGB", (300, 300), "white"), "PNG")
    assert cut(blank, FaceChoice.of(eyes="100,120,180,124")).pixels.shape == (150, 150, 3)
    with pytest.raises(FaceError, match="between the eyes"):
        cut(blank, FaceChoice.of(eyes="100,120,106,120"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (FaceChoice(number=3), Reason.NO_SUCH_FACE),
        (FaceChoice(box=(2000, 0, 50, 50)), Reason.NO_SUCH_FACE),
        (FaceChoice(box=(-80, -80, 50, 50)), Reason.NO_SUCH_FACE),
        (FaceChoice(box=(300, 0, 60, 60)), Reason.NO_SUCH_FACE),
        (FaceChoice(points=((10, 10), (900, 10))), Reason.BAD_POINTS),
        (FaceChoice(points=((10, 10), (80, -1))), Reason.BAD_POINTS),
        (FaceChoice(points=((100, 100), (180, 100), (140, 20), (120, 180), (160, 180))), Reason.BAD_POINTS),
        (FaceChoice(points=((100, 100), (180, 100), (140, 140), (120, 60), (160, 60))), Reason.BAD_POINTS),
    ],
)
def test_what_is_in_no_photo_like_this(pair: bytes, choice: FaceChoice, expected: Reason) -> None:
    assert reason(pair, choice) == expected


def test_a_photo_without_a_face_has_none_of_any_number() -> None:
    assert reason(encoded(Image.new("RGB", (300, 300), "white"), "PNG"), FaceChoice(number=1)) == Reason.NO_FACE


@pytest.mark.parametrize(
    "given",
    [
        {"face": 0},
        {"face": -1},
        {"face": 1, "box": "1,2,3,4"},
        {"box": "1,2,3"},
        {"box": "1,2,0,4"},
        {"box": "1,2,-3,4"},
        {"box": "a,b,c,d"},
        {"box": "1,2,nan,4"},
        {"eyes": "1,2,3"},
        {"eyes": "10,10,10,10"},
        {"eyes": "80,10,10,10"},
        {"eyes": "1,2,3,4,5,6"},
        {"eyes": "1,2,inf,4"},
        {"eyes": [None, 1, 2, 3]},
    ],
)
def test_what_can_be_meant_in_no_photo(given: dict[str, object]) -> None:
    with pytest.raises(InputError) as told:
        FaceChoice.of(**given)  # type: ignore[arg-type]
    assert "expected" in str(told.value)


def test_nothing_said_is_no_choice() -> None:
    assert FaceChoice.of() is None
    assert FaceChoice.of_row({}) is None
    assert FaceChoice.of_row({"face_eyes": "", "face_box": None}) is None


def test_a_ready_crop_shows_one_face() -> None:
    with pytest.raises(InputError, match="--aligned"):
        cut(encoded(Image.new("RGB", (150, 150)), "PNG"), FaceChoice(number=1), aligned=True)


def test_a_gallerys_table_says_which_face(pair: bytes) -> None:
    finder = FaceFinder()
    small = finder.cut(finder.load(pair), FaceChoice(number=2))
    box = ",".join(map(str, small.seen[1].box))
    assert np.array_equal(finder.find(Record("a", "anna", data=pair, metadata={"face_box": box})).pixels, small.pixels)
    eyes = Record("a", "anna", data=pair, metadata={"face_eyes": "100,200,180,200"})
    assert finder.find(eyes).quality.by_hand
    for metadata in ({"face_eyes": "brown"}, {"face_eyes": "1,2,3,4", "face_points": "1"}, {"face_box": "0,0,0,0"}):
        with pytest.raises(FaceError) as told:
            finder.find(Record("a", "anna", data=pair, metadata=metadata))
        assert told.value.reason == Reason.BAD_POINTS


def test_coordinates_are_the_files_where_a_jpeg_is_reduced(picture: Picture) -> None:
    large = picture((LARGE, 450, 40)).resize((1800, 960))
    data = encoded(large, "JPEG", quality=95)
    finder = FaceFinder(FaceOptions(max_pixels=900 * 480))
    photo = finder.load(data)
    assert photo.reduced == 2
    found = finder.cut(photo)
    again = finder.cut(photo, FaceChoice(box=found.seen[0].box))
    assert np.array_equal(found.pixels, again.pixels)
    whole = FaceFinder().find(data)
    assert whole.box is not None
    assert found.box is not None
    assert np.abs(np.subtract(found.box, whole.box)).max() < 0.1 * (whole.box[2] - whole.box[0])
    five = found.seen[0].points
    hand = finder.cut(photo, FaceChoice(points=((five[0][0] - 60, five[0][1]), (five[0][0] + 60, five[0][1]))))
    assert abs(hand.quality.inter_eye_px - 60) < 1  # as it was decoded
