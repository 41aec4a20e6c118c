from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_helpers import GREY, RGB, encoded, smooth
from PIL import Image, ImageFile

from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.decode import decode, read_bytes


def reason(data: bytes, **options: Any) -> Reason:
    with pytest.raises(FaceError) as caught:
        decode(data, **options)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_truncated_is_undecodable_never_half_grey(kind: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert reason(data[: int(len(data) * part)]) is Reason.UNDECODABLE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000"])
def test_damaged_bytes_give_a_picture_or_a_reason(kind: str) -> None:
    random = np.random.default_rng(1)
    data = encoded(RGB, kind)
    for _ in range(100):
        damaged = bytearray(data)
        for at in random.integers(0, min(len(data), 400), 3):
            damaged[at] = random.integers(0, 256)
        with contextlib.suppress(FaceError):  # and no other error
            assert decode(bytes(damaged), max_pixels=10**6).shape[2] == 3


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def test_pixel_limit_is_checked_in_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("pixels were decoded"))
        assert reason(png_header(30_000, 30_000)) is Reason.TOO_MANY_PIXELS  # beyond Pillow's own limit
        assert reason(png_header(10_001, 10_000)) is Reason.TOO_MANY_PIXELS  # beyond ours; Pillow only warns
    assert reason(png_header(9_500, 10), max_pixels=95_000) is Reason.UNDECODABLE  # allowed, and then cut off
    assert reason(png_header(9_500, 10), max_pixels=94_999) is Reason.TOO_MANY_PIXELS


def test_a_size_that_pillow_warns_of_is_judged_by_our_limit_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # 1,536 pixels: a warning, and warnings are errors here
    assert decode(encoded(RGB, "PNG")).shape == smooth().shape


@pytest.mark.parametrize(
    ("data", "code", "named"),
    [
        (b"", Reason.EMPTY_FILE, "0 bytes"),
        (b"This is no picture.\n", Reason.UNSUPPORTED_FORMAT, "text"),
        ("Ceci n'est pas une photo: é".encode(), Reason.UNSUPPORTED_FORMAT, "text"),
        (b"%PDF-1.7 ...", Reason.UNSUPPORTED_FORMAT, "PDF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", Reason.UNSUPPORTED_FORMAT, "isom"),
        (b"\x01\x02\x03\x04", Reason.UNSUPPORTED_FORMAT, "01 02 03 04"),
        (encoded(GREY, "ICO"), Reason.UNSUPPORTED_FORMAT, "ICO"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, Reason.UNDECODABLE, "PNG"),
    ],
)
def test_what_is_no_single_photo_is_named(data: bytes, code: Reason, named: str) -> None:
    with pytest.raises(FaceError) as caught:
        decode(data)
    assert caught.value.reason is code
    assert named in caught.value.detail


def test_phone_jpeg_with_a_second_picture_is_one_photo() -> None:
    data = encoded(RGB, "MPO", save_all=True, append_images=[RGB.rotate(180)], quality=95)
    assert np.abs(decode(data).astype(int) - smooth()).max() <= 12


def test_read_bytes(tmp_path: Path) -> None:
    data = encoded(RGB, "PNG")
    folder = tmp_path
    while len(str(folder)) < 3000:  # far beyond what one name may have
        folder = folder / ("фото-写真-😀-" + "x" * 200)
    folder.mkdir(parents=True)
    path = folder / "Ünïcode צילום.jpg"
    path.write_bytes(data)
    assert read_bytes(path) == data == read_bytes(str(path))
    assert read_bytes(path, max_bytes=len(data)) == data


def test_read_bytes_refuses(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(1001))
    cases = {
        tmp_path / "missing.jpg": Reason.MISSING_IMAGE,
        tmp_path: Reason.IO_ERROR,
        tmp_path / "loop": Reason.IO_ERROR,
        tmp_path / "pipe": Reason.IO_ERROR,
        tmp_path / ("n" * 300): Reason.IO_ERROR,
        tmp_path / "nul\0.jpg": Reason.IO_ERROR,
        tmp_path / "large": Reason.TOO_MANY_BYTES,
    }
    for path, code in cases.items():
        with pytest.raises(FaceError) as caught:
            read_bytes(path, max_bytes=1000)
        assert caught.value.reason is code, path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(FaceError) as caught:
        read_bytes(path)
    assert caught.value.reason is Reason.IO_ERROR


def test_too_little_memory_says_nothing_about_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of a photo that could not be read this time is kept; one that is undecodable is not."""
    data = encoded(RGB, "PNG")

    def load(self: Image.Image, *args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", load)
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(FaceError, match="not enough memory") as told:
        decode(data)
    assert told.value.reason == Reason.IO_ERROR
