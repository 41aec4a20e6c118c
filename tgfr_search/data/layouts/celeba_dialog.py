"""CelebA-Dialog (Jiang et al., ICCV 2021): CelebA's images, or the 30,000 of CelebA-HQ, with one caption each.

Verified: the README of ziqihuangg/CelebA-Dialog names the parts, `HQ` and `standard`. That `captions_hq.json` maps
`<number>.jpg` to `overall_caption` and `attribute_wise_captions` is told by several public loaders, not by the authors;
that `captions.json` of the standard set has the same form with CelebA's file names could not be verified, so a
caption that is plain text, or a list, is read too. The five fine-grained labels (`combined_annotation.txt`) and the
editing requests are not read.

The caption is `overall_caption`; the lines an attribute stand in where it is missing. Split, as the paper's: of the
10,177 subjects of CelebA 8,000 train, the next 500 validate, the rest (1,677) test, by sorted subject number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tgfr_search.data.layouts import celeba_files as files
from tgfr_search.data.layouts.base import (
    Entry,
    Layout,
    first_of,
    mentions,
    need,
    paper_split,
    place,
    read_json,
)
from tgfr_search.data.layouts.mm_celeba import HQ_IMAGES
from tgfr_search.data.rows import OnProblem, Problem
from tgfr_search.data.tables import json_value
from tgfr_search.errors import InputError, Reason

TITLE = "CelebA-Dialog"
SUBJECTS = (8000, 500)
"""Subjects for training and for validation."""
_HQ = ("text/captions_hq.json", "captions_hq.json", "text_hq/captions_hq.json")
_STANDARD = ("captions.json", "text/captions.json", "text/image_caption/captions.json")


def _marks(folder: Path) -> int:
    return 2 if first_of(folder, _HQ) or mentions(first_of(folder, _STANDARD), "overall_caption") else 0


def _entries(folder: Path, on_problem: OnProblem) -> list[Entry]:
    hq = first_of(folder, _HQ)
    path = hq or need(folder, TITLE, _STANDARD)
    said = read_json(path)
    if not isinstance(said, dict):
        expected = '{"000001.jpg": {"overall_caption": …}, …}'
        raise InputError(str(path), found=type(said).__name__, expected=expected)
    subjects = files.identities(folder, TITLE, on_problem)
    parts = paper_split(subjects.values(), *SUBJECTS)
    if hq:
        images = need(folder, TITLE, (*HQ_IMAGES, "images_hq/image/"))
        of_image = {f"{number}.jpg": file for number, file in files.hq_mapping(folder, TITLE, on_problem).items()}
    else:
        images = files.aligned_images(folder, TITLE)
        of_image = {file: file for file in subjects}
    table = files.attribute_file(folder)
    facts = files.attributes(table, on_problem) if table else {}
    for name in sorted(said.keys() - of_image.keys()):
        on_problem(Problem(name, Reason.UNMATCHED_CAPTION, f"{path.name} describes it, yet it has no identity"))
    for name in sorted({file.name for file in images.iterdir()} - of_image.keys()):
        detail = "an image without an identity"
        on_problem(Problem(place(folder, images, name), Reason.MISSING_SUBJECT, detail))
    entries = []
    for name, file in of_image.items():
        subject = subjects.get(file)
        about = {"celeba_file": file, **facts.get(file, {})}
        entries.append(
            Entry(place(folder, images, name), subject, _lines(said.get(name)), about, parts.get(subject or ""))
        )
    return entries


def _lines(value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        each = value.get("attribute_wise_captions")
        value = value.get("overall_caption") or (list(each.values()) if isinstance(each, dict) else None)
    lines = value if isinstance(value, list) else [value]
    return tuple(text for line in lines if isinstance(line, str) and (text := json_value(line).strip()))


CELEBA_DIALOG = Layout("celeba-dialog", TITLE, f"CelebA-Dialog and CelebA: {files.TERMS}.", _marks, _entries)
