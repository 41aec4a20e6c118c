"""The photo of a probe with its faces outlined and numbered: which one is meant is told by `--face N`."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from tgfr_search.faces.photo import Photo
from tgfr_search.outputs import MARK, SOFTWARE, write_whole
from tgfr_search.types import SeenFace

LONGEST = 1600
"""Longer side of the picture; a larger photo is reduced."""
CHOSEN, OTHER = "#d97706", "#2563eb"


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
        label = (x, max(0.0, y - size - 2))
        box = draw.textbbox(label, str(number), font_size=size)
        draw.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), fill=colour)
        draw.text(label, str(number), "white", font_size=size)
    marked, buffer = PngInfo(), io.BytesIO()
    marked.add_text(SOFTWARE, MARK)
    picture.save(buffer, "PNG", pnginfo=marked)
    write_whole(path, buffer.getvalue())
