"""IJB-B and IJB-C as template lists, in the layout of the insightface release: `meta/` and `loose_crop/`.

Verified against insightface (`recognition/_evaluation_/ijb`): `ijbc_face_tid_mid.txt` has lines `image template media`,
`ijbc_template_pair_label.txt` lines `template template 1|0`, and `ijbc_1N_gallery_G1.csv` (IJB-B: `S1`) and
`ijbc_1N_probe_mixed.csv` a header, then template and subject in the first two columns. NIST's own folders of uncut
photos and videos (FILENAME and face box in those lists) are not read.

A template's subject stands in the 1:N lists. Without them two templates that the 1:1 list calls genuine are one
subject, named by its smallest template; the list compares every probe template with its subject's gallery template, so
that is complete. The split is the 1:N list that a template is in: `gallery_G1`, `gallery_G2`, `probe_mixed`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from tgfr_search.data.layouts.base import Entry, Layout, fields_of, first_of, need, place, read_text
from tgfr_search.data.rows import OnProblem, Problem
from tgfr_search.errors import InputError, Reason

TITLE = "IJB"
_IMAGES = ("loose_crop/",)
_LIST = "_face_tid_mid.txt"
_PAIRS = "_template_pair_label.txt"


@dataclass(frozen=True, slots=True)
class TemplatePair:
    """Two templates to compare, by number, and whether both are one subject's."""

    first: int
    second: int
    genuine: bool


def read_template_pairs(folder: Path, path: Path | None = None) -> tuple[TemplatePair, ...]:
    """The 1:1 protocol.

    Args:
        folder: The data set.
        path: Another list of the same form; None is the folder's own.

    Raises:
        InputError: The list is not there, or a line of it is not two templates and 1 or 0.
    """
    path = path or _meta(folder, _PAIRS)
    rows = fields_of(path, 3)
    for line, fields in rows:
        if not (fields[0].isdecimal() and fields[1].isdecimal() and fields[2] in ("0", "1")):
            raise InputError(f"{path}, line {line}", found=" ".join(fields)[:60], expected="template template 1|0")
    return tuple(TemplatePair(int(one), int(two), label == "1") for _, (one, two, label, *_) in rows)


def _meta(folder: Path, ending: str) -> Path:
    there = sorted(path for path in (folder / "meta").glob(f"*{ending}"))
    if len(there) > 1:
        found = " and ".join(path.name for path in there)
        raise InputError(
            f"{TITLE} in {folder}", found=found, expected=f"one file meta/*{ending}", do="name IJBB or IJBC"
        )
    return there[0] if there else need(folder, TITLE, [f"meta/ijbc{ending}", f"meta/ijbb{ending}"])


def _marks(folder: Path) -> int:
    if any((folder / "meta").glob(f"*{_LIST}")):
        return 2
    return int((folder / "meta").is_dir() and first_of(folder, _IMAGES) is not None)


def _entries(folder: Path, on_problem: OnProblem) -> list[Entry]:
    path, images = _meta(folder, _LIST), need(folder, TITLE, _IMAGES)
    subjects, parts = _subjects(folder, on_problem)
    media: dict[str, str] = {}
    templates: dict[str, list[int]] = {}
    for line, (name, template, medium, *_) in fields_of(path, 3):
        if not template.isdecimal():
            raise InputError(
                f"{path}, line {line}", found=template, expected="image template media, as in 1.jpg 1 69544"
            )
        number, own = int(template), templates.setdefault(name, [])
        if number in own:
            on_problem(Problem(name, Reason.DUPLICATE_ROW, f"{path.name}, line {line} repeats an earlier line"))
        elif own and subjects.get(own[0]) != subjects.get(number):
            detail = f"{path.name}, line {line}: template {number} is another subject's than template {own[0]}"
            on_problem(Problem(name, Reason.DUPLICATE_ROW, detail))
        else:
            own.append(number)
            media.setdefault(name, medium)
    return [
        Entry(
            place(folder, images, name),
            subjects.get(own[0]),
            metadata={"template_ids": own, "media_id": media[name]},
            split=parts.get(own[0]),
        )
        for name, own in templates.items()
    ]


def _subjects(folder: Path, on_problem: OnProblem) -> tuple[dict[int, str], dict[int, str]]:
    """Template → subject, and template → split."""
    subjects: dict[int, str] = {}
    parts: dict[int, str] = {}
    for path in sorted((folder / "meta").glob("*_1N_*.csv")):
        part = path.stem.split("_1N_", 1)[1]
        for line, row in list(enumerate(csv.reader(read_text(path).splitlines()), 1))[1:]:
            if len(row) < 2 or not row[0].strip().isdecimal() or not row[1].strip():
                raise InputError(f"{path}, line {line}", found=",".join(row)[:60], expected="template,subject,…")
            template, subject = int(row[0]), row[1].strip()
            if subjects.setdefault(template, subject) != subject:
                detail = f"{path.name}, line {line} says subject {subject}, an earlier line {subjects[template]}"
                on_problem(Problem(f"template {template}", Reason.DUPLICATE_ROW, detail))
            parts.setdefault(template, part)
    return (subjects, parts) if subjects else (_joined(read_template_pairs(folder)), {})


def _joined(pairs: tuple[TemplatePair, ...]) -> dict[int, str]:
    """Template → the smallest template that genuine pairs join it with, directly or over others."""
    root: dict[int, int] = {}

    def find(template: int) -> int:
        while root.setdefault(template, template) != template:
            root[template] = root[root[template]]
            template = root[template]
        return template

    for pair in pairs:
        one, two = find(pair.first), find(pair.second)
        if pair.genuine:
            root[max(one, two)] = min(one, two)
    return {template: str(find(template)) for template in list(root)}


IJB = Layout(
    "ijb",
    TITLE,
    "IJB-B and IJB-C: handed out on request; the terms that came with your copy hold (research, no redistribution).",
    _marks,
    _entries,
)
