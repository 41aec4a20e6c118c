"""The rows that are there of a JPEG or PNG that was cut off, found without a setting of the whole process.

Pillow can be told to take cut-off files, but only for the whole process, and then says nothing of what is missing. Here
the file is made whole again, and how many of its rows are its own is counted: of a PNG exactly, of a JPEG by decoding
it with two different ends. A progressive JPEG comes coarse first: once its coarsest scans are there, all rows are, only
blurred, which the quality of the face tells. Interlaced PNGs are refused as before.
"""

from __future__ import annotations

import re
import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, JpegImagePlugin

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""A PNG's colour type → samples a pixel."""
_SOS, _EOI = b"\xff\xda", b"\xff\xd9"
"""Where a JPEG's coded data begin (an embedded thumbnail's come before), and its end."""
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker that ends a scan: neither a stuffed zero nor a restart."""
_MCU = 16
"""Rows of a JPEG's largest block: a row counts only once all of its block is there."""
_NOISE = bytes(np.random.default_rng(0).integers(0, 255, 1 << 14, np.uint8))
"""Another end for a JPEG's coded data, without 0xFF, which would be a marker."""
LEAST_ROWS = 16
LEAST_SCANS = 2
"""Of a progressive JPEG: the mean of each block, and the coarsest of what varies in it."""


def completed(data: bytes) -> tuple[bytes, int] | None:
    """A cut-off file made whole, and how many rows from the top are its own.

    Args:
        data: The encoded image, which a decoder has refused.

    Returns:
        None where it is no JPEG or PNG that can be completed, or fewer than `LEAST_ROWS` rows are there.
    """
    try:
        found = _png(data) if data.startswith(_PNG) else _jpeg(data) if data.startswith(b"\xff\xd8\xff") else None
    except Exception:  # decoders of hostile files raise anything; the file stays what it was: undecodable
        return None
    return found if found is not None and found[1] >= LEAST_ROWS else None


def _png(data: bytes) -> tuple[bytes, int] | None:
    """The rows of its compressed stream that are there, and zeros (filter 0) for the others."""
    head, coded, at = [_PNG], bytearray(), len(_PNG)
    width = height = depth = colour = interlaced = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        end = data[at + 8 + length : at + 12 + length]
        if len(end) == 4 and struct.unpack(">I", end)[0] != zlib.crc32(kind + body):
            return None  # damaged, not cut off: its pixels could be anything
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        if kind == b"IDAT":
            coded += body
        elif not coded and len(body) == length:
            head.append(data[at : at + 12 + length])
        elif coded:
            break
        at += 12 + length
    if interlaced or not width:
        return None
    row = 1 + (width * depth * _CHANNELS[colour] + 7) // 8
    stream = zlib.decompressobj()
    raw = b""
    try:
        raw = stream.decompress(bytes(coded), row * height)
    except zlib.error:
        return None
    there = len(raw) // row
    if there < LEAST_ROWS:  # before what is missing is made up
        return None
    whole = zlib.compress(raw[: there * row] + bytes(row * (height - there)), 1)
    return b"".join([*head, _chunk(b"IDAT", whole), _chunk(b"IEND", b"")]), there


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _jpeg(data: bytes) -> tuple[bytes, int] | None:
    """Decoded with the end at once, and with noise before it: rows that come out alike are the file's."""
    if _EOI in data[max(data.rfind(_SOS), 0) :]:
        return None  # it has its end: damaged, not cut off
    whole = data + _EOI
    with Image.open(BytesIO(whole), formats=("JPEG",)) as image:
        if not isinstance(image, JpegImagePlugin.JpegImageFile):
            return None
        first = np.asarray(image)
        if image.info.get("progressive"):
            return (whole, len(first)) if _scans(data) > LEAST_SCANS else None
    with Image.open(BytesIO(data + _NOISE + _EOI), formats=("JPEG",)) as image:
        other = np.asarray(image)
    differ = np.flatnonzero((first != other).reshape(len(first), -1).any(axis=1))
    there = int(differ[0]) if len(differ) else len(first)
    return whole, there - there % _MCU if there < len(first) else there


def _scans(data: bytes) -> int:
    """Scans of a JPEG that have begun; all but the last are whole. Segments are passed over by their own lengths."""
    at, found = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        at += 2 + length
        if kind == _SOS[1]:
            found += 1
            marker = _AFTER_SCAN.search(data, at)
            if marker is None:
                return found
            at = marker.start()
    return found
