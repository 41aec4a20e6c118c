"""What looks wrong about a gallery's labels, for a person to decide: two names of one person, two people of one name.

Every record is searched with as a picture of full quality. Nothing is changed: decisions are a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Store
from pipelines.enrol.index import contract_of
from pipelines.faces.aligned import Progress, silent
from tgfr_search.data.same_person import UNDECIDED, Decision, decisions_text
from tgfr_search.errors import InputError
from tgfr_search.files import replace_text
from tgfr_search.forensic.pairs import Floats, Ints
from tgfr_search.model.checkpoint import FaceTextModel
from tgfr_search.model.probe import score, weigh
from tgfr_search.outputs import write_whole
from tgfr_search.pages import render
from tgfr_search.terms import LEAD_NOTICE
from tgfr_search.types import Templates

PAGE, TABLE = "check.html", "decisions.csv"
CHUNK, SAMPLE = 256, 400
ALARM = 1e-3
"""Share of the pairs of two names above the limit from which they count as alike."""

QUARTER = 0.25
"""Of the pairs of one name lies below the limit at most: in a small gallery."""

CROWDED = 10.0
"""A record that answers to strangers so many times as often as the mean record is crowded."""


@dataclass(frozen=True)
class Alike:
    """Two rows that disagree with their labels.

    Attributes:
        score: Of the pair.
        rows: Their ids.
        subjects: Whose they are; twice the same where one subject's pictures are unlike.
        one_photo: Whether both are the very same photo.
    """

    score: float
    rows: tuple[int, int]
    subjects: tuple[str, str]
    one_photo: bool = False


@dataclass(frozen=True)
class Checked:
    """What was found, the most striking first.

    Attributes:
        one_person: Pairs of subjects that look like one person.
        two_people: Subjects of whom a picture is unlike all their others.
        crowded: (row id, subject, times as many strangers above the limit as the mean record has).
        limit: From which pairs count as alike: one of a thousand pairs of two names scores so high, or three
            quarters of the pairs of one name do.
        rows: How many were compared.
    """

    one_person: tuple[Alike, ...]
    two_people: tuple[Alike, ...]
    crowded: tuple[tuple[int, str, float], ...]
    limit: float
    rows: int


def check_gallery(
    store: Store,
    model: FaceTextModel,
    detector: str,
    *,
    most: int = 50,
    decided: Iterable[Decision] = (),
    progress: Progress = silent,
) -> Checked:
    """Looks for labels that the pictures contradict.

    Args:
        store: The gallery.
        model: That made it.
        detector: That found its faces.
        most: Of each kind, at most so many.
        decided: Pairs that somebody has decided: they are not told again.
        progress: Called as the work goes on.

    Raises:
        ContractMismatchError: Another model made it.
        InputError: There are fewer than two subjects.
    """
    store = store.fitting(contract_of(model, detector))
    ids = store.row_ids()
    rows = store.rows(ids, chips=False)
    names = sorted({row.subject_id for row in rows})
    if len(names) < 2:
        raise InputError(f"{store.path}", found=f"{len(names)} subjects", expected="two or more")
    place = {name: at for at, name in enumerate(names)}
    subject = np.array([place[row.subject_id] for row in rows], np.int64)
    photo = np.unique([row.image_sha256 for row in rows], return_inverse=True)[1]
    vectors = store.vectors(ids)
    parts = {name: np.ascontiguousarray(block) for name, block in store.split(vectors).items()}
    made = weigh(
        Templates(parts), np.ones(len(ids), np.float32), ["image"] * len(ids), model.scoring, model.tgfr.layout
    )

    def scores(at: Ints) -> Floats:
        found = score(made.take(at), vectors)
        found[np.arange(len(at)), at] = np.nan
        return found

    drawn = np.sort(np.random.default_rng([0, 16]).permutation(len(ids))[:SAMPLE])
    sample, alike_names = scores(drawn), subject[drawn][:, None] == subject[None, :]
    limit = float(np.nanquantile(sample[~alike_names], 1 - ALARM))
    if np.isfinite(sample[alike_names]).any():  # in a small gallery the wrong labels are among the highest themselves
        limit = min(limit, float(np.nanquantile(sample[alike_names], QUARTER)))
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    closest, partner, alarms = np.full(len(ids), np.inf), np.zeros(len(ids), np.int64), np.zeros(len(ids))
    for start in range(0, len(ids), CHUNK):
        at = np.arange(start, min(start + CHUNK, len(ids)))
        found, same = scores(at), subject[at][:, None] == subject[None, :]
        twins = photo[at][:, None] == photo[None, :]
        twins[np.arange(len(at)), at] = False
        above = ~same & ((found >= limit) | twins)
        alarms += above.sum(axis=0)
        for here, there in np.argwhere(above).tolist():
            one, other = int(at[here]), there
            key = min(subject[one], subject[other]), max(subject[one], subject[other])
            value = (np.inf if twins[here, there] else float(found[here, there]), one, other)
            best[key] = max(best.get(key, value), value)
        own = np.where(same, found, np.nan)
        has = np.isfinite(own).any(axis=1)
        partner[at[has]] = np.nanargmax(own[has], axis=1)
        closest[at[has]] = np.nanmax(own[has], axis=1)
        progress("records", int(at[-1]) + 1, len(ids))
    known = {each.pair for each in decided if each.decision != UNDECIDED}

    def alike(value: float, one: int, other: int) -> Alike:
        twin = value == np.inf
        real = float(score(made.take(np.array([one])), vectors[other : other + 1])[0, 0])
        return Alike(real, (int(ids[one]), int(ids[other])), (rows[one].subject_id, rows[other].subject_id), twin)

    pairs = [alike(*each) for each in sorted(best.values(), key=lambda each: (-each[0], each[1], each[2]))]
    apart = [one for one in np.argsort(closest, kind="stable").tolist() if closest[one] < limit]
    unlike, seen = list[Alike](), set[str]()
    for one in apart:
        if rows[one].subject_id not in seen:
            seen.add(rows[one].subject_id)
            unlike.append(alike(float(closest[one]), one, int(partner[one])))
    mean = max(float(alarms.mean()), 1.0 / len(ids))
    order = np.argsort(-alarms, kind="stable").tolist()
    crowded = [
        (int(ids[one]), rows[one].subject_id, float(alarms[one] / mean))
        for one in order
        if alarms[one] >= max(CROWDED * mean, 3)
    ]
    return Checked(
        tuple(each for each in pairs if _pair(each) not in known)[:most],
        tuple(each for each in unlike if _pair(each) not in known)[:most],
        tuple(crowded[:most]),
        limit,
        len(ids),
    )


def write_check(folder: Path, store: Store, found: Checked, decided: Iterable[Decision] = ()) -> None:
    """Writes the page and the table of decisions, with those made before.

    Args:
        folder: Made where it is not there.
        store: For the pictures.
        found: By `check_gallery`.
        decided: Are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = [each for each in decided if each.decision != UNDECIDED]
    asked = dict.fromkeys(_pair(each) for each in (*found.one_person, *found.two_people))
    replace_text(folder / TABLE, decisions_text([*kept, *(Decision(*pair) for pair in asked)]))

    def card(each: Alike) -> dict[str, Any]:
        return {"alike": each, "pictures": [row.chip for row in store.rows(list(each.rows))]}

    crowded = [
        {"row": row, "subject": subject, "times": times, "picture": store.rows([row])[0].chip}
        for row, subject, times in found.crowded
    ]
    page = render(
        "gallery_check.html",
        found=found,
        source=str(store.path),
        table=TABLE,
        notice=LEAD_NOTICE,
        one_person=[card(each) for each in found.one_person],
        two_people=[card(each) for each in found.two_people],
        crowded=crowded,
    )
    write_whole(folder / PAGE, page.encode("utf-8"))


def _pair(each: Alike) -> tuple[str, str]:
    return min(each.subjects), max(each.subjects)
