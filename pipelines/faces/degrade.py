"""Photos as a poorer camera would have taken them: the quality ladder of the benchmark, written to files."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipelines.faces.aligned import Progress, silent
from tgfr_search.data.degrade import LADDER, degrade, degrade_photo
from tgfr_search.data.records import IMAGE_SUFFIXES, read_records
from tgfr_search.errors import FaceError, InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.schemes import corner_eyes_px
from tgfr_search.outputs import MARK, SOFTWARE, check_file, write_whole
from tgfr_search.types import ByteArray

JPEG_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif"}
JPEG_QUALITY = 97
"""High: what this file adds must stay far below what the level does."""


@dataclass
class WorsenSummary:
    """What was written.

    Attributes:
        level: Of the quality ladder.
        seed: Of the noise.
        written: Photos written.
        refused: Name → why a photo was not: unreadable, or without a face to measure its size by.
    """

    level: str
    seed: int
    written: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self)


def worsen(
    source: Path,
    out: Path,
    level: str,
    *,
    seed: int = 0,
    finder: FaceFinder | None = None,
    progress: Progress = silent,
) -> WorsenSummary:
    """Degrades a photo, or every photo of a folder, as the benchmark degrades it at that level and seed.

    A whole photo is reduced relative to the size of its face and enlarged again; a ready chip (`aligned`) as a chip.

    Args:
        source: A photo or a folder.
        out: The file or the folder to write; names below a folder stay as they are. What is not JPEG becomes PNG and
            gets that ending behind its own.
        level: Of the quality ladder.
        seed: Another seed gives another noise.
        finder: How photos become faces.
        progress: Called as the work goes on.

    Raises:
        InputError: No such level or source, or the output would overwrite the source.
        NothingUsableError: The folder has no image.
    """
    if level not in LADDER:
        raise InputError(f"level {level!r}", expected=f"of: {', '.join(LADDER)}")
    if source.resolve() == out.resolve():
        raise InputError(f"{out}", found="the source itself", expected="another place", do="give another OUT")
    finder, summary = finder or FaceFinder(), WorsenSummary(level, seed)
    if source.is_dir():
        # Listed before anything is written: OUT may lie inside IN.
        records = list(read_records(source, on_problem=lambda problem: None))
        photos = [(record.name, str(record.path), out / record.name) for record in records]
    elif source.suffix.lower() in IMAGE_SUFFIXES:
        inside = out.is_dir() or out.suffix.lower() not in IMAGE_SUFFIXES
        photos = [(source.name, str(source), out / source.name if inside else out)]
    else:
        found = "no such file or folder" if not source.exists() else "a file of another kind"
        raise InputError(f"{source}", found=found, expected="a photo or a folder of photos")
    targets = [_target(target) for _, _, target in photos]
    for target in targets:
        check_file(target, inputs=[source] if source.is_file() else [])
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise InputError(f"{twice}", found="two photos that would be written there", expected="one", do="rename one")
    for done, ((name, path, _), target) in enumerate(zip(photos, targets, strict=True)):
        try:
            _write(target, _worse(finder, path, level, seed))
            summary.written += 1
        except FaceError as error:
            summary.refused[name] = str(error)
        progress("photos degraded", done + 1, len(photos))
    return summary


def _worse(finder: FaceFinder, path: str, level: str, seed: int) -> ByteArray:
    photo = finder.load(path)
    face = finder.cut(photo)
    if finder.options.aligned:
        side = finder.options.alignment.ladder_side
        return degrade(face.pixels, level, key=photo.sha256, seed=seed, side=side)
    eyes = corner_eyes_px(face.quality.inter_eye_px, face.scheme)
    return degrade_photo(photo.pixels, eyes, level, key=photo.sha256, seed=seed)


def _target(target: Path) -> Path:
    """What is not JPEG becomes PNG, and its name says so."""
    known = target.suffix.lower() in {*JPEG_SUFFIXES, ".png"}
    return target if known else target.with_name(f"{target.name}.png")


def _write(target: Path, pixels: ByteArray) -> None:
    """As JPEG or PNG, by the ending; whole or not at all, and marked as ours."""
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    if target.suffix.lower() in JPEG_SUFFIXES:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, comment=MARK.encode())
    else:
        marked = PngInfo()
        marked.add_text(SOFTWARE, MARK)
        image.save(buffer, "PNG", pnginfo=marked)
    write_whole(target, buffer.getvalue())
