"""Labeled Faces in the Wild (Huang et al., 2007): 13,233 photos of 5,749 people, and the pairs of its protocol.

Verified against the official README: images at `lfw/name/name_xxxx.jpg`, the number padded to four digits. Verified
against several public copies: `pairs.txt` begins with `10<TAB>300`, then ten times 300 lines `name n1 n2` (same person)
and 300 lines `name1 n1 name2 n2`; the lists of view 1 begin with one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tgfr_search.data.layouts.base import Entry, Layout, need, place, read_text
from tgfr_search.data.rows import IMAGE_SUFFIXES, OnProblem, Problem
from tgfr_search.errors import InputError, Reason

TITLE = "LFW"
PAIRS = "pairs.txt"
_HEADER = "the number of folds and of pairs a fold, as in 10<TAB>300"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images to compare.

    Attributes:
        first: One image, by its record's name.
        second: The other one.
        genuine: Whether both show one person.
    """

    first: str
    second: str
    genuine: bool


def read_pairs(folder: Path, path: Path | None = None) -> tuple[tuple[Pair, ...], ...]:
    """The folds of the verification protocol, ten of 600 pairs in the official list.

    Args:
        folder: The data set, as `read_records` takes it.
        path: Another list of the same form; None is the folder's `pairs.txt`.

    Returns:
        Folds of pairs, the genuine ones first, as the list has them.

    Raises:
        InputError: The list is not there, or a line or the number of lines is not what its first line says.
    """
    path = path or need(folder, TITLE, [PAIRS])
    people = _people(folder)
    head, *lines = [line.split() for line in read_text(path).splitlines() if line.strip()] or [[]]
    if not 1 <= len(head) <= 2 or not all(field.isdecimal() for field in head):
        raise InputError(f"{path}, line 1", found=" ".join(head)[:60] or "nothing", expected=_HEADER)
    folds, each = (int(head[0]), int(head[1])) if len(head) == 2 else (1, int(head[0]))
    if len(lines) != 2 * folds * each:
        raise InputError(
            str(path), found=f"{len(lines)} pairs", expected=f"{folds} × 2 × {each}, as its first line says"
        )

    def image(person: str, number: str) -> str:
        return place(folder, people, f"{person}/{person}_{int(number):04d}.jpg")

    pairs = []
    for at, fields in enumerate(lines):
        genuine = at // each % 2 == 0
        numbers = fields[1:] if genuine else fields[1::2]
        if len(fields) != 4 - genuine or not all(number.isdecimal() for number in numbers):
            expected = "name n1 n2" if genuine else "name1 n1 name2 n2"
            raise InputError(f"{path}, pair {at + 1}", found=" ".join(fields)[:60], expected=expected)
        other = fields[0] if genuine else fields[2]
        pairs.append(Pair(image(fields[0], fields[1]), image(other, fields[-1]), genuine))
    return tuple(tuple(pairs[2 * each * fold : 2 * each * (fold + 1)]) for fold in range(folds))


def _marks(folder: Path) -> int:
    path = folder / PAIRS
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        head = file.readline(80).split()
    return int(len(head) in (1, 2) and all(field.isdigit() for field in head))


def _people(folder: Path) -> Path:
    """The folder of people: `lfw`, `lfw-deepfunneled`, … beside the list of pairs, or the list's own folder."""
    there = sorted(path for path in folder.glob("lfw*") if path.is_dir())
    if len(there) > 1:
        found = " and ".join(path.name for path in there)
        raise InputError(
            f"{TITLE} in {folder}", found=found, expected="one folder of people", do="keep one of them there"
        )
    return there[0] if there else folder


def _entries(folder: Path, on_problem: OnProblem) -> list[Entry]:
    people, entries = _people(folder), []
    for person in sorted(people.iterdir()):
        if person.name.startswith("."):
            continue
        if not person.is_dir():
            if person.suffix.lower() in IMAGE_SUFFIXES:
                detail = f"an image that lies in no person's folder of {people.name}/"
                on_problem(Problem(place(folder, people, person.name), Reason.MISSING_SUBJECT, detail))
            continue
        images = [image for image in sorted(person.iterdir()) if image.suffix.lower() in IMAGE_SUFFIXES]
        entries += [Entry(place(folder, person, image.name), person.name) for image in images]
    if not entries:
        expected = f"{folder / 'lfw' / 'Abel_Pacheco' / 'Abel_Pacheco_0001.jpg'} and so on"
        raise InputError(f"{TITLE} in {folder}", found=f"{PAIRS} and no person's folder of images", expected=expected)
    return entries


LFW = Layout(
    "lfw",
    TITLE,
    "LFW: published for research, press photographs of real people; the terms of its page hold.",
    _marks,
    _entries,
)
