"""What phones, passports, scanners and the web save beside JPEG and PNG."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from picture_helpers import GREY, RGB, encoded, smooth
from PIL import Image

from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.decode import decode
from tgfr_search.installed import EXTRAS
from tgfr_search.names import IMAGE_SUFFIXES

OTHER = RGB.rotate(180)


def off(data: bytes) -> int:
    """How far the decoded picture is from the one that was encoded, at most."""
    return int(np.abs(decode(data).astype(int) - smooth()).max())


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 12),
        ("JPEG2000", {}, 1),
        ("JPEG2000", {"no_jp2": True}, 1),  # the bare code stream, .j2k, as passport chips hold it
        ("GIF", {}, 40),  # 256 colours
    ],
)
def test_one_picture(kind: str, options: dict[str, Any], tolerance: int) -> None:
    assert off(encoded(RGB, kind, **options)) <= tolerance


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 12),
        ("GIF", {}, 40),
        ("WEBP", {"lossless": True}, 0),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
    ],
)
def test_of_several_frames_the_first(kind: str, options: dict[str, Any], tolerance: int) -> None:
    assert off(encoded(RGB, kind, save_all=True, append_images=[OTHER, OTHER.rotate(90)], **options)) <= tolerance


@pytest.mark.parametrize("first", [True, False])
def test_of_the_pages_of_a_scan_the_largest(first: bool) -> None:
    small = OTHER.resize((12, 8))
    pages = [RGB, small] if first else [small, RGB]
    assert off(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])) == 0


def test_a_large_page_is_held_to_the_limit() -> None:
    data = encoded(OTHER.resize((12, 8)), "TIFF", save_all=True, append_images=[RGB])
    with pytest.raises(FaceError, match="48×32 = 1,536 pixels, the limit is 1,000") as caught:
        decode(data, max_pixels=1000)
    assert caught.value.reason is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize(("limit", "part"), [(48 * 32, 1), (48 * 32 - 1, 2), (48 * 32 // 4, 2)])
def test_a_jpeg_over_the_limit_is_reduced(limit: int, part: int) -> None:
    pixels = decode(encoded(RGB, "JPEG", quality=98, subsampling=0), max_pixels=limit)
    assert pixels.shape == (32 // part, 48 // part, 3)
    assert np.abs(pixels.astype(int) - np.asarray(RGB.reduce(part))).max() <= 6


def test_a_reduced_jpeg_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = RGB.transpose(Image.Transpose.ROTATE_90)
    pixels = decode(encoded(stored, "JPEG", quality=98, subsampling=0, exif=exif), max_pixels=1000)
    assert np.abs(pixels.astype(int) - np.asarray(RGB.reduce(2))).max() <= 6


def test_pillows_own_limit_does_not_keep_a_jpeg_from_being_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # twice that is an error: 1,536 pixels are beyond it
    assert decode(encoded(RGB, "JPEG"), max_pixels=1000).shape == (16, 24, 3)
    with pytest.raises(FaceError, match="the limit is 1,000"):
        decode(encoded(RGB, "PNG"), max_pixels=1000)


@pytest.mark.parametrize(
    ("kind", "options", "limit"),
    [("JPEG", {}, 383), ("JPEG", {"progressive": True}, 1535), ("PNG", {}, 1535), ("WEBP", {}, 1535)],
)
def test_what_is_not_reduced_is_refused_with_the_limit(kind: str, options: dict[str, Any], limit: int) -> None:
    with pytest.raises(FaceError, match=f"1,536 pixels, the limit is {limit:,}") as caught:
        decode(encoded(RGB, kind, **options), max_pixels=limit)
    assert caught.value.reason is Reason.TOO_MANY_PIXELS


def box(major: bytes, *others: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(others)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(40)


@pytest.mark.parametrize("data", [box(b"heic", b"mif1"), box(b"mif1", b"heic"), box(b"mif1"), box(b"heix")])
def test_heic_without_its_decoder_says_what_to_install(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # `import` then fails as where it is not installed
    with pytest.raises(FaceError, match=r"HEIC.*pip install 'tgfr-search\[heic\]'") as caught:
        decode(data)
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT
    assert EXTRAS["pillow_heif"] == "heic"


def test_avif_under_the_common_brand_is_not_taken_for_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(FaceError, match="begins like AVIF") as caught:
        decode(box(b"mif1", b"avif"))
    assert caught.value.reason is Reason.UNDECODABLE


def test_heic() -> None:
    heif = pytest.importorskip("pillow_heif")
    buffer = BytesIO()
    heif.from_pillow(RGB).save(buffer, quality=95, chroma=444)
    assert off(buffer.getvalue()) <= 12
    with pytest.raises(FaceError) as caught:
        decode(buffer.getvalue()[:60])
    assert caught.value.reason is Reason.UNDECODABLE


def test_a_folder_is_searched_for_them_all() -> None:
    assert {".jp2", ".j2k", ".gif", ".avif", ".heic", ".heif"} <= IMAGE_SUFFIXES
    assert decode(encoded(GREY, "GIF")).shape == smooth().shape


def deep(kind: str, values: list[int], bits: int) -> bytes:
    """One row of 16-bit grey whose file states `bits`."""
    image = Image.fromarray(np.array([values], np.uint16))
    if kind == "TIFF":
        return encoded(image, kind, tiffinfo={281: 2**bits - 1})
    data = encoded(image, kind)
    body = b"sBIT" + bytes([bits])
    chunk = (1).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return data[:33] + chunk + data[33:]  # behind IHDR


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
@pytest.mark.parametrize("bits", [10, 12])
def test_10_and_12_bit_grey_has_its_own_white(kind: str, bits: int) -> None:
    white = 2**bits - 1
    assert decode(deep(kind, [0, white // 2, white], bits))[0, :, 0].tolist() == [0, 127, 255]
    beyond = decode(deep(kind, [0, 30_000, 65_535], bits))  # scaled up, as the standard demands, or a false tag
    assert beyond[0, :, 0].tolist() == [0, 117, 255]


def test_a_dark_png_that_was_scaled_up_stays_dark() -> None:
    assert decode(deep("PNG", [0, 16, 4080], 12))[0, :, 0].tolist() == [0, 0, 16]


def deep_colour_png(values: np.ndarray, bits: int, orientation: int = 1) -> bytes:
    data = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    exif = Image.Exif()
    exif[0x0112] = orientation
    chunks = ((b"sBIT", bytes([bits] * values.shape[2])), (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return data[:33] + made + data[33:]


def deep_colour_tiff(values: np.ndarray, bits: int, orientation: int = 1) -> bytes:
    height, width, channels = values.shape
    pixels, at = values.astype("<u2").tobytes(), 8 + 2 + 11 * 12 + 4
    three, white = at, 2**bits - 1
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, three), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, at + 12), (274, 3, 1, orientation), (277, 3, 1, channels), (278, 3, 1, height),
        (279, 4, 1, len(pixels)), (281, 3, 3, at + 6),
    ]  # fmt: skip
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + struct.pack("<I", 0)
    return head + struct.pack("<6H", 16, 16, 16, white, white, white) + pixels


@pytest.mark.parametrize("make", [deep_colour_png, deep_colour_tiff])
@pytest.mark.parametrize("bits", [10, 12])
def test_10_and_12_bit_colour_has_its_own_white(make: Callable[..., bytes], bits: int) -> None:
    white = 2**bits - 1
    row = np.array([[[white, 0, white // 2], [0, white, 1]]], np.uint16)
    assert decode(make(row, bits)).tolist() == [[[255, 0, 127], [0, 255, 0]]]
    assert decode(make(row, bits, 3)).tolist() == [[[0, 255, 0], [255, 0, 127]]]  # turned by 180°
    full = np.array([[[65535, 0, 30000], [0, 65535, 1]]], np.uint16)  # scaled up, or a false tag
    assert decode(make(full, bits))[0, 0].tolist() == [255, 0, 117]


def test_colour_that_was_scaled_up_to_16_bits_is_not_scaled_again() -> None:
    dark = np.array([[[4080, 0, 16], [0, 64, 16]]], np.uint16)  # 255, 1, 4 of 12 bits, times 16
    assert decode(deep_colour_png(dark, 12))[0, 0].tolist() == [15, 0, 0]


def test_transparent_deep_colour_is_laid_on_white() -> None:
    values = np.array([[[1023, 0, 1, 1023], [1, 0, 0, 0]]], np.uint16)
    data = deep_colour_png(values[..., [3, 0, 1, 2]], 10)  # turned round by the helper: blue, green, red, alpha
    assert decode(data)[0].tolist() == [[255, 0, 0], [255, 255, 255]]
