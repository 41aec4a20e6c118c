"""What a gallery asks of an index: which photo gets which row, told from the whole gallery before anything is encoded.

The plan is a function of what is there, not of the order it is read in nor of what was there before: whatever was
renamed, moved, swapped, copied or replaced since, a run that follows it ends where an enrolment from nothing would.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipelines.enrol.rows.fields import Fields
from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.decode import read_bytes
from tgfr_search.types import Record

UNREAD = frozenset({Reason.IO_ERROR, Reason.MISSING_IMAGE})
"""Reasons that leave open what the photo shows now."""

_TICK = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row that the gallery asks for.

    Attributes:
        name: Row name.
        key: Content key.
        photo: Hex SHA-256 of the photo.
        subject: Whose it is.
        captions: Of the photo and of its copies.
        copies: Other names of the same photo of the same subject with the same metadata, which get no row.
    """

    name: str
    key: str
    photo: str
    subject: str
    captions: tuple[str, ...]
    copies: tuple[str, ...] = ()


@dataclass
class Plan:
    """What a gallery asks of an index.

    Attributes:
        rows: Row name → the row, in no order.
        copies: Name of a copy → the name that is kept.
        unread: Name of a photo that could not be read → why.
        fields: The types of the metadata of all of it, whichever part a run comes to.
    """

    rows: dict[str, Wanted] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    unread: dict[str, FaceError] = field(default_factory=dict)
    fields: Fields = field(default_factory=Fields)

    def __contains__(self, name: str) -> bool:
        return name in self.rows or name in self.copies or name in self.unread


def source_key(sha256: str, subject: str, captions: tuple[str, ...], metadata: str) -> str:
    """What identifies an enrolled image for a later run: its bytes, whose it is, what was said of it (JSON)."""
    return sha256_of(sha256, subject, json.dumps(captions), metadata)


def every_face(key: str) -> str:
    """The content key of a photo whose faces are all enrolled, each as a row with this key."""
    return sha256_of(key, "every face")


def sha256_of(*parts: str) -> str:
    """One digest over several texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def plan_gallery(records: Iterable[Record], tick: Callable[[], None] = lambda: None) -> Plan:
    """Reads every photo of a gallery once, and decides.

    Photos with the same bytes, subject and metadata are one row, under the first of their names by alphabet; it gets
    the captions of all, each line once. With other metadata, as in another case, a copy is a row of its own.

    Args:
        records: The gallery; bytes are hashed and let go.
        tick: Called now and then.
    """
    plan = Plan()
    groups: dict[tuple[str, str, str], list[tuple[str, tuple[str, ...], str]]] = {}
    for number, record in enumerate(records):
        if number % _TICK == 0:
            tick()
        try:
            data = record.data if record.data is not None else read_bytes(str(record.path))
        except FaceError as error:
            plan.unread[record.name] = error
            continue
        photo = hashlib.sha256(data).hexdigest()
        metadata = dict(record.metadata)
        plan.fields.learn(metadata)
        what = (photo, str(record.subject_id), json.dumps(metadata, sort_keys=True))
        groups.setdefault(what, []).append((record.name, record.captions, json.dumps(metadata)))
    for (photo, subject, _), members in groups.items():
        members.sort()
        (name, captions, said), *others = members
        if others:
            captions = joined_captions([lines for _, lines, _ in members])
        copies = tuple(copy for copy, _, _ in others)
        plan.rows[name] = Wanted(name, source_key(photo, subject, captions, said), photo, subject, captions, copies)
        plan.copies.update(dict.fromkeys(copies, name))
    return plan


def joined_captions(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The lines of several descriptions in order, each once."""
    return tuple(dict.fromkeys(line for lines in several for line in lines))
