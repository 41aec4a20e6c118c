"""The annotation files of CelebA, which the data sets built on its images share.

Verified against copies in public repositories: `identity_CelebA.txt` (`000001.jpg 2880`), `list_attr_celeba.txt` (a
line with the number of images, a line with 40 names, then a name and 40 values of −1 or 1), the `.csv` form of Kaggle
(`image_id` and the names in the first line), `list_eval_partition` (0 train, 1 valid, 2 test), and
`CelebA-HQ-to-CelebA-mapping.txt` of CelebAMask-HQ (a header `idx orig_idx orig_file`, then `0 119613 119614.jpg`).
"""

from __future__ import annotations

import re
from pathlib import Path

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.layouts.base import fields_of, first_of, keyed, need, read_text
from tgfr_search.data.rows import OnProblem
from tgfr_search.errors import InputError

TERMS = (
    "non-commercial research only; no redistribution, no copies outside one organisation; photographs of real people"
)
IMAGES = ("img_align_celeba/", "Img/img_align_celeba/", "celeba/img_align_celeba/", "CelebA/Img/img_align_celeba/")
_FOLDERS = ("", "Anno/", "celeba/", "Eval/", "CelebA/Anno/", "CelebA/Eval/", "CelebAMask-HQ/")
_PARTS = {"0": "train", "1": "valid", "2": "test"}


def _places(*names: str) -> list[str]:
    return [folder + name for name in names for folder in _FOLDERS]


def attribute_file(folder: Path) -> Path | None:
    """CelebA's attribute table, where it is there."""
    return first_of(folder, _places("list_attr_celeba.txt", "list_attr_celeba.csv"))


def need_attribute_file(folder: Path, title: str) -> Path:
    """`attribute_file`, or the error that says where it belongs."""
    return need(folder, title, ["list_attr_celeba.txt", "Anno/list_attr_celeba.txt", "list_attr_celeba.csv"])


def aligned_images(folder: Path, title: str) -> Path:
    """The folder of aligned CelebA images; Kaggle's archive has it inside another of the same name."""
    images = need(folder, title, IMAGES)
    inner = images / images.name
    return inner if inner.is_dir() else images


def identities(folder: Path, title: str, on_problem: OnProblem) -> dict[str, str]:
    """CelebA file name → subject.

    Raises:
        InputError: There is no identity file, or a line of it is no pair of a file and a number.
    """
    ask = "it is not on Kaggle: ask for it as the page of CelebA says (mmlab.ie.cuhk.edu.hk/projects/CelebA.html)"
    path = need(folder, title, _places("identity_CelebA.txt"), ask)
    return {file: rest[0] for file, rest in keyed(path, fields_of(path, 2), on_problem).items()}


def hq_mapping(folder: Path, title: str, on_problem: OnProblem) -> dict[str, str]:
    """CelebA-HQ number → CelebA file name, in the order of the numbers.

    Raises:
        InputError: There is no mapping file, or a line of it is not three fields that begin with a number.
    """
    path = need(folder, title, _places("CelebA-HQ-to-CelebA-mapping.txt"), "it is part of CelebAMask-HQ")
    rows = fields_of(path, 3)
    if rows and not rows[0][1][0].isdecimal():
        rows = rows[1:]  # the header
    for line, fields in rows:
        if not fields[0].isdecimal():
            raise InputError(
                f"{path}, line {line}", found=fields[0], expected="idx orig_idx orig_file, as in 0 119613 119614.jpg"
            )
    return dict(
        sorted(((key, rest[1]) for key, rest in keyed(path, rows, on_problem).items()), key=lambda x: int(x[0]))
    )


def partition(folder: Path, on_problem: OnProblem) -> dict[str, str]:
    """CelebA file name → `train`, `valid` or `test`; empty where there is no partition file."""
    path = first_of(folder, _places("list_eval_partition.txt", "list_eval_partition.csv"))
    if path is None:
        return {}
    rows = fields_of(path, 2, skip=path.suffix == ".csv")
    for line, fields in rows:
        if fields[1] not in _PARTS:
            raise InputError(f"{path}, line {line}", found=fields[1], expected="0 (train), 1 (valid) or 2 (test)")
    return {file: _PARTS[rest[0]] for file, rest in keyed(path, rows, on_problem).items()}


def attributes(path: Path, on_problem: OnProblem) -> dict[str, dict[str, bool]]:
    """Image file → attribute → whether it holds, by the names of `captions.ATTRIBUTES`.

    The table may have fewer than the 40 attributes: what is not in it is unknown.

    Args:
        path: `list_attr_celeba.txt` or `.csv`, or a table of the same form (`CelebAMask-HQ-attribute-anno.txt`).
        on_problem: Called for an image that comes twice.

    Raises:
        InputError: A name is no attribute of CelebA, a value is not −1, 0 or 1, or lines are missing.
    """
    head = read_text(path).splitlines()[:2]
    counted = len(head) == 2 and head[0].strip().isdecimal()
    names = [name.lower() for name in re.split(r"[\s,]+", head[counted].strip())] if head else []
    names = names[1:] if names[:1] == ["image_id"] else names
    if not names or (unknown := sorted(set(names) - set(ATTRIBUTES))):
        expected = "the names of CelebA's attributes, in the first line of a .csv, in the second of a .txt"
        raise InputError(str(path), found=", ".join(map(repr, unknown[:5])) if names else "no names", expected=expected)
    rows = fields_of(path, 1 + len(names), skip=1 + counted)
    if counted and len(rows) != int(head[0]):
        raise InputError(
            str(path), found=f"{len(rows)} lines of values", expected=f"{head[0].strip()}, as its first line says"
        )
    for line, fields in rows:
        if wrong := set(fields[1:]) - {"1", "-1", "0"}:
            raise InputError(f"{path}, line {line}", found=", ".join(sorted(wrong)), expected="-1, 0 or 1")
    found = keyed(path, rows, on_problem)
    return {file: dict(zip(names, (v == "1" for v in values), strict=False)) for file, values in found.items()}
