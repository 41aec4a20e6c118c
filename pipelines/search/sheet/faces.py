"""The faces of a probe with their numbers, of a photo or of a clip: which one is meant is told by `--face N`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from tgfr_search.faces.clip import Clip
from tgfr_search.faces.photo import Photo
from tgfr_search.outputs import MARK, SOFTWARE, write_whole
from tgfr_search.types import SeenFace

LONGEST = 1600
"""Longer side of the picture; a larger photo is reduced."""
CHOSEN, OTHER = "#d97706", "#2563eb"
CELL, ACROSS, MOST_PEOPLE = 200, 6, 48
"""Side of a face of a clip, how many stand side by side, and how many are shown."""


def write_faces(path: Path, photo: Photo, seen: tuple[SeenFace, ...]) -> None:
    """Writes the picture.

    Args:
        path: A PNG; that it may be written was checked before.
        photo: The probe, decoded.
        seen: Its faces in the order of their numbers; the one that was searched with has another colour.

    Raises:
        WriteError: The system refused.
    """
    picture = Image.fromarray(photo.pixels)
    picture.thumbnail((LONGEST, LONGEST))
    scale = picture.width / (photo.pixels.shape[1] * photo.reduced)
    draw, pen = ImageDraw.Draw(picture), max(2, LONGEST // 400)
    for number, face in enumerate(seen, start=1):
        x, y, width, height = (edge * scale for edge in face.box)
        colour = CHOSEN if face.chosen else OTHER
        draw.rectangle((x, y, x + width, y + height), outline=colour, width=pen)
        for px, py in face.points:
            draw.ellipse((px * scale - pen, py * scale - pen, px * scale + pen, py * scale + pen), fill=colour)
        size = max(14, round(height / 5))
        _number(draw, (x, max(0.0, y - size - 2)), number, colour, size)
    _write(path, picture)


def write_people(path: Path, video: str | Path, told: Mapping[str, Any], max_pixels: int) -> None:
    """Writes the people of a clip, each by the best picture of the face, with numbers.

    Args:
        path: A PNG; that it may be written was checked before.
        video: The file.
        told: What the answer says of it: `probe["video"]`.
        max_pixels: Largest frame decoded.

    Raises:
        FaceError: The file cannot be read any more.
        WriteError: The system refused.
    """
    tracks = told["tracks"][:MOST_PEOPLE]
    columns = min(len(tracks), ACROSS)
    picture = Image.new("RGB", (columns * CELL, -(-len(tracks) // columns) * CELL), "white")
    draw = ImageDraw.Draw(picture)
    with Clip(video, max_pixels) as clip:
        for frame in clip.take(sorted({track["best"]["frame"] for track in tracks})):
            whole = Image.fromarray(frame.photo.pixels)
            for at, track in enumerate(tracks):
                if track["best"]["frame"] == frame.number:
                    left, top, right, bottom = track["best"]["box"] or (0, 0, *whole.size)
                    around = 0.3 * (right - left)
                    edges = (left - around, top - around, right + around, bottom + around)
                    crop = whole.crop(edges).resize((CELL, CELL))  # black beyond the frame
                    picture.paste(crop, (at % columns * CELL, at // columns * CELL))
    for at, track in enumerate(tracks):
        x, y, colour = at % columns * CELL, at // columns * CELL, CHOSEN if track["chosen"] else OTHER
        draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), outline=colour, width=4)
        _number(draw, (x + 8, y + 6), track["number"], colour, 28)
    _write(path, picture)


def _number(draw: ImageDraw.ImageDraw, at: tuple[float, float], number: int, colour: str, size: int) -> None:
    box = draw.textbbox(at, str(number), font_size=size)
    draw.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), fill=colour)
    draw.text(at, str(number), "white", font_size=size)


def _write(path: Path, picture: Image.Image) -> None:
    marked, buffer = PngInfo(), io.BytesIO()
    marked.add_text(SOFTWARE, MARK)
    picture.save(buffer, "PNG", pnginfo=marked)
    write_whole(path, buffer.getvalue())
