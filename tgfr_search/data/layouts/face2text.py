"""Face2Text (Gatt et al., LREC 2018; Tanti et al., 2022): descriptions of faces written by people.

Verified against the readme files of the releases: 0.1 (`raw.json`, `clean.json`: a list of `img_id`, `image` as in
`Adam_Ant/Adam_Ant_0001.bmp` of LFW, `descriptions`: a list of `desc_id`, `text`) and 1.0 (`raw.json`: a list of
`response_id`, `filename` of CelebA, `user_id`, `description`). The release 2.0, which the paper uses, is handed out on
request and could not be seen; its records are read where they use the field names of the two, as JSON or as JSONL.

Split, as the authors' code for the paper has it (4,500 classes, 1,193 test subjects of 6,193): 4,500 subjects train,
the next 500 validate, the rest test, by sorted subject number. The smaller releases 0.1 and 1.0 have no test subjects.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from tgfr_search.data.layouts import celeba_files as files
from tgfr_search.data.layouts.base import Entry, Layout, first_of, mentions, need, paper_split, place, read_json
from tgfr_search.data.rows import OnProblem, Problem
from tgfr_search.data.tables import json_value
from tgfr_search.errors import InputError, Reason

TITLE = "Face2Text"
SUBJECTS = (4500, 500)
"""Subjects for training and for validation."""
_TEXTS = ("clean.json", "clean.jsonl", "raw.json", "raw.jsonl")
_LFW = ("lfw/", "lfw-deepfunneled/", "lfw_funneled/")
_IMAGE = ("filename", "image", "file_name")
_TEXT = ("description", "descriptions", "text", "caption", "captions")


def _marks(folder: Path) -> int:
    return 2 if mentions(first_of(folder, _TEXTS), '"description') else 0


def _entries(folder: Path, on_problem: OnProblem) -> list[Entry]:
    path = need(folder, TITLE, _TEXTS)
    said = _descriptions(path, on_problem)
    lfw = any("/" in name for name in said)
    if lfw:
        images = need(folder, TITLE, _LFW, "this release describes images of LFW: lay lfw.tgz beside it, unpacked")
        of_image = {str(PurePosixPath(name).with_suffix(".jpg")): PurePosixPath(name).parts[0] for name in said}
    else:
        images = files.aligned_images(folder, TITLE)
        subjects = files.identities(folder, TITLE, on_problem)
        of_image = {name: subjects[name] for name in said if name in subjects}
    parts = paper_split(of_image.values(), *SUBJECTS)
    entries = []
    for name, lines in said.items():
        file = str(PurePosixPath(name).with_suffix(".jpg")) if lfw else name
        subject = of_image.get(file)
        entries.append(Entry(place(folder, images, file), subject, tuple(lines), {}, parts.get(subject or "")))
    return entries


def _descriptions(path: Path, on_problem: OnProblem) -> dict[str, list[str]]:
    """Image → its descriptions, in the order of the images' names; a description that comes twice is reported."""
    rows = read_json(path)
    if not isinstance(rows, list):
        expected = 'a list of {"filename": "000035.jpg", "description": "…"}'
        raise InputError(str(path), found=type(rows).__name__, expected=expected)
    said: dict[str, list[str]] = {}
    for number, row in enumerate(rows, 1):
        name = _first(row, _IMAGE)
        if not isinstance(name, str) or ".." in name or name.startswith("/"):
            on_problem(Problem(f"{path.name}, entry {number}", Reason.UNMATCHED_CAPTION, "names no image"))
            continue
        own = said.setdefault(name, [])
        for line in _texts(_first(row, _TEXT)):
            if line in own:
                on_problem(Problem(f"{name}, entry {number}", Reason.DUPLICATE_ROW, "the same description again"))
            else:
                own.append(line)
    return dict(sorted(said.items()))


def _first(row: Any, names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None) if isinstance(row, dict) else None


def _texts(value: Any) -> list[str]:
    parts = value if isinstance(value, list) else [value]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return [line for text in texts if isinstance(text, str) and (line := json_value(text).strip())]


FACE2TEXT = Layout(
    "face2text",
    TITLE,
    "Face2Text: research and teaching only, name the source, no further distribution (RiVaL, University of Malta). "
    f"Its images are CelebA's or LFW's: {files.TERMS}.",
    _marks,
    _entries,
)
