"""A job, and a photo that came in for one. `jobs` keeps them."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

UPLOADS, WAITING_PHOTO = "uploads", "waiting"


class State(StrEnum):
    """Of a job. Stored: never rename one."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Upload:
    """A photo that came in.

    Attributes:
        file: Its name where it came from, for people.
        data: Its bytes.
        subject: Whose face it is.
        captions: What is said of it.
        metadata: Further columns.
        quarantined: Name under which the photo is in the index's quarantine: it takes the place of that record.
    """

    file: str
    data: bytes
    subject: str
    captions: tuple[str, ...] = ()
    metadata: tuple[tuple[str, Any], ...] = ()
    quarantined: str = ""

    @property
    def name(self) -> str:
        """Of its row: the same bytes of the same subject are one row, however often they are sent."""
        if self.quarantined:
            return self.quarantined
        who = hashlib.sha256(self.subject.encode()).hexdigest()[:12]
        return f"{UPLOADS}/{who}/{hashlib.sha256(self.data).hexdigest()[:24]}"


@dataclass(frozen=True)
class Job:
    """An enrolment.

    Attributes:
        id: Its name.
        gallery: Into which gallery.
        account: Who asked for it.
        state: Where it stands.
        again: Whether photos that were deleted for good are enrolled again.
        created: Seconds since the epoch.
        code: Why it failed.
        detail: The same for a person.
        counts: State of its photos → how many.
    """

    id: str
    gallery: str
    account: str
    state: State
    again: bool
    created: float
    code: str
    detail: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Photos of it."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Photos of which is known what became of them."""
        return self.total - self.counts.get(WAITING_PHOTO, 0)


def job_of(row: sqlite3.Row, counts: dict[str, int]) -> Job:
    """A job as its table has it, with the counts of its photos."""
    return Job(
        row["id"], row["gallery"], row["account"], State(row["state"]), bool(row["again"]), row["created"],
        row["code"], row["detail"], counts,
    )  # fmt: skip
