"""Files that were cut off: what is there is used and marked; a face that is not all there is refused."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces import FaceFinder, FaceOptions
from tgfr_search.faces.decode import decode_photo
from tgfr_search.faces.truncated import completed
from tgfr_search.types import ByteArray

DrawFace = Callable[[int], ByteArray]
WAYS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {"quality": 90}),
    ("JPEG", {"quality": 95, "subsampling": 0}),
    ("JPEG", {"quality": 90, "restart_marker_rows": 1}),
    ("PNG", {}),
]


def picture(height: int = 300, width: int = 400) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x * y) % 255], 2).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("kind", "options"), WAYS)
def test_the_rows_that_are_told_are_those_of_the_whole_file(kind: str, options: dict[str, Any], mode: str) -> None:
    data = encoded(picture().convert(mode), kind, **options)
    whole = decode_photo(data).pixels
    before = 0
    for part in (0.2, 0.5, 0.9, 0.999):
        cut = decode_photo(data[: int(part * len(data))])
        assert cut.there is not None
        assert (cut.there[0], cut.there[1], cut.there[2]) == (0, 0, 400)
        assert cut.pixels.shape == whole.shape
        rows = cut.there[3]
        assert np.array_equal(cut.pixels[:rows], whole[:rows])
        assert rows >= max(before, 300 * part - 120)
        before = rows
    assert decode_photo(data).there is None


def test_what_is_there_is_turned_as_the_photo_is() -> None:
    exif = Image.Exif()
    exif[274] = 6  # stored on its side: the first row is the right edge
    data = encoded(picture(), "JPEG", quality=90, exif=exif.tobytes())
    cut = decode_photo(data[: len(data) // 2])
    assert cut.there is not None
    assert cut.pixels.shape == (400, 300, 3)
    left, top, right, bottom = cut.there
    assert (top, right, bottom) == (0, 300, 400)
    assert 0 < left < 250
    assert np.array_equal(cut.pixels[:, left:], decode_photo(data).pixels[:, left:])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_progressive_jpeg_is_all_there_once_it_is_there_coarsely(mode: str) -> None:
    """Of later scans the upper rows have more than the lower ones; none is made up."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (75, 100, 3), np.uint8)).resize((400, 300))
    data = encoded(image.convert(mode), "JPEG", quality=90, progressive=True)
    whole = decode_photo(data).pixels.astype(int)
    off = []
    for part in (0.5, 0.7, 0.9, 0.995):
        cut = decode_photo(data[: int(part * len(data))])
        assert cut.there == (0, 0, 400, 300)
        off.append(float(np.abs(cut.pixels - whole).mean()))
    assert off == sorted(off, reverse=True)
    assert off[0] < 25
    assert off[-1] < 2
    with pytest.raises(FaceError) as told:  # within the first scan rows are missing
        decode_photo(data[: int(0.04 * len(data))])
    assert told.value.reason == Reason.UNDECODABLE
    assert completed(data) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_damaged_file_is_none_that_was_cut_off(kind: str) -> None:
    data = encoded(picture(), kind)
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 0x55
    assert completed(bytes(damaged)) is None
    assert completed(data[:60]) is None
    assert completed(b"GIF89a") is None


def test_a_face_that_is_there_is_used_and_marked_and_one_that_is_not_is_refused(draw_face: DrawFace) -> None:
    face = draw_face(300)
    below = np.concatenate([face, np.full((200, 300, 3), 90, np.uint8)])
    data = encoded(Image.fromarray(below), "PNG", compress_level=0)
    whole, cut = FaceFinder().find(data), FaceFinder().find(data[: int(0.75 * len(data))])
    assert (whole.quality.truncated, cut.quality.truncated) == (False, True)
    assert np.array_equal(whole.pixels, cut.pixels)
    assert whole.box is not None
    row = 1 + 3 * 300
    with pytest.raises(FaceError) as caught:  # to the chin, where a face is seen still
        FaceFinder().find(data[: (whole.box[3] - 3) * row])
    assert caught.value.reason is Reason.TRUNCATED
    with pytest.raises(FaceError) as caught:
        FaceFinder(FaceOptions(aligned=True)).find(encoded(Image.fromarray(face), "PNG")[:-200])
    assert caught.value.reason is Reason.TRUNCATED
