"""The cases of a service: `pipelines.casework` keeps them; here is where they are, and who may change one now."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from pipelines.casework.case.case import CASE, Case
from pipelines.casework.case.files import ending_of
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
    """

    def __init__(self, data: Path) -> None:
        self.folder, self._incoming = data / CASES, data / INCOMING
        self._locks: defaultdict[str, RLock] = defaultdict(RLock)
        self._all = RLock()
        for folder in (self.folder, self._incoming):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._incoming.iterdir():  # of a process that was killed while it received
            left.unlink()

    def names(self) -> list[str]:
        """All cases, the newest first."""
        found = [path.parent.name for path in self.folder.glob(f"*/{CASE}")]
        return sorted((name for name in found if NAME.fullmatch(name)), reverse=True)

    def new(self, purpose: str, basis: str, account: Account) -> str:
        """Starts a case under the next number of this year; returns its name.

        Raises:
            InputError: Purpose or basis is empty.
            AuditError: It could not be logged.
        """
        year = datetime.now(UTC).year
        with self._all:
            taken = [int(path.name[5:]) for path in self.folder.glob(f"{year}-*") if NAME.fullmatch(path.name)]
            name = f"{year}-{max(taken, default=0) + 1:04d}"
            Case.new(self.folder / name, purpose=purpose, basis=basis, actor=account.name)
        return name

    def open(self, name: str) -> Case:
        """A case.

        Raises:
            Problem: There is none of that name.
            AuditError: Its log or its key cannot be used.
        """
        if not NAME.fullmatch(name) or not (self.folder / name / CASE).is_file():
            raise Problem(404, "no_such_case", f"found no case {name[:16]}")
        return Case.open(self.folder / name)

    @contextmanager
    def changing(self, name: str, if_match: str | None) -> Iterator[Case]:
        """A case that nobody else changes through this service meanwhile.

        Args:
            name: Of the case.
            if_match: State that whoever asks has seen, as `state_of` gives it; None where it does not matter.

        Raises:
            Problem: There is no such case, or it has moved on since.
        """
        with self._all:
            lock = self._locks[name]
        with lock:
            case = self.open(name)
            if if_match not in (None, "*") and if_match != state_of(case):
                do = "load it again, look at what changed, then decide"
                raise Problem(412, "case_moved_on", "somebody changed the case since it was shown to you", do)
            yield case

    @contextmanager
    def received(self, data: bytes, name: str) -> Iterator[Path]:
        """A file with bytes that came in, as long as the block lasts; of its name only a known ending is kept."""
        path = self._incoming / f"{secrets.token_hex(8)}{ending_of(Path(name))}"
        try:
            path.write_bytes(data)
            path.chmod(0o600)
            yield path
        finally:
            path.unlink(missing_ok=True)


def state_of(case: Case) -> str:
    """Which state a case is in, as an ETag: another after each act but a look."""
    return f'"{sum(entry["act"] != Act.VIEW for entry in case.entries())}"'


def look(case: Case, account: Account, what: str) -> None:
    """Tells the case's log that an account looks at something, before it is shown; see `overview.look`."""
    overview.look(case, what, actor=account.name, role=account.role.value)


def need_part(name: str) -> str:
    """The name of a part of a case.

    Raises:
        Problem: It cannot be one.
    """
    if not PART.fullmatch(name):
        raise Problem(404, "no_such_part", "found no such part of the case")
    return name
