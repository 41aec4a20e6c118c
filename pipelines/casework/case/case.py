"""A case: evidence as it was received, searches, notes, and the log of every act, in one folder.

What is kept is an investigative lead and how it came about, never an identification. Each file is committed to in the
case's own audit log: it is written under a passing name, then logged, then gets its name, and only then is there an
answer. A kill in between leaves the file without its name; the next one who opens the case finishes or removes it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.casework.case import refusals
from pipelines.casework.case.evidence import EVIDENCE, KINDS, place, receive
from pipelines.casework.case.files import PENDING, CaseFiles
from pipelines.casework.case.lab import Lab
from tgfr_search.audit.entries import Act, Entry, canonical, now
from tgfr_search.audit.journal import LogJournal, search_entry
from tgfr_search.audit.keys import CaseKeys
from tgfr_search.audit.locking import locked
from tgfr_search.audit.log import AuditLog, ImportedLog
from tgfr_search.audit.retention import read_entries
from tgfr_search.errors import InputError
from tgfr_search.strict import from_dict, to_dict
from tgfr_search.types import QueryResult

FORMAT = 1
CASE, AUDIT = "case.json", "audit"
SEARCHES, NOTES = "searches", "notes"
ORIGINS = ("witness", "made from the probe picture", "made from other pictures", "unknown")

__all__ = ["KINDS", "ORIGINS", "Case"]


@dataclass(frozen=True)
class Case:
    """An open case.

    Attributes:
        folder: Where it is.
        id: Random; what the log knows it by.
        purpose: Why it is searched.
        basis: On which legal basis.
        files: What is kept, with the log and the key of the commitments in it.
        fields: What else the laboratory wants to know of a case.
        lab: Its rules when the case was opened; they hold for the case.
        role: In which whoever has opened it acts, where accounts have roles.
    """

    folder: Path
    id: str
    purpose: str
    basis: str
    files: CaseFiles
    fields: Mapping[str, str] = field(default_factory=dict)
    lab: Lab = field(default_factory=Lab)
    role: str = ""

    @classmethod
    def new(
        cls,
        folder: Path,
        *,
        purpose: str,
        basis: str,
        actor: str,
        fields: Mapping[str, str] | None = None,
        lab: Lab | None = None,
        role: str = "",
    ) -> Case:
        """Starts a case.

        Raises:
            InputError: The folder is not empty, or purpose, basis or actor is; or a rule of the laboratory is not met.
            AuditError: The log cannot be written.
        """
        for name, value in (("--purpose", purpose), ("--basis", basis), ("--actor", actor)):
            if not value.strip():
                raise InputError(name, found="nothing", expected="a text: no search without it")
        rules, told_of = lab or Lab(), dict(fields or {})
        rules.check(basis, told_of)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise refusals.not_empty(folder)
        log = AuditLog.create(folder / AUDIT)
        with locked(folder):
            if (folder / CASE).exists():
                raise refusals.not_empty(folder)
            identity = secrets.token_hex(8)
            key = CaseKeys(log.folder).make(identity)
            told = {"format": FORMAT, "id": identity, "purpose": purpose, "basis": basis, "opened": now()}
            told |= {"fields": told_of, "lab": to_dict(rules)}
            for name in (EVIDENCE, SEARCHES, NOTES):
                (folder / name).mkdir(exist_ok=True)
            case = cls(folder, identity, purpose, basis, CaseFiles(folder, log, key), told_of, rules, role)
            case.files.commit(CASE, canonical(told), Entry(Act.CASE_OPENED), case.journal(actor))
        return case

    @classmethod
    def open(cls, folder: Path) -> Case:
        """Opens a case, and finishes what a kill left unfinished.

        Raises:
            InputError: It is none.
            AuditError: Its log or its key cannot be used.
        """
        case = None
        if any((folder / name).is_file() for name in (CASE, CASE + PENDING)):
            case = cls.read(folder)
            if list(case.files.passing()):
                case.files.settle_now(owner=(folder / CASE).is_file())
        if case is None or not (folder / CASE).is_file():
            raise refusals.no_case(folder, cut_off=case is not None)
        return case

    @classmethod
    def read(cls, folder: Path, log: AuditLog | None = None, key: bytes | None = None) -> Case:
        """As its file says, which may have a passing name yet; to be settled.

        Args:
            folder: With the files of the case.
            log: Of an import; else the one in the folder, which can be written to.
            key: Of the commitments; likewise.
        """
        path = folder / (CASE if (folder / CASE).exists() else CASE + PENDING)
        try:
            told = json.loads(path.read_bytes())
            identity, purpose, basis = told["id"], told["purpose"], told["basis"]
            lab = from_dict(told.get("lab", {}), Lab, f"{path}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{folder}", found=f"no case: {error}", expected=f"a folder with {CASE}") from error
        log = log or AuditLog(folder / AUDIT)
        files = CaseFiles(folder, log, key or CaseKeys(log.folder).get(identity))
        return cls(folder, identity, purpose, basis, files, told.get("fields", {}), lab)

    @property
    def imported(self) -> bool:
        """Whether it came from elsewhere: it is read, and nothing is added to it."""
        return isinstance(self.files.log, ImportedLog)

    def journal(self, actor: str) -> LogJournal:
        """Where acts of an account in this case are told."""
        if not actor.strip():
            raise InputError("--actor", found="nothing", expected="the account that acts")
        grounds = {"case": self.id, "purpose": self.purpose, "basis": self.basis}
        return LogJournal(self.files.log, self.files.key, actor, self.role, **grounds)

    def entries(self) -> list[dict[str, Any]]:
        """All entries of the log that have a body."""
        return [entry for _, entry in read_entries(self.files.log.folder)]

    def add(self, path: Path, *, actor: str, kind: str | None = None) -> str:
        """Receives a file of evidence: its bytes are kept as they are.

        Args:
            path: The file.
            actor: Account.
            kind: One of `KINDS`, `still` by default; of bytes that are there already, the kind that they have.

        Returns:
            Its name in the case; a file of the same bytes keeps the one that it has.

        Raises:
            InputError: It cannot be read, its kind is none of `KINDS` or another than before, or the case is closed.
        """
        return receive(self, path, actor=actor, kind=kind)

    def evidence(self, name: str) -> bytes:
        """The bytes of evidence, or of a derivative, as they were received; InputError where they are not."""
        return self.files.kept(place(name))

    def search(
        self,
        run: Callable[[bytes | None], QueryResult],
        *,
        actor: str,
        evidence: str | None,
        asked: dict[str, Any],
        lines: Sequence[str],
        origin: str,
        rows: int,
        steps: Sequence[str] = (),
        finish: Callable[[str, QueryResult], dict[str, Any]] | None = None,
    ) -> tuple[str, QueryResult]:
        """Runs a search, keeps its whole answer, and logs it; only then returns it.

        Args:
            run: Makes the answer from the probe's bytes.
            actor: Account.
            evidence: Name of the probe in the case; None to search by description.
            asked: What was asked for, plain values; kept with the answer, so that it can be run again.
            lines: Of the description.
            origin: Of the description, one of `ORIGINS`.
            rows: Of the index.
            steps: What was done to the evidence before: see `evidence.steps_to`.
            finish: Called with the search's name and its answer before it is logged; what it returns is kept with it.

        Returns:
            (name of the search, answer).

        Raises:
            InputError: The case is closed, the evidence is not as received, the origin is unknown.
            AuditError: It could not be logged: there is no answer.
        """
        if origin not in ORIGINS:
            raise InputError("--origin", found=origin, expected=f"one of: {', '.join(ORIGINS)}")
        self.lab.check_origin(origin if lines else None)
        self._need_open()
        started = now()
        result = run(None if evidence is None else self.evidence(evidence))
        with self.writing():
            name = self.files.next_name(SEARCHES, "S")
            kept = {"search": name, "evidence": evidence, "asked": asked, "origin": origin if lines else ""}
            kept |= finish(name, result) if finish else {}
            entry = search_entry(
                self.journal(actor), result, lines=tuple(lines), started=started, list_length=asked["top_k"], rows=rows
            )
            entry = replace(entry, words_origin=origin if lines else "", processing=tuple(steps))
            data = canonical({**kept, "result": result.as_dict()})
            self.files.commit(f"{SEARCHES}/{name}.json", data, entry, self.journal(actor))
        return name, result

    def read_search(self, name: str) -> dict[str, Any]:
        """What was asked and answered; InputError where there is no such search, or not as it was logged."""
        told: dict[str, Any] = json.loads(self.files.kept(f"{SEARCHES}/{name}.json"))
        return told

    def note(self, text: str, *, actor: str) -> str:
        """Keeps a note; returns its name."""
        if not text.strip():
            raise InputError("note", found="nothing", expected="a text")
        with self.writing():
            name = self.files.next_name(NOTES, "N")
            self.files.commit(
                f"{NOTES}/{name}.txt", text.encode("utf-8", "replace"), Entry(Act.NOTE), self.journal(actor)
            )
        return name

    def close(self, *, actor: str) -> None:
        """Closes the case: nothing is added any more."""
        with self.writing():
            self.journal(actor).record(Entry(Act.CASE_CLOSED))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else writes to the case meanwhile, which is open: see `CaseFiles.settled`.

        Raises:
            InputError: It is closed.
        """
        with self.files.settled():
            self._need_open()
            yield

    def _need_open(self) -> None:
        if error := refusals.not_open(self.folder, {entry["act"] for entry in self.entries()}):
            raise error
