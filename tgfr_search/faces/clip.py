"""A video file as pictures: a bounded number of frames, evenly spread over it, decoded by OpenCV's FFmpeg."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeGuard

import cv2
import numpy as np

from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.photo import Photo

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in "mp4 m4v mov avi mkv webm mpg mpeg mts m2ts ts 3gp wmv flv vob ogv asf dav".split()  # noqa: SIM905
)
FRAMES = 48
"""Frames that are looked at."""
JUMP_FROM = 24
"""Frames between two that are looked at, from which on they are jumped to; closer ones are read through."""
COUNTED = 100_000
"""Frames that are gone through of a file that does not tell how many it has."""
BLOCK = 1 << 20

# A file that names others (a playlist) must not make FFmpeg fetch them: only this file is read, and nothing leaves.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # what a file lacks is told by an error of ours


def is_video(path: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether that is the path of a video file, by its ending."""
    if not isinstance(path, str | os.PathLike):
        return False
    return Path(os.fsdecode(path)).suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a clip.

    Attributes:
        number: From 0.
        seconds: From the beginning.
        photo: Its pixels; `sha256` is the digest of these, uint8 RGB row by row, not of any bytes of the file.
    """

    number: int
    seconds: float
    photo: Photo


class Clip:
    """An open video file. Use it in a `with` statement.

    Args:
        path: The file.
        max_pixels: Largest frame decoded.

    Attributes:
        sha256: Of the file.
        frames: How many frames it says that it has, or has where it does not say.
        rate: Frames a second; 0 where it is not told.
        last: Number of the last frame that was decoded; −1 before the first.

    Raises:
        FaceError: MISSING_IMAGE, IO_ERROR, EMPTY_FILE; UNDECODABLE where it is no video that can be read;
            TOO_MANY_PIXELS.
    """

    def __init__(self, path: str | os.PathLike[str], max_pixels: int) -> None:
        self.path = Path(path).resolve()  # "/…": never one of FFmpeg's addresses
        self.sha256 = _digest(self.path)
        self._open = self._opened()
        width, height = (self._number(what) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > max_pixels:
            self.close()
            found = f"frames of {width:.0f}×{height:.0f} pixels, the limit is {max_pixels:,}"
            raise FaceError(Reason.TOO_MANY_PIXELS, found)
        self.rate, self.last = self._number(cv2.CAP_PROP_FPS), -1
        self.frames = int(self._number(cv2.CAP_PROP_FRAME_COUNT)) or self._counted()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._open.release()

    @property
    def cut_off(self) -> bool:
        """Whether frames were missing at the end of what was read."""
        return 0 <= self.last < self.frames - 1 - max(2, self.frames // FRAMES)

    def spread(self, count: int = FRAMES) -> Iterator[Frame]:
        """So many frames at most, evenly spread over the clip, in order."""
        wanted = np.unique(np.linspace(0, max(0, self.frames - 1), count).round().astype(int)).tolist()
        yield from self.take(wanted)

    def take(self, wanted: Sequence[int]) -> Iterator[Frame]:
        """The frames of these numbers, rising; those that cannot be decoded are left out."""
        apart = (wanted[-1] - wanted[0]) / max(1, len(wanted) - 1) if wanted else 0
        self.last = -1
        yield from self._jumped(wanted) if apart >= JUMP_FROM else self._read_through(wanted)

    def _read_through(self, wanted: Sequence[int]) -> Iterator[Frame]:
        here, numbers = self._again(), set(wanted)
        for number in range(wanted[-1] + 1 if wanted else 0):
            if not here.grab():
                return
            if number in numbers:
                found, pixels = here.retrieve()
                if found:
                    yield self._frame(number, pixels)

    def _jumped(self, wanted: Sequence[int]) -> Iterator[Frame]:
        here = self._again()
        for number in wanted:
            here.set(cv2.CAP_PROP_POS_FRAMES, number)
            found, pixels = here.read()
            at = int(self._number(cv2.CAP_PROP_POS_FRAMES)) - 1
            if found and at > self.last:  # beyond the end some files give their last frame again
                yield self._frame(at, pixels)

    def _frame(self, number: int, pixels: Any) -> Frame:
        self.last = number
        rgb = np.ascontiguousarray(pixels[:, :, ::-1])
        seconds = number / self.rate if self.rate else self._number(cv2.CAP_PROP_POS_MSEC) / 1000
        return Frame(number, round(seconds, 3), Photo(rgb, hashlib.sha256(rgb.tobytes()).hexdigest()))

    def _opened(self) -> Any:
        capture = cv2.VideoCapture(os.fspath(self.path), cv2.CAP_FFMPEG)
        if capture.isOpened():
            return capture
        detail = f"{self.path.name!r} is no video that can be read: damaged, cut off, or of another kind"
        raise FaceError(Reason.UNDECODABLE, detail, do="get the whole file, or play it and give still pictures of it")

    def _again(self) -> Any:
        """The file from its beginning; what was at the end of a stream does not always find back."""
        self._open.release()
        self._open = self._opened()
        return self._open

    def _number(self, what: int) -> float:
        """A number that the file tells; 0 where it is none."""
        value = float(self._open.get(what))
        return value if math.isfinite(value) and value > 0 else 0.0

    def _counted(self) -> int:
        count = 0
        while count < COUNTED and self._open.grab():
            count += 1
        return count


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    try:
        if not path.is_file():
            known = Reason.IO_ERROR if path.exists() else Reason.MISSING_IMAGE
            raise FaceError(known, f"{str(path)!r} is no file" if path.exists() else f"{str(path)!r} does not exist")
        with path.open("rb") as file:
            size = 0
            while block := file.read(BLOCK):
                total.update(block)
                size += len(block)
    except OSError as error:
        raise FaceError(Reason.IO_ERROR, f"{str(path)!r}: {error.strerror or error}") from error
    if not size:
        raise FaceError(Reason.EMPTY_FILE, f"{path.name!r} has no bytes")
    return total.hexdigest()
