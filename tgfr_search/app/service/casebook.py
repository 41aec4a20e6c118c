"""The cases of a service: `pipelines.casework` keeps them; here is where they are, and who may change one now."""

from __future__ import annotations

import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from pipelines.casework.case.case import CASE, Case
from pipelines.casework.case.files import ending_of
from pipelines.casework.case.lab import Lab
from pipelines.casework.report import overview
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.problems import Problem
from tgfr_search.audit.entries import Act

CASES, INCOMING = "cases", "incoming"
NAME = re.compile(r"\d{4}-\d{4,6}")
PART = re.compile(r"[A-Z]\d{4,9}(\.[a-z0-9]{1,5})?")
"""Of a file of evidence, a search, a note."""


class Casebook:
    """The cases in a folder.

    Args:
        data: Folder of the service.
        lab: What the laboratory requires of every case that is started here.

    Attributes:
        folder: Where they are.
        incoming: Where what comes in is for as long as it is read.
        lab: What the laboratory requires.

    Raises:
        InputError: It wants foils and declares nobody to be a stranger.
    """

    def __init__(self, data: Path, lab: Lab | None = None) -> None:
        self.lab = lab or Lab()
        self.lab.check_foils()
        self.folder, self.incoming = data / CASES, data / INCOMING
        self._locks: defaultdict[str, RLock] = defaultdict(RLock)
        self._all = RLock()
        for folder in (self.folder, self.incoming):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.incoming.iterdir():  # of a process that was killed while it received
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def names(self) -> list[str]:
        """All cases, the newest first."""
        found = [path.parent.name for path in self.folder.glob(f"*/{CASE}")]
        return sorted((name for name in found if NAME.fullmatch(name)), reverse=True)

    def new(self, purpose: str, basis: str, account: Account, fields: Mapping[str, str] | None = None) -> str:
        """Starts a case under the next number of this year; returns its name.

        Args:
            purpose: Why faces are searched.
            basis: On which legal basis.
            account: Who starts it.
            fields: What else the laboratory wants to know.

        Raises:
            Problem: What the laboratory requires is not there.
            InputError: Purpose or basis is empty.
            AuditError: It could not be logged.
        """
        told = {name: text.strip() for name, text in (fields or {}).items() if text.strip()}
        self._need_rules(basis, told)
        year = datetime.now(UTC).year
        with self._all:
            taken = [int(path.name[5:]) for path in self.folder.glob(f"{year}-*") if NAME.fullmatch(path.name)]
            name = f"{year}-{max(taken, default=0) + 1:04d}"
            given = {"purpose": purpose, "basis": basis, "actor": account.name, "role": account.role.value}
            Case.new(self.folder / name, **given, fields=told, lab=self.lab)
        return name

    def _need_rules(self, basis: str, fields: Mapping[str, str]) -> None:
        """As `Lab.check`, in the words of pages and programs."""
        if missing := [name for name in self.lab.required if name not in fields]:
            raise Problem(422, "lab_requires", f"found no {' and no '.join(missing)}", "the laboratory requires it")
        if self.lab.bases and basis not in self.lab.bases:
            do = "give one of those that the laboratory has"
            raise Problem(422, "lab_requires", f"legal basis: found {basis}; expected one of {self.lab.bases}", do)

    def open(self, name: str, account: Account) -> Case:
        """A case, for an account whose acts it tells in its role.

        Raises:
            Problem: There is none of that name.
            AuditError: Its log or its key cannot be used.
        """
        if not NAME.fullmatch(name) or not (self.folder / name / CASE).is_file():
            raise Problem(404, "no_such_case", f"found no case {name[:16]}")
        return replace(Case.open(self.folder / name), role=account.role.value)

    @contextmanager
    def changing(self, name: str, if_match: str | None, account: Account) -> Iterator[Case]:
        """A case that nobody else changes through this service meanwhile.

        Args:
            name: Of the case.
            if_match: State that whoever asks has seen, as `state_of` gives it; None where it does not matter.
            account: Who changes it.

        Raises:
            Problem: There is no such case, or it has moved on since.
        """
        with self._all:
            lock = self._locks[name]
        with lock:
            case = self.open(name, account)
            if if_match not in (None, "*") and if_match != state_of(case):
                do = "load it again, look at what changed, then decide"
                raise Problem(412, "case_moved_on", "somebody changed the case since it was shown to you", do)
            yield case

    @contextmanager
    def received(self, data: bytes, name: str) -> Iterator[Path]:
        """A file with bytes that came in, as long as the block lasts; of its name only a known ending is kept."""
        path = self.incoming / f"{secrets.token_hex(8)}{ending_of(Path(name))}"
        try:
            path.write_bytes(data)
            path.chmod(0o600)
            yield path
        finally:
            path.unlink(missing_ok=True)


def state_of(case: Case) -> str:
    """Which state a case is in, as an ETag: another after each act but a look and a report, which change nothing."""
    return f'"{sum(entry["act"] not in (Act.VIEW, Act.REPORT) for entry in case.entries())}"'


def look(case: Case, account: Account, what: str) -> None:
    """Tells the case's log that an account looks at something, before it is shown; see `overview.look`."""
    overview.look(case, what, actor=account.name)


def need_part(name: str) -> str:
    """The name of a part of a case.

    Raises:
        Problem: It cannot be one.
    """
    if not PART.fullmatch(name):
        raise Problem(404, "no_such_part", "found no such part of the case")
    return name
