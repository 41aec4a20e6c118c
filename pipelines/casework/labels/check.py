"""What looks wrong about a gallery's labels, for a person to decide: two names of one person, two people of one name.

Every record is searched with as a picture of full quality. Nothing is changed: decisions are a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer import Row, Store
from pipelines.enrol.index import contract_of
from pipelines.faces.aligned import Progress, silent
from tgfr_search.data.same_person import UNDECIDED, Decision
from tgfr_search.errors import InputError
from tgfr_search.forensic.pairs import Floats, Ints
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes, score, weigh
from tgfr_search.types import FloatArray, Templates

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

    @property
    def pair(self) -> tuple[str, str]:
        """The subjects in order of their names."""
        return min(self.subjects), max(self.subjects)


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
    records = _Records.of(store.fitting(contract_of(model, detector)), model)
    limit = _limit(records)
    found = _above(records, limit, progress)
    told = [each for each in decided if each.decision != UNDECIDED]
    known = {each.pair for each in told if not each.photo}
    photos = {(each.first, each.photo) for each in told if each.photo}
    pairs = [
        records.alike(*each) for each in sorted(found.best.values(), key=lambda each: (-each[0], each[1], each[2]))
    ]
    return Checked(
        tuple(each for each in pairs if each.pair not in known)[:most],
        tuple(each for each in _unlike(records, found, limit, photos) if each.pair not in known)[:most],
        tuple(_crowded(records, found.alarms)[:most]),
        limit,
        len(records.rows),
    )


@dataclass(frozen=True)
class _Records:
    """N rows of a gallery, each as a template and as a probe of full quality by its picture alone.

    Attributes:
        rows: Without pictures, in order of their ids.
        subject: [N], numbers of their names in order.
        photo: [N], one number for the very same photo.
        vectors: float32 [N, D].
        probes: N.
    """

    rows: Sequence[Row]
    subject: Ints
    photo: Ints
    vectors: FloatArray
    probes: Probes

    @classmethod
    def of(cls, store: Store, model: FaceTextModel) -> _Records:
        """All rows of a store.

        Raises:
            InputError: There are fewer than two subjects.
        """
        ids = store.row_ids()
        rows = store.rows(ids, chips=False)
        names = sorted({row.subject_id for row in rows})
        if len(names) < 2:
            raise InputError(f"{store.path}", found=f"{len(names)} subjects", expected="two or more")
        place = {name: at for at, name in enumerate(names)}
        subject = np.array([place[row.subject_id] for row in rows], np.int64)
        photo = np.unique([row.image_sha256 for row in rows], return_inverse=True)[1]
        vectors = store.vectors(ids)
        templates = Templates({name: np.ascontiguousarray(block) for name, block in store.split(vectors).items()})
        full, modes = np.ones(len(ids), np.float32), ["image"] * len(ids)
        return cls(rows, subject, photo, vectors, weigh(templates, full, modes, model.scoring, model.tgfr.layout))

    def scores(self, at: Ints) -> Floats:
        """Of the probes `at` against all rows: float64 [n, N], NaN where a row meets itself."""
        found = score(self.probes.take(at), self.vectors)
        found[np.arange(len(at)), at] = np.nan
        return found

    def alike(self, value: float, one: int, other: int) -> Alike:
        """A pair as it is told; `value` is infinite for the very same photo."""
        rows = self.rows[one], self.rows[other]
        real = float(score(self.probes.take(np.array([one])), self.vectors[other : other + 1])[0, 0])
        return Alike(real, (rows[0].row_id, rows[1].row_id), (rows[0].subject_id, rows[1].subject_id), value == np.inf)


def _limit(records: _Records) -> float:
    """From which score on a pair counts as alike, by a sample of the rows."""
    count, subject = len(records.rows), records.subject
    drawn = np.sort(np.random.default_rng([0, 16]).permutation(count)[:SAMPLE])
    sample, alike_names = records.scores(drawn), subject[drawn][:, None] == subject[None, :]
    limit = float(np.nanquantile(sample[~alike_names], 1 - ALARM))
    if np.isfinite(sample[alike_names]).any():  # in a small gallery the wrong labels are among the highest themselves
        limit = min(limit, float(np.nanquantile(sample[alike_names], QUARTER)))
    return limit


@dataclass(frozen=True)
class _Above:
    """What every row met in a search of all.

    Attributes:
        best: Two subjects → their most alike rows: (score, one, other).
        closest: [N], the highest score with another row of the same name; infinite where there is none.
        partner: [N], that row.
        alarms: [N], how many rows of other names find it above the limit.
    """

    best: dict[tuple[int, int], tuple[float, int, int]]
    closest: Floats
    partner: Ints
    alarms: Floats


def _above(records: _Records, limit: float, progress: Progress) -> _Above:
    count, subject, photo = len(records.rows), records.subject, records.photo
    met = _Above({}, np.full(count, np.inf), np.zeros(count, np.int64), np.zeros(count))
    for start in range(0, count, CHUNK):
        at = np.arange(start, min(start + CHUNK, count))
        found, same = records.scores(at), subject[at][:, None] == subject[None, :]
        twins = photo[at][:, None] == photo[None, :]
        twins[np.arange(len(at)), at] = False
        above = ~same & ((found >= limit) | twins)
        met.alarms[:] += above.sum(axis=0)
        for here, other in np.argwhere(above).tolist():
            one = int(at[here])
            key = min(subject[one], subject[other]), max(subject[one], subject[other])
            value = (np.inf if twins[here, other] else float(found[here, other]), one, other)
            met.best[key] = max(met.best.get(key, value), value)
        own = np.where(same, found, np.nan)
        has = np.isfinite(own).any(axis=1)
        met.partner[at[has]] = np.nanargmax(own[has], axis=1)
        met.closest[at[has]] = np.nanmax(own[has], axis=1)
        progress("records", int(at[-1]) + 1, count)
    return met


def _unlike(records: _Records, found: _Above, limit: float, decided: set[tuple[str, str]]) -> list[Alike]:
    """Of each subject the picture that is least like its others, where that is below the limit and not decided yet."""
    seen = dict[str, Alike]()
    for one in np.argsort(found.closest, kind="stable").tolist():
        name = records.rows[one].subject_id
        if found.closest[one] < limit and name not in seen and (name, records.rows[one].image) not in decided:
            seen[name] = records.alike(float(found.closest[one]), one, int(found.partner[one]))
    return list(seen.values())


def _crowded(records: _Records, alarms: Floats) -> list[tuple[int, str, float]]:
    """(row id, subject, times as many alarms as the mean record has), the most first."""
    mean = max(float(alarms.mean()), 1.0 / len(alarms))
    return [
        (records.rows[one].row_id, records.rows[one].subject_id, float(alarms[one] / mean))
        for one in np.argsort(-alarms, kind="stable").tolist()
        if alarms[one] >= max(CROWDED * mean, 3)
    ]
