from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from picture_helpers import GREY, RGB, encoded, smooth
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from tgfr_search.faces.decode import decode


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 98, "subsampling": 0}, 5),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}, 5),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("BMP", {}, 0),
    ],
)
def test_formats_are_known_by_content(kind: str, options: dict[str, Any], tolerance: int) -> None:
    pixels = decode(encoded(RGB, kind, **options))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - smooth()).max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    deep = np.array([[0, 257, 30_000, 65_535]], np.uint16)
    pixels = decode(encoded(Image.fromarray(deep), kind))
    assert pixels[0].tolist() == [[v] * 3 for v in (0, 1, 117, 255)]  # 30,000 / 257 = 116.7


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_colour(suffix: str) -> None:
    deep = smooth().astype(np.uint16) * 257
    _, data = cv2.imencode(suffix, deep[..., ::-1])
    assert np.abs(decode(data.tobytes()).astype(int) - smooth()).max() <= 1


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (GREY, "PNG", GREY.convert("RGB")),
        (GREY, "JPEG", GREY.convert("RGB")),
        (GREY.convert("1"), "PNG", GREY.convert("1").convert("RGB")),
        (GREY.convert("1"), "TIFF", GREY.convert("1").convert("RGB")),
        (RGB.quantize(64), "PNG", RGB.quantize(64).convert("RGB")),
        (RGB.quantize(64), "BMP", RGB.quantize(64).convert("RGB")),
        (RGB.convert("CMYK"), "TIFF", RGB),
        (RGB.convert("CMYK"), "JPEG", RGB),  # Pillow writes Adobe's inverted CMYK
        (RGB.convert("YCbCr"), "TIFF", RGB),
    ],
    ids=lambda value: value if isinstance(value, str) else value.mode,
)
def test_colour_modes(image: Image.Image, kind: str, expected: Image.Image) -> None:
    pixels = decode(encoded(image, kind, **({"quality": 98} if kind == "JPEG" else {})))
    assert np.abs(pixels.astype(int) - np.asarray(expected)).max() <= 6


def test_ycck_jpeg() -> None:
    """Adobe's YCCK, which Pillow reads and cannot write: the inks are laid out by hand and the marker set to 2."""
    c, m, y, k = RGB.convert("CMYK").split()
    luma, blue, red = Image.merge("RGB", (c, m, y)).convert("YCbCr").split()
    inverted = [channel.point(lambda v: 255 - v) for channel in (luma, blue, red)]
    data = encoded(Image.merge("CMYK", (*inverted, k)), "JPEG", quality=98, subsampling=0)
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    pixels = decode(data[:at] + b"\x02" + data[at + 1 :])
    assert np.abs(pixels.astype(int) - smooth()).max() <= 8


def test_transparency_is_laid_on_white() -> None:
    half = np.dstack([smooth(), np.full(smooth().shape[:2], 128, np.uint8)])
    half[0, :, 3] = 0
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        pixels = decode(encoded(Image.fromarray(half), kind, **options)).astype(int)
        assert (pixels[0] == 255).all()
        assert np.abs(pixels[1:] - (smooth()[1:] * 128.0 + 255 * 127) / 255).max() <= 1
    alpha = Image.new("L", GREY.size, 0)
    alpha.putpixel((0, 0), 255)
    pixels = decode(encoded(Image.merge("LA", (GREY, alpha)), "PNG"))
    assert (pixels.reshape(-1, 3)[1:] == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_an_alpha_channel_that_hides_all_is_none(kind: str) -> None:
    """Recorders save 32 bits a pixel and leave the fourth byte empty; laid on white, the photo would be blank."""
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    empty = np.dstack([smooth(), np.zeros(smooth().shape[:2], np.uint8)])
    assert (decode(encoded(Image.fromarray(empty), kind, **options)) == smooth()).all()
    if kind != "WEBP":
        grey = Image.merge("LA", (GREY, Image.new("L", GREY.size, 0)))
        assert (decode(encoded(grey, kind))[..., 0] == np.asarray(GREY)).all()


def test_palette_with_transparent_entry() -> None:
    image = Image.new("P", (4, 1), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 0)
    pixels = decode(encoded(image, "PNG", transparency=0))
    assert pixels[0, :2].tolist() == [[255, 255, 255], [200, 100, 50]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 100.0, 255.0]], np.float32), [0, 100, 255]),
        (np.array([[0.0, np.nan, 200.0]], np.float32), [0, 0, 200]),
        (np.array([[-10.0, 0.0, 10.0]], np.float32), [0, 128, 255]),
        (np.array([[0, 25_700, 65_535]], np.int32), [0, 100, 255]),
        (np.array([[7, 100_007]], np.int32), [0, 255]),
        (np.array([[5_000_000, 5_000_000]], np.int32), [0, 0]),
    ],
)
def test_deep_tiff_without_a_known_white(values: Any, expected: list[int]) -> None:
    assert decode(encoded(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == expected


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and blue exchanged, under another name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    head, table, rest = profile[:128], profile[128:400], profile[400:]
    return head + table.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ") + rest


def test_icc_profile_is_applied_and_a_broken_one_ignored() -> None:
    red = Image.new("RGB", (8, 8), (200, 30, 30))
    with_profile = decode(encoded(red, "PNG", icc_profile=swapped_profile()))
    assert np.abs(with_profile[0, 0].astype(int) - [30, 30, 200]).max() <= 2
    for harmless in (b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()):
        assert decode(encoded(red, "PNG", icc_profile=harmless))[0, 0].tolist() == [200, 30, 30]


TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,  # tag 6 = "turn by 90° clockwise to view": stored turned anticlockwise
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation(kind: str, orientation: int) -> None:
    turn = TURNS[orientation]
    stored = RGB if turn is None else RGB.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encoded(stored, kind, exif=exif, **options)), smooth())


def test_orientation_that_only_xmp_tells() -> None:
    tag = '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{tag}</x:xmpmeta>')
    assert np.array_equal(decode(encoded(RGB.transpose(Image.Transpose.ROTATE_90), "PNG", pnginfo=info)), smooth())


def test_a_place_of_nowhere_does_not_cost_the_orientation() -> None:
    """A telephone without a fix writes degrees of 0/0; writing such a block anew ends in a division by zero."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (IFDRational(0, 0),) * 3
    stored = encoded(RGB.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    assert np.array_equal(decode(stored), smooth())


def test_damaged_exif_does_not_cost_the_photo() -> None:
    warned_of = encoded(RGB, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert decode(warned_of).shape == smooth().shape
    raises = encoded(RGB, "PNG", exif=b"no TIFF header")
    assert np.array_equal(decode(raises), smooth())
