"""Enrolments as jobs: photos that were uploaded, kept until they are enrolled, and what became of each."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.enrol.rows.add import Outcome, Told
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.database import Database
from tgfr_search.app.service.job import UPLOADS, WAITING_PHOTO, Job, State, Upload, job_of
from tgfr_search.app.service.problems import Problem
from tgfr_search.types import Record

DISMISSED = "dismissed"
_ID = re.compile(r"[0-9a-f]{16}")


class Jobs:
    """The jobs of a service.

    Args:
        database: Where they are kept.
        data: Folder of the service; photos wait below it.
    """

    def __init__(self, database: Database, data: Path) -> None:
        self._database, self.folder = database, data / UPLOADS
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with database.write() as connection:  # of a process that was killed
            connection.execute("UPDATE jobs SET state = 'waiting' WHERE state = 'running'")
            connection.execute("UPDATE jobs SET state = 'cancelled' WHERE state = 'cancelling'")
            known = {row["id"] for row in connection.execute("SELECT id FROM jobs")}
        for left in self.folder.iterdir():  # it was killed while it received
            if left.name not in known:
                shutil.rmtree(left)

    def new(self, gallery: str, account: Account, uploads: Sequence[Upload], *, again: bool, key: str = "") -> Job:
        """Keeps photos, then the job that enrols them; with the same key of the same account the same job.

        Raises:
            Problem: There is no photo.
        """
        if not uploads:
            raise Problem(422, "no_photo", "found no photo to enrol", "choose photos, or a ZIP of them")
        told = f"{account.name}\0{gallery}\0{key}" if key else secrets.token_hex(16)
        name = hashlib.sha256(told.encode()).hexdigest()[:16]
        if self._row(name) is not None:
            return self.get(name)
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        rows, seen = [], dict[str, int]()
        for number, each in enumerate(uploads, start=1):
            state = Outcome.DUPLICATE.value if each.name in seen else WAITING_PHOTO
            seen.setdefault(each.name, number)
            said = json.dumps(each.captions), json.dumps(dict(each.metadata))
            rows.append((name, number, each.name, each.file, each.subject, *said, state))
            if state == WAITING_PHOTO:
                path = folder / str(number)
                path.write_bytes(each.data)
                path.chmod(0o600)
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO jobs (id, gallery, account, state, again, created) VALUES (?, ?, ?, ?, ?, ?)",
                (name, gallery, account.name, State.WAITING, again, time.time()),
            )
            connection.executemany(
                "INSERT INTO job_photos (job, number, name, file, subject, captions, metadata, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
        return self.get(name)

    def get(self, name: str) -> Job:
        """A job.

        Raises:
            Problem: There is none of that name.
        """
        row = self._row(name) if _ID.fullmatch(name) else None
        if row is None:
            raise Problem(404, "no_such_job", f"found no job {name[:16]}")
        with self._database.read() as connection:
            counted = connection.execute("SELECT state, count(*) FROM job_photos WHERE job = ? GROUP BY state", (name,))
            return job_of(row, {str(state): int(count) for state, count in counted})

    def all(self, gallery: str, most: int = 50) -> list[Job]:
        """The newest jobs of a gallery."""
        with self._database.read() as connection:
            asked = "SELECT id FROM jobs WHERE gallery = ? ORDER BY created DESC, id LIMIT ?"
            found = [str(row["id"]) for row in connection.execute(asked, (gallery, most))]
        return [self.get(name) for name in found]

    def next(self) -> Job | None:
        """The job that waits longest, which is running from now on; None where none waits."""
        with self._database.write() as connection:
            asked = "SELECT id FROM jobs WHERE state = 'waiting' ORDER BY created, id LIMIT 1"
            row = connection.execute(asked).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE jobs SET state = 'running', code = '', detail = '' WHERE id = ?", (row["id"],))
        return self.get(row["id"])

    def records(self, job: Job) -> list[Record]:
        """The photos of a job that wait, as they are enrolled."""
        return [
            Record(
                row["name"],
                row["subject"],
                path=str(self.picture(job.id, row["number"])),
                captions=tuple(json.loads(row["captions"])),
                metadata=json.loads(row["metadata"]),
            )
            for row in self.photos(job.id)
            if row["state"] == WAITING_PHOTO
        ]

    def photos(self, name: str) -> list[dict[str, Any]]:
        """All photos of a job, by number."""
        with self._database.read() as connection:
            found = connection.execute("SELECT * FROM job_photos WHERE job = ? ORDER BY number", (name,))
            return [dict(row) for row in found]

    def refused(self, gallery: str) -> dict[str, tuple[str, int]]:
        """Name of each photo of a gallery that was refused and can be mended → its newest job, and its number there."""
        with self._database.read() as connection:
            asked = (
                "SELECT p.name, p.job, p.number FROM job_photos p JOIN jobs j ON j.id = p.job "
                "WHERE j.gallery = ? AND p.state = ? ORDER BY j.created, p.number"
            )
            return {name: (job, number) for name, job, number in connection.execute(asked, (gallery, Outcome.REFUSED))}

    def photo(self, name: str, number: int) -> dict[str, Any]:
        """A photo of a job.

        Raises:
            Problem: There is none.
        """
        self.get(name)
        found = next((each for each in self.photos(name) if each["number"] == number), None)
        if found is None:
            raise Problem(404, "no_such_photo", f"found no photo {number} in the job")
        return found

    def picture(self, name: str, number: int) -> Path:
        """Where the bytes of a photo are, as long as they are kept."""
        return self.folder / name / str(number)

    def note(self, job: Job, told: Sequence[Told]) -> None:
        """Keeps what became of photos; the bytes of those that are enrolled go."""
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE job_photos SET state = ?, reason = ?, detail = ? "
                "WHERE job = ? AND name = ? AND state = 'waiting'",
                [(each.outcome, each.reason, each.detail, job.id, each.name) for each in told],
            )
        gone = {each.name for each in told if each.outcome != Outcome.REFUSED}
        for row in self.photos(job.id) if gone else ():
            if row["name"] in gone:
                self.picture(job.id, row["number"]).unlink(missing_ok=True)

    def is_running(self, job: Job) -> bool:
        """Whether nobody cancelled it."""
        row = self._row(job.id)
        return row is not None and row["state"] == State.RUNNING

    def end(self, job: Job, state: State, code: str = "", detail: str = "") -> None:
        """Says how a run of it ended; one that was cancelled meanwhile is cancelled."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET state = CASE state WHEN 'cancelling' THEN 'cancelled' ELSE ? END, "
                "code = ?, detail = ? WHERE id = ?",
                (state, code, detail, job.id),
            )

    def cancel(self, name: str) -> Job:
        """Stops a job after the photos at work; what is enrolled stays.

        Raises:
            Problem: It has ended.
        """
        return self._move(name, {State.WAITING: State.CANCELLED, State.RUNNING: State.CANCELLING})

    def resume(self, name: str) -> Job:
        """Goes on with a job that was cancelled or failed.

        Raises:
            Problem: It is at work, or done.
        """
        return self._move(name, {State.CANCELLED: State.WAITING, State.FAILED: State.WAITING})

    def mend(self, name: str, number: int, metadata: dict[str, Any]) -> Job:
        """Has a photo that was refused enrolled anew, with a face that somebody chose.

        Args:
            name: Of the job.
            number: Of the photo.
            metadata: `face_box` or `face_eyes`, as a gallery's table has them.

        Raises:
            Problem: It was not refused.
        """
        photo = self._refused(name, number)
        said = {key: value for key, value in json.loads(photo["metadata"]).items() if not key.startswith("face_")}
        with self._database.write() as connection:
            connection.execute(
                "UPDATE job_photos SET state = 'waiting', metadata = ? WHERE job = ? AND number = ?",
                (json.dumps({**said, **metadata}), name, number),
            )
            connection.execute(
                "UPDATE jobs SET state = 'waiting' WHERE id = ? AND state IN ('done', 'failed', 'cancelled')", (name,)
            )
        return self.get(name)

    def dismiss(self, name: str, number: int) -> dict[str, Any]:
        """Lets go of a photo that was refused; its bytes go.

        Returns:
            What it was.

        Raises:
            Problem: It was not refused.
        """
        photo = self._refused(name, number)
        with self._database.write() as connection:
            connection.execute(
                "UPDATE job_photos SET state = ? WHERE job = ? AND number = ?", (DISMISSED, name, number)
            )
        self.picture(name, number).unlink(missing_ok=True)
        return photo

    def _refused(self, name: str, number: int) -> dict[str, Any]:
        photo = self.photo(name, number)
        if photo["state"] != Outcome.REFUSED:
            raise Problem(409, "not_now", f"photo {number} is {photo['state']}, not refused")
        return photo

    def _move(self, name: str, moves: dict[State, State]) -> Job:
        self.get(name)
        with self._database.write() as connection:
            row = connection.execute("SELECT state FROM jobs WHERE id = ?", (name,)).fetchone()
            now = State(row["state"])
            if now not in moves:
                raise Problem(409, "not_now", f"the job is {now}")
            connection.execute("UPDATE jobs SET state = ? WHERE id = ?", (moves[now], name))
        return self.get(name)

    def _row(self, name: str) -> sqlite3.Row | None:
        with self._database.read() as connection:
            row: sqlite3.Row | None = connection.execute("SELECT * FROM jobs WHERE id = ?", (name,)).fetchone()
            return row
