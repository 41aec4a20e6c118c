"""A demo gallery without anybody's photograph: synthetic people, their captions, and probes good and poor."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tgfr_search.data.captions import caption_lines
from tgfr_search.data.degrade import degrade_photo
from tgfr_search.data.synthetic import EYE_DISTANCE, Person, SyntheticFaces
from tgfr_search.errors import InputError
from tgfr_search.types import ByteArray

MARKER, FORMAT = "demo.json", "tgfr-demo-1"
LINES = 5
"""Caption lines of a gallery image."""
LEVEL = "poor"
"""Rung of `tgfr_search.data.degrade.LADDER` that the degraded probes have."""
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What was written.

    Attributes:
        directory: The demo folder.
        people: Synthetic persons.
        gallery: Images to enrol, below `gallery/`.
        captions: Caption lines in `gallery/captions.csv`.
        probes: Clean probes, and as many degraded ones.
    """

    directory: Path
    people: int
    gallery: int
    captions: int
    probes: int


def write_demo(directory: Path, people: int = 100, views: int = 3, seed: int = 0) -> DemoSummary:
    """Write a demo: `gallery/` with `captions.csv`, `probes/`, `probes-degraded/`, and `probes.csv`.

    The same arguments give the same files. A previous demo in the folder is replaced; other files are left alone.

    Args:
        directory: Where to; made where it is not there.
        people: Synthetic persons, 1 to 9,999.
        views: Photos a person, at least 2: the last is the probe, the others are the gallery.
        seed: Another seed gives other people.

    Raises:
        InputError: The folder holds something that is no demo, or a number is out of range.
        MissingPartError: The face model is not installed.
    """
    if not 1 <= people <= 9_999 or views < 2 or seed < 0:
        found = f"people {people}, views {views}, seed {seed}"
        raise InputError("demo", found=found, expected="people from 1 to 9999, at least 2 views, a seed of 0 or more")
    faces = SyntheticFaces.load()
    _clear(directory)
    settings = {"format": FORMAT, "people": people, "views": views, "seed": seed}
    (directory / MARKER).write_text(json.dumps(settings, indent=2) + "\n")  # first: a run cut short stays recognisable
    captions: list[dict[str, Any]] = []
    probes: list[dict[str, Any]] = []
    for number in range(people):
        person = faces.person(seed * 10_000 + number)
        subject = _subject(number)
        for view in range(views - 1):
            captions += _gallery_image(directory, faces, person, subject, view)
        probes += _probe(directory, faces, person, subject, views - 1)
    _write_table(directory / "gallery" / "captions.csv", captions)
    _write_table(directory / "probes.csv", probes)
    return DemoSummary(directory, people, people * (views - 1), len(captions), people)


def _gallery_image(
    directory: Path, faces: SyntheticFaces, person: Person, subject: str, number: int
) -> Iterator[dict[str, Any]]:
    view = faces.view(person, number)
    name = f"{subject}/view{number}.png"
    _write_image(directory / "gallery" / name, faces.draw(view))
    shown = {name: view.attributes[name] for name in faces.visible}
    metadata = {name: "true" if holds else "false" for name, holds in shown.items()}
    for line in caption_lines(shown, lines=LINES, facts=(2, 5), seed=10 * person.seed + number):
        yield {"image": name, "subject_id": subject, "caption": line, **metadata}


def _probe(
    directory: Path, faces: SyntheticFaces, person: Person, subject: str, number: int
) -> Iterator[dict[str, Any]]:
    """The clean probe and its degraded copy; the witness saw the person, not the photo, so only what lasts is told."""
    photo = faces.render(person, number)
    lasting = {name: holds for name, holds in person.attributes.items() if name in faces.visible}
    caption = caption_lines(lasting, lines=1, facts=(4, 6), seed=person.seed)[0]
    poor = degrade_photo(photo, EYE_DISTANCE, LEVEL, key=str(person.seed))
    for name, quality, pixels in (
        (f"probes/{subject}.png", "clean", photo),
        (f"probes-degraded/{subject}.jpg", LEVEL, poor),
    ):
        _write_image(directory / name, pixels)
        yield {"image": name, "subject_id": subject, "caption": caption, "quality": quality}


def _clear(directory: Path) -> None:
    """Make room: delete exactly the files that the previous demo wrote, so that nothing of the user's goes."""
    if not directory.exists():
        directory.mkdir(parents=True)
        return
    if not directory.is_dir() or (any(directory.iterdir()) and not _is_demo(directory)):
        raise InputError(
            f"demo folder {directory}",
            found="something that is no demo",
            expected="an empty or new folder, or a previous demo",
            do="give another folder",
        )
    if _is_demo(directory):
        before = json.loads((directory / MARKER).read_text())
        for name in _files(before["people"], before["views"]):
            (directory / name).unlink(missing_ok=True)
        for number in range(before["people"]):
            with contextlib.suppress(OSError):  # not there, or something of the user's is in it
                (directory / "gallery" / _subject(number)).rmdir()


def _is_demo(directory: Path) -> bool:
    try:
        marker = json.loads((directory / MARKER).read_text())
        return bool(marker["format"] == FORMAT and marker["people"] > 0 and marker["views"] > 1)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _files(people: int, views: int) -> Iterator[str]:
    yield from ("gallery/captions.csv", "probes.csv")
    for number in range(people):
        subject = _subject(number)
        yield from (f"gallery/{subject}/view{view}.png" for view in range(views - 1))
        yield from (f"probes/{subject}.png", f"probes-degraded/{subject}.jpg")


def _subject(number: int) -> str:
    return f"person{number:04d}"


def _write_image(path: Path, pixels: ByteArray) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    _, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(pixels[:, :, ::-1]), options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
