"""Which picture of a file is read, and whether it may be: formats, frames, pages, the limit on pixels.

The format is read from the content, from an allow-list, and the size is judged before anything is decoded.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO

import numpy as np
import PIL
from PIL import Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from tgfr_search.errors import FaceError, Reason

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000")
HEIC = "HEIF"
"""What the extra `heic` adds, by Pillow's name."""
REDUCIBLE = 4
"""A JPEG of as many times the limit is reduced rather than refused: one of 65,535² would keep a core busy for long."""
PAGES = 64
"""As many pages of a TIFF are looked at."""

_KNOWN = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"RIFF": "WebP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"GIF8": "GIF",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
_FOREIGN = {b"%PDF": "PDF", b"PK\x03\x04": "ZIP", b"\x1f\x8b": "gzip", b"\x00\x00\x01\x00": "ICO"}
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_ANY_HEIF = (b"mif1", b"msf1")
MAX_SAMPLE_VALUE = 281
_SUBFILE_TYPE, _TRANSPARENCY_MASK = 254, 4
"""A TIFF's tag NewSubfileType, and the bit of it that says: this page is no picture."""


def no_memory(found: str) -> FaceError:
    """A photo that says nothing about itself: another time, or on another machine, it may well be read."""
    return FaceError(Reason.IO_ERROR, f"{found}: not enough memory to decode it now")


def open_photo(data: bytes, max_pixels: int) -> tuple[Image.Image, int]:
    """The picture of a file as a Pillow image that is not decoded yet, and by how much it will be reduced.

    Of an animation it is the first frame, of a phone's JPEG with a depth map the photo, of a TIFF the page with the
    most pixels (scanners put a thumbnail before or behind), the first of several that are alike.

    Args:
        data: The encoded image, not empty.
        max_pixels: Largest width × height. A baseline JPEG of up to `REDUCIBLE` times that many is set to be decoded
            at ½, ¼ or ⅛ of its width and height.

    Returns:
        The image, and 1, or 2, 4, 8 where it is set to be reduced.

    Raises:
        FaceError: UNSUPPORTED_FORMAT, TOO_MANY_PIXELS or UNDECODABLE.
    """
    try:
        image = _opened(data)
        if image.format == "TIFF":
            _to_largest_page(image)
    except Image.DecompressionBombError as error:
        raise FaceError(Reason.TOO_MANY_PIXELS, f"{error}; the limit is {max_pixels:,}") from error
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except FaceError:
        raise
    except MemoryError as error:
        raise no_memory(_kind(data)) from error
    except Exception as error:  # decoders of hostile files raise anything, and one photo never stops a run
        raise FaceError(Reason.UNDECODABLE, f"{_kind(data)}: {error or type(error).__name__}") from error
    pixels = image.width * image.height
    found = f"{image.format} {image.width}×{image.height} = {pixels:,} pixels"
    if pixels <= max_pixels:
        return image, 1
    part = _reduced(image, max_pixels)
    if not part:
        raise FaceError(Reason.TOO_MANY_PIXELS, f"{found}, the limit is {max_pixels:,}")
    return image, part


def decoders() -> str:
    """What reads photos here: with something else, one that was refused may be read."""
    try:
        heic = version("pillow-heif")
    except PackageNotFoundError:
        heic = "none"
    return f"pillow {PIL.__version__}, pillow-heif {heic}"


def stated_white(data: bytes, image: Image.Image) -> int:
    """The largest grey value that a file with more than 8 bits says it has: 4,095 of a 12-bit scan; else 65,535.

    A TIFF says so by MaxSampleValue or BitsPerSample. A PNG's sBIT says how many bits were significant *before* they
    were scaled up to 16, as its standard demands. Some writers leave them as they were: values within the smaller
    range, whose lowest bits are not the empty ones that scaling gives such values.

    Args:
        data: The encoded image.
        image: The same, loaded.
    """
    if not image.mode.startswith("I;16"):
        return 65535
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = int(np.max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, 16)))
        most = int(np.max(image.tag_v2.get(MAX_SAMPLE_VALUE, 0)))
        return most if 255 < most < 65535 else 2 ** min(max(bits, 8), 16) - 1
    at = data.find(b"sBIT", 0, data.find(b"IDAT")) if image.format == "PNG" else -1
    if at < 0 or not 8 <= data[at + 4] < 16:
        return 65535
    white, step = 2 ** data[at + 4] - 1, 2 ** (16 - data[at + 4])
    values = np.asarray(image)
    return white if values.max() <= white and (values % step).any() else 65535


