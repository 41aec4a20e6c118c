"""Multi-Modal CelebA-HQ (Xia et al., CVPR 2021): 30,000 CelebA-HQ images with ten caption lines each.

Verified: the README of IIGROUP/MM-CelebA-HQ-Dataset names the parts (`image`, `text`: ten descriptions an image,
`train` and `test`: pickles), and its `create_caption.py` writes `<CelebA-HQ number>.txt`, a line a caption. That the
archives unpack to `image/images/<number>.jpg` and `text/celeba-caption/<number>.txt` is told by many public loaders,
not by the authors. Identities come over CelebAMask-HQ's mapping from CelebA's identity file.

Split, as the paper's: 4,500 subjects train, the next 500 validate, the rest (1,217) test, by sorted subject number. The
authors' pickles split images, not subjects, and no pickle is opened here.
"""

from __future__ import annotations

from pathlib import Path

from tgfr_search.data.layouts import celeba_files as files
from tgfr_search.data.layouts.base import (
    Entry,
    Layout,
    by_stem,
    caption_lines_of,
    first_of,
    images_by_stem,
    need,
    paper_split,
    place,
)
from tgfr_search.data.rows import OnProblem, Problem
from tgfr_search.errors import Reason

TITLE = "Multi-Modal CelebA-HQ"
SUBJECTS = (4500, 500)
"""Subjects for training and for validation."""
HQ_IMAGES = ("image/images/", "images/", "image/", "CelebA-HQ-img/", "CelebAMask-HQ/CelebA-HQ-img/")
_CAPTIONS = ("text/celeba-caption/", "celeba-caption/", "text/celeba_caption/", "celeba_caption/")
_ATTRIBUTES = ("CelebAMask-HQ-attribute-anno.txt", "CelebAMask-HQ/CelebAMask-HQ-attribute-anno.txt")


def _marks(folder: Path) -> int:
    return 2 if first_of(folder, _CAPTIONS) else int(first_of(folder, HQ_IMAGES[3:]) is not None)


def _entries(folder: Path, on_problem: OnProblem) -> list[Entry]:
    images, captions = need(folder, TITLE, HQ_IMAGES), need(folder, TITLE, _CAPTIONS)
    mapping = files.hq_mapping(folder, TITLE, on_problem)
    subjects = files.identities(folder, TITLE, on_problem)
    parts = paper_split((subjects[file] for file in mapping.values() if file in subjects), *SUBJECTS)
    table = first_of(folder, _ATTRIBUTES)
    facts = files.attributes(table, on_problem) if table else {}
    pictures, texts = images_by_stem(images, on_problem), by_stem(captions, {".txt"}, on_problem)
    for number in sorted(pictures.keys() - mapping.keys()):
        detail = "its number is not in CelebA-HQ-to-CelebA-mapping.txt"
        on_problem(Problem(place(folder, images, pictures[number]), Reason.MISSING_SUBJECT, detail))
    for number in sorted(texts.keys() - mapping.keys()):
        detail = "its number is not in CelebA-HQ-to-CelebA-mapping.txt"
        on_problem(Problem(place(folder, captions, texts[number]), Reason.UNMATCHED_CAPTION, detail))
    entries = []
    for number, file in mapping.items():
        name = pictures.get(number, f"{number}.jpg")
        said = caption_lines_of(captions / texts[number], on_problem) if number in texts else ()
        subject = subjects.get(file)
        about = {"celeba_file": file, **facts.get(f"{number}.jpg", {})}
        entries.append(Entry(place(folder, images, name), subject, said, about, parts.get(subject or "")))
    return entries


MM_CELEBA = Layout("mm-celeba-hq", TITLE, f"MM-CelebA-HQ and CelebA: {files.TERMS}.", _marks, _entries)
