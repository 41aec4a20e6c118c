"""The files of a case, each of which its log commits to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tgfr_search.audit.entries import Entry, commitment
from tgfr_search.audit.errors import BusyError
from tgfr_search.audit.journal import Journal
from tgfr_search.audit.keys import sync_folder
from tgfr_search.audit.locking import LOCK, locked
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.retention import read_entries
from tgfr_search.errors import InputError
from tgfr_search.names import IMAGE_SUFFIXES

PATIENCE_S = 5.0
"""How long an act waits for another that takes a moment; for an export or a report nobody waits."""
PENDING = ".pending"
"""Ending of a file that is not logged yet."""
_OWN_PENDING = re.compile(
    r"(case\.json|(evidence/E|derived/D)[0-9]+(\.\w+)?|calibrations/[0-9a-f]+\.json|searches/S[0-9]+\.json"
    r"|notes/N[0-9]+\.txt|reviews/R[0-9]+\.json)\.pending"
)
"""Whatever else ends so is somebody else's."""
_VIDEO = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".mts", ".m2ts"}
ENDINGS = IMAGE_SUFFIXES | _VIDEO | {".pdf"}
"""What a file of evidence may end in; of `J.Doe` the ending is part of a name, which the log must not tell."""


def ending_of(path: Path) -> str:
    """The ending of a file's name in the case: in small letters, one of `ENDINGS` or empty."""
    return ending if (ending := path.suffix.lower()) in ENDINGS else ""


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
        """A name that no file of a folder of the case has or had: a letter and four digits."""
        names = [path.name for path in (self.folder / folder).iterdir()]
        names += [name.removeprefix(f"{folder}/") for name in self.logged() if name.startswith(f"{folder}/")]
        taken = [int(found[1]) for name in names if (found := re.match(rf"{letter}([0-9]{{4,9}})(?:\.|$)", name))]
        return f"{letter}{max(taken, default=0) + 1:04d}"

    def logged(self) -> dict[str, str]:
        """Name of each file that an entry of the log tells of → the commitment to its bytes."""
        return {entry["details"]["file"]: str(entry["result_hmac"]) for entry in self._entries() if _names_file(entry)}

    def strays(self) -> Iterator[str]:
        """Names of files that are in no entry of the log: put there by somebody else, or by the system."""
        logged = self.logged()
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            ours = name.parts[0] in (self.log.folder.name, LOCK) or name.as_posix() in logged
            if not ours and (path.is_symlink() or not path.is_dir()):
                yield name.as_posix()

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

    def passing(self) -> Iterator[Path]:
        """Files under passing names."""
        for path in sorted(self.folder.rglob(f"*{PENDING}")):
            if _OWN_PENDING.fullmatch(path.relative_to(self.folder).as_posix()):
                yield path

    def settle_now(self, *, owner: bool) -> None:
        """Finishes or removes what a kill left; where somebody is at work it is theirs, and they do.

        Args:
            owner: Whether the case itself has its name; else whoever gives it one must end first.

        Raises:
            BusyError: The case is being started.
        """
        try:
            with locked(self.folder, patience=0):
                self.settle()
        except BusyError:
            if not owner:
                raise

    @contextmanager
    def settled(self, act: str = "") -> Iterator[None]:
        """Nobody writes to the case meanwhile, and what a kill left is finished or removed.

        Args:
            act: What takes longer than a moment, for others to be told.

        Raises:
            BusyError: Somebody else is at work; says who.
        """
        with locked(self.folder, act=act, patience=PATIENCE_S):
            self.settle()
            yield

    def settle(self) -> None:
        """Files under passing names: those that are in the log get their own, the others were never answered for."""
        passing = list(self.passing())
        logged = self.logged() if passing else {}
        for each in passing:
            path = each.with_name(each.name.removesuffix(PENDING))
            if logged.get(path.relative_to(self.folder).as_posix()) == commitment(self.key, each.read_bytes()):
                each.replace(path)
            else:
                each.unlink()

    def kept(self, name: str, logged: dict[str, str] | None = None) -> bytes:
        """The bytes of a file of the case, which are those that were logged.

        Args:
            name: Relative to the case.
            logged: What `logged` gave; read now by default.

        Raises:
            InputError: They are not, or there is no such file.
        """
        expected = (self.logged() if logged is None else logged).get(name)
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise InputError(
                f"{self.folder / name}", found=error.strerror or "", expected="a file of the case"
            ) from error
        if expected is None:
            raise InputError(
                f"{self.folder / name}", found=self._why_unknown(), expected="a file that an entry of the log tells of"
            )
        if expected != commitment(self.key, data):
            raise InputError(
                f"{self.folder / name}",
                found="other bytes than those that were logged",
                expected="a file as it was received or written",
                do="bring back the original; the log says when it came",
            )
        return data

    def _entries(self) -> list[dict[str, Any]]:
        return [entry for _, entry in read_entries(self.log.folder)]

    def _why_unknown(self) -> str:
        left = self._entries()
        removed = left[-1]["seq"] + 1 - len(left) if left else 0
        return f"its entry was removed, as {removed} of this log were, or never was" if removed else "in no entry"


def _names_file(entry: dict[str, Any]) -> bool:
    return "file" in entry.get("details", {})
