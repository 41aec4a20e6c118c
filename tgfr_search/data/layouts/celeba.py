"""CelebA (Liu et al., ICCV 2015): 202,599 photos of 10,177 people with 40 attributes, made face-caption pairs.

Its captions are written here from the attributes, by the grammar of `data.captions`; a table of the same form for other
images becomes face-caption pairs in the same way. Split: the official one (`list_eval_partition`) where it is there.
What of the files was verified is told in `celeba_files`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tgfr_search.data.captions import caption_lines
from tgfr_search.data.layouts import celeba_files as files
from tgfr_search.data.layouts.base import Entry, Layout, first_of, place
from tgfr_search.data.rows import OnProblem, Problem
from tgfr_search.errors import Reason

TITLE = "CelebA"


def _marks(folder: Path) -> int:
    return int(first_of(folder, files.IMAGES) is not None or files.attribute_file(folder) is not None)


def _entries(folder: Path, on_problem: OnProblem) -> list[Entry]:
    images = files.aligned_images(folder, TITLE)
    table = files.attributes(files.need_attribute_file(folder, TITLE), on_problem)
    subjects = files.identities(folder, TITLE, on_problem)
    parts = files.partition(folder, on_problem)
    for name in sorted({path.name for path in images.iterdir()} - table.keys()):
        detail = "an image that the attribute table does not list"
        on_problem(Problem(place(folder, images, name), Reason.MISSING_SUBJECT, detail))
    return [
        Entry(
            place(folder, images, name),
            subjects.get(name),
            caption_lines(facts, seed=_seed(name)),
            dict(facts),
            parts.get(name),
        )
        for name, facts in table.items()
    ]


def _seed(name: str) -> int:
    """Of an image's lines: they stay the same whatever else the table lists."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


CELEBA = Layout("celeba", TITLE, f"CelebA: {files.TERMS}.", _marks, _entries)
