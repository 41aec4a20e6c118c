"""The files of a case, each of which its log commits to."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from tgfr_search.audit.entries import Entry, commitment
from tgfr_search.audit.journal import Journal
from tgfr_search.audit.keys import sync_folder
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.retention import read_entries
from tgfr_search.errors import InputError

PENDING = ".pending"
"""Ending of a file that is not logged yet."""


@dataclass(frozen=True)
class CaseFiles:
    """Where the files of a case are kept.

    Attributes:
        folder: Of the case.
        log: Of the case.
        key: Of the commitments in it.
    """

    folder: Path
    log: AuditLog
    key: bytes

    def next_name(self, folder: str, letter: str) -> str:
        """A name that no file of a folder of the case has: a letter and four digits."""
        taken = [int(path.stem.split(".")[0][1:]) for path in (self.folder / folder).iterdir()]
        return f"{letter}{max(taken, default=0) + 1:04d}"

    def commit(self, name: str, data: bytes, entry: Entry, journal: Journal) -> None:
        """Keeps a file and logs it; a kill in between leaves it to `settle`."""
        path = self.folder / name
        passing = path.with_name(path.name + PENDING)
        with passing.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        details = {**entry.details, "file": name}
        told = replace(entry, details=details, result_hmac=commitment(self.key, data))
        journal.record(told)
        passing.replace(path)
        sync_folder(path.parent)

    def settle(self) -> None:
        """Files under passing names: those that are in the log get their own, the others were never answered for."""
        for passing in sorted(self.folder.rglob(f"*{PENDING}")):
            path = passing.with_name(passing.name.removesuffix(PENDING))
            logged = self._commitment_of(path.relative_to(self.folder).as_posix())
            if logged == commitment(self.key, passing.read_bytes()):
                passing.replace(path)
            else:
                passing.unlink()

    def _commitment_of(self, name: str) -> str | None:
        for _, entry in reversed(list(read_entries(self.log.folder))):
            if entry.get("details", {}).get("file") == name:
                return str(entry["result_hmac"])
        return None

    def kept(self, name: str) -> bytes:
        """The bytes of a file of the case, which are those that were logged.

        Raises:
            InputError: They are not, or there is no such file.
        """
        expected = self._commitment_of(name)
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise InputError(
                f"{self.folder / name}", found=error.strerror or "", expected="a file of the case"
            ) from error
        if expected != commitment(self.key, data):
            raise InputError(
                f"{self.folder / name}",
                found="other bytes than those that were logged",
                expected="a file as it was received or written",
                do="bring back the original; the log says when it came",
            )
        return data
