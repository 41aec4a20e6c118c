"""FFHQ-Text (Zhou and Shimada, FG 2021): 760 photos of women from FFHQ with nine descriptions each.

Verified: the README of Yutong-Zhou-cv/FFHQ-Text_Dataset lists the parts (Image: 760 PNG, Text: 760 TXT of nine
descriptions, Train and Test: pickles, `bounding_boxes` and `images`: TXT). The archive is handed out on request: how
its folders and files are spelled could not be seen, so they are searched for in any case of letters, in the singular
and the plural. The pickles are not opened, so there are no splits.

Nothing says which photos show the same person: each counts as a subject of its own, and there are no genuine pairs.
"""

from __future__ import annotations

from pathlib import Path

from tgfr_search.data.layouts.base import Entry, Layout, by_stem, caption_lines_of, images_by_stem, need, place
from tgfr_search.data.rows import OnProblem, Problem
from tgfr_search.errors import Reason

TITLE = "FFHQ-Text"
_LISTS = {"bounding_boxes.txt", "images.txt"}


def _spelled(folder: Path, *names: str) -> list[str]:
    """Sub-folders of one of the names in any case of letters, as they are spelled here; else the first name."""
    wanted = [name.lower() for name in names]
    there = [path.name for path in folder.iterdir() if path.is_dir() and path.name.lower() in wanted]
    return [f"{name}/" for name in sorted(there, key=lambda name: wanted.index(name.lower()))] or [f"{names[0]}/"]


def _marks(folder: Path) -> int:
    return 2 if {path.name.lower() for path in folder.glob("*.[tT][xX][tT]")} >= _LISTS else 0


def _entries(folder: Path, on_problem: OnProblem) -> list[Entry]:
    images = need(folder, TITLE, _spelled(folder, "images", "image"))
    texts = need(folder, TITLE, _spelled(folder, "text", "texts"))
    pictures, said = images_by_stem(images, on_problem), by_stem(texts, {".txt"}, on_problem)
    for stem in sorted(said.keys() - pictures.keys()):
        on_problem(
            Problem(place(folder, texts, said[stem]), Reason.UNMATCHED_CAPTION, f"no image {stem} in {images.name}/")
        )
    return [
        Entry(
            place(folder, images, name),
            stem,
            caption_lines_of(texts / said[stem], on_problem) if stem in said else (),
        )
        for stem, name in pictures.items()
    ]


FFHQ_TEXT = Layout(
    "ffhq-text",
    TITLE,
    "FFHQ-Text: CC BY-NC-SA 4.0, research only; its photos keep the licences their owners gave them on Flickr.",
    _marks,
    _entries,
)
