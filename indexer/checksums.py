"""The checksum at the end of a cache file: written last, and looked at before the file is believed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MARK = b"TGFRCRC1"
TRAILER = len(_MARK) + 4
"""Bytes of a checksum with its mark."""
_CHUNK = 1 << 20


def is_whole(path: Path) -> bool:
    """Whether a cache file agrees with its checksum."""
    try:
        left, crc = path.stat().st_size - TRAILER, 0
        with path.open("rb") as file:
            while left > 0:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    return False
                crc, left = zlib.crc32(chunk, crc), left - len(chunk)
            return file.read() == _trailer(crc)
    except OSError:
        return False


def summed(parts: Iterable[Any]) -> Iterator[memoryview]:
    """The parts, and the checksum over them at the end."""
    crc = 0
    for part in parts:
        view = memoryview(part).cast("B") if len(part) else memoryview(b"")
        crc = zlib.crc32(view, crc)
        yield view
    yield memoryview(_trailer(crc))


def _trailer(crc: int) -> bytes:
    return _MARK + crc.to_bytes(4, "little")