def _opened(data: bytes) -> Image.Image:
    if _brand(data) == "HEIC":
        try:
            import_module("pillow_heif").register_heif_opener()
        except ImportError as error:
            raise FaceError(
                Reason.UNSUPPORTED_FORMAT,
                f"the content is HEIC, which needs a decoder that is not installed ({error})",
                do="pip install 'tgfr-search[heic]', or save the photo as JPEG or PNG",
            ) from error
        return Image.open(BytesIO(data), formats=(HEIC,))
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        # Pillow's own limit knows nothing of reduced decoding, and can only be lifted for the whole process.
        if _kind(data) != "JPEG":
            raise
        return JpegImagePlugin.JpegImageFile(BytesIO(data))


def _to_largest_page(image: Image.Image) -> None:
    best, most = 0, 0
    for page in range(min(getattr(image, "n_frames", 1), PAGES)):
        try:
            image.seek(page)
        except Image.DecompressionBombError:
            raise
        except Exception:  # a page that cannot be read is none; the others may be whole
            continue
        tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
        mask = int(tags.get(_SUBFILE_TYPE, 0)) & _TRANSPARENCY_MASK
        if not mask and image.width * image.height > most:
            best, most = page, image.width * image.height
    image.seek(best)


def _reduced(image: Image.Image, max_pixels: int) -> int:
    """Sets a JPEG to be decoded at 1/part of its size, within the limit; the part, or 0 where that cannot be."""
    pixels = image.width * image.height
    # A progressive one is held whole, all its coefficients, however small it is to become.
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.info.get("progressive"):
        return 0
    if pixels > REDUCIBLE * max_pixels:
        return 0
    width, height = image.size
    for part in (2, 4, 8):
        if -(-width // part) * -(-height // part) <= max_pixels:
            image.draft(None, (max(1, width // part), max(1, height // part)))
            return part if image.size == (-(-width // part), -(-height // part)) else 0
    return 0


def _brand(data: bytes) -> str:
    """Which of the formats in an ISO media file (`ftyp`) this is: HEIC, AVIF, or nothing that is known.

    `mif1` and `msf1` say only that it is a picture; the list of compatible brands then says which.
    """
    if data[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]
    if brands[0] in _AVIF_BRANDS:
        return "AVIF"
    if brands[0] in _HEIC_BRANDS:
        return "HEIC"
    if brands[0] not in _ANY_HEIF:
        return ""
    return "AVIF" if any(brand in _AVIF_BRANDS for brand in brands) else "HEIC"


def _unidentified(data: bytes) -> FaceError:
    kind = _kind(data)
    if kind in (*_KNOWN.values(), "AVIF", "HEIC"):
        return FaceError(Reason.UNDECODABLE, f"begins like {kind}, but its header is damaged or cut off")
    return FaceError(Reason.UNSUPPORTED_FORMAT, f"the content is {kind}; readable are {', '.join(FORMATS)}")


def _kind(data: bytes) -> str:
    """What the first bytes look like, in words for a person."""
    for magic, name in (_KNOWN | _FOREIGN).items():
        if data.startswith(magic):
            return name
    if data[4:8] == b"ftyp":
        return _brand(data) or f"MP4 or another of its family (brand {data[8:12]!r})"
    start = data[:256].decode("utf-8", "ignore")
    if start and all(c.isprintable() or c.isspace() for c in start):
        return "text"
    return f"unknown (begins {data[:8].hex(' ')})"
