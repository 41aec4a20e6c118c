"""Bytes → an upright 8-bit RGB picture, or the reason why not.

Photographs come from strangers: the format is read from the content, from an allow-list; the size in bytes is checked
before a file is read and the size in pixels before it is decoded; and whatever a decoder throws becomes a `FaceError`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms

from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.container import no_memory, open_photo, stated_white
from tgfr_search.faces.deep_colour import deep_colour
from tgfr_search.faces.truncated import completed
from tgfr_search.faces.unheard import unheard
from tgfr_search.types import ByteArray

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 100_000_000
PILLOW_PIXELS = 178_956_970
"""Pillow refuses anything larger by itself, so a higher limit of ours would be an empty promise."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_bytes(path: str | Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a photo file.

    Args:
        path: File to read.
        max_bytes: Largest size read; a larger file is refused unread.

    Raises:
        FaceError: MISSING_IMAGE, IO_ERROR (folder, pipe, no permission, name too long) or TOO_MANY_BYTES.
    """
    shown = repr(str(path))  # repr: a file name that is not UTF-8 must not break the report it is written to
    try:
        status = os.stat(path)  # noqa: PTH116 - one call answers "is it there, is it a file, how large"
        if stat.S_ISDIR(status.st_mode):
            raise FaceError(Reason.IO_ERROR, f"{shown} is a folder, not an image file")
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise FaceError(Reason.IO_ERROR, f"{shown} is not a regular file")
        if status.st_size > max_bytes:
            raise FaceError(Reason.TOO_MANY_BYTES, f"{status.st_size:,} bytes, the limit is {max_bytes:,}")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise FaceError(Reason.MISSING_IMAGE, f"{shown} does not exist") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FaceError(Reason.IO_ERROR, f"{shown}: {getattr(error, 'strerror', None) or error}") from error


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture and what of it is the file's.

    Attributes:
        pixels: uint8 [H, W, 3], read-only, RGB (sRGB where an ICC profile says how), upright by its EXIF tag.
        reduced: Pixels of the file along a side of one of `pixels`: 1, or 2, 4, 8 where a JPEG was reduced.
        there: (left, top, right, bottom) of what is there of a file that was cut off, in `pixels`; None of a whole one.
    """

    pixels: ByteArray
    reduced: int = 1
    there: tuple[int, int, int, int] | None = None


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ByteArray:
    """The picture of `decode_photo`, of a whole file alone.

    Raises:
        FaceError: As `decode_photo`, and UNDECODABLE where the file is cut off.
    """
    decoded = decode_photo(data, max_pixels=max_pixels)
    if decoded.there is not None:
        raise FaceError(Reason.UNDECODABLE, "the file is cut off")
    return decoded.pixels


def decode_photo(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode one photo.

    16-bit and float values are scaled, transparency is laid on white (unless all is transparent), CMYK and palettes are
    converted. Of several frames the first is taken, of a TIFF's pages the largest. A JPEG over the limit is reduced to
    ½, ¼ or ⅛ while it is decoded. A JPEG or PNG that was cut off is decoded as far as it goes.

    Args:
        data: The encoded image.
        max_pixels: Largest width × height, checked in the header before anything is decoded.

    Raises:
        FaceError: EMPTY_FILE, UNSUPPORTED_FORMAT, TOO_MANY_PIXELS, UNDECODABLE, or IO_ERROR where the memory does
            not suffice.
    """
    if not data:
        raise FaceError(Reason.EMPTY_FILE, "the file has 0 bytes")
    # Pillow warns of damaged EXIF and of sizes that our own limit judges; a run over a million photos must not print
    # each.
    with unheard():
        image, reduced = open_photo(data, max_pixels)
        found = f"{image.format} {image.width}×{image.height}"
        try:
            image.load()
            upright = _upright(image, deep_colour(data, image))
            return Decoded(np.asarray(_rgb(upright, stated_white(data, image))), reduced)
        except MemoryError as error:
            raise no_memory(found) from error
        except Exception as error:  # decoders of hostile files raise anything, and one photo never stops a run
            rest = completed(data)
            if rest is None:
                raise FaceError(Reason.UNDECODABLE, f"{found}: {error or type(error).__name__}") from error
        return _cut_off(*rest, max_pixels)


def _cut_off(whole: bytes, rows: int, max_pixels: int) -> Decoded:
    """A file that was made whole, of which so many rows from the top are its own."""
    image, reduced = open_photo(whole, max_pixels)
    image.load()
    own = Image.new("L", image.size)
    own.paste(255, (0, 0, image.width, rows // reduced))
    turn = _turn(image)
    box = (own if turn is None else own.transpose(turn)).getbbox()
    return Decoded(np.asarray(_rgb(_upright(image), stated_white(whole, image))), reduced, box or (0, 0, 0, 0))


def upright_pixels(image: Image.Image) -> ByteArray:
    """A Pillow image as `decode` would give it: uint8 [H, W, 3], RGB, upright by its EXIF tag.

    Raises:
        FaceError: UNDECODABLE where Pillow cannot load or convert it, EMPTY_FILE where it has no pixel.
    """
    found = f"Pillow image {image.mode} {image.width}×{image.height}"
    if not image.width or not image.height:
        raise FaceError(Reason.EMPTY_FILE, found)
    try:
        return np.asarray(_rgb(_upright(image)))
    except MemoryError as error:
        raise no_memory(found) from error
    except Exception as error:  # as in `decode`
        raise FaceError(Reason.UNDECODABLE, f"{found}: {error or type(error).__name__}") from error


def _upright(image: Image.Image, pixels: Image.Image | None = None) -> Image.Image:
    """An image turned as it says; `pixels` are its own, read otherwise."""
    turn, shown = _turn(image), pixels or image
    return shown if turn is None else shown.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return None


def _rgb(image: Image.Image, stated: int = 65535) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        image = _eight_bit(image, stated)
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        # An alpha channel that hides every pixel is a fourth byte that some recorder's program has left empty.
        shown = layer.getchannel("A").getextrema() != (0, 0)
        white = Image.new("RGBA", image.size, "white")
        image = (Image.alpha_composite(white, layer) if shown else layer).convert("RGB")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if profile:
        image = _managed(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")  # `convert` would copy a photo that is RGB already


def _managed(image: Image.Image, profile: bytes) -> Image.Image:
    """The picture in sRGB, or as it is where the profile is damaged or for another kind of picture."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        managed = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    return image if managed is None else managed


def _eight_bit(image: Image.Image, stated: int) -> Image.Image:
    """Grey of more than 8 bits, scaled to 0–255.

    16-bit pictures have a known white: what the file states, where no value is beyond it, else 65,535. 32-bit integers
    and floats do not: the white is the smallest of 1 (float), 255 and 65,535 that holds every value, and anything else
    (negative, larger) is stretched from its least to its greatest.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        white = float(stated) if high <= stated else 65535.0
    else:
        whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((w for w in whites if low >= 0 and high <= w), 0.0)
        if not white:
            values, white = values - low, high - low or 1.0
    return Image.fromarray((values * (255.0 / white) + 0.5).astype(np.uint8))
