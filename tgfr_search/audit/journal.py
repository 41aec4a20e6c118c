"""The log as flows see it: something handed to them that an act is told to before its answer leaves. No global."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tgfr_search.audit.entries import Act, Entry, canonical, commitment, now

if TYPE_CHECKING:
    from tgfr_search.audit.log import AuditLog
    from tgfr_search.types import QueryResult

NO_CASE = "no-case"
"""The key of acts that belong to no case."""


class Journal(Protocol):
    """Where acts are told."""

    def commitment(self, value: str | bytes) -> str:
        """What stands for a value that must not be read in the log."""

    def record(self, entry: Entry) -> int:
        """Returns once the entry is on the disk; where it raises, nothing may be answered."""


@dataclass(frozen=True)
class LogJournal:
    """Acts of one account, in one case or in none, told to a log.

    Attributes:
        log: Where entries go.
        key: Of the commitments.
        actor: Account; a pseudonym that the laboratory can resolve.
        role: In which it acts.
        case: Id of the case; empty without one.
        purpose: Of the case; committed to, not written.
        basis: Legal basis; committed to, not written.
    """

    log: AuditLog
    key: bytes
    actor: str
    role: str = ""
    case: str = ""
    purpose: str = ""
    basis: str = ""

    @classmethod
    def without_case(cls, folder: Path) -> LogJournal:
        """The journal of plain commands: the log of a folder, started where there is none; the system's account acts.

        Raises:
            AuditError: The log cannot be used: the command must not go on.
        """
        from tgfr_search.audit.keys import CaseKeys  # `cryptography`, for those who keep a log
        from tgfr_search.audit.log import AuditLog

        log, keys = AuditLog.open(folder), CaseKeys(folder)
        with suppress(FileExistsError):
            if not keys.has(NO_CASE):
                keys.make(NO_CASE)
        return cls(log, keys.get(NO_CASE), actor=account())

    def commitment(self, value: str | bytes) -> str:
        """HMAC-SHA-256 of the value under the case's key."""
        return commitment(self.key, value)

    def record(self, entry: Entry) -> int:
        """Adds who acts, in which case, on which grounds, and appends it."""
        return self.log.append(
            replace(
                entry,
                actor=self.actor,
                role=self.role,
                case=self.case,
                purpose_hmac=self.commitment(self.purpose) if self.purpose else "",
                basis_hmac=self.commitment(self.basis) if self.basis else "",
            )
        )


def result_bytes(result: QueryResult) -> bytes:
    """The answer as it is committed to, and as a case keeps it: RFC 8785 JSON."""
    return canonical(result.as_dict())


def search_entry(
    journal: Journal, result: QueryResult, *, lines: tuple[str, ...], started: str, list_length: int, rows: int
) -> Entry:
    """What a search is in the log.

    Args:
        journal: Makes the commitments.
        result: The answer.
        lines: What was said.
        started: When it began, as `entries.now` writes it.
        list_length: Candidates asked for.
        rows: Of the index, before the filter.
    """
    index, _, generation = result.index_id.rpartition("@")
    probe, calibration = result.probe.get("sha256"), result.calibration or {}
    digest = {"sha256": result.index_sha256} if result.index_sha256 else {}
    return Entry(
        Act.SEARCH,
        started=started,
        index={"id": index, "generation": int(generation), "rows": rows, **digest},
        filters_hmac=journal.commitment(result.where) if result.where else "",
        probe_hmac=journal.commitment(probe) if probe else "",
        words_hmac=tuple(journal.commitment(line) for line in lines),
        contract={"model_id": result.model_id},
        list_length=list_length,
        candidates=tuple({"row": hit.row_id, **_worth(hit.lr)} for hit in result.candidates),
        calibration=str(calibration.get("sha256", "")),
        cohort=str(calibration.get("cohort_sha256", "")),
        result_hmac=journal.commitment(result_bytes(result)),
        details={
            "mode": result.mode,
            "mode_of_search": "investigation" if result.threshold is None else "identification",
        }
        | ({} if result.searched is None else {"searched": result.searched}),
    )


def _worth(lr: Mapping[str, Any] | None) -> dict[str, Any]:
    """A candidate's likelihood ratio in the log: a number and whether it is a bound, or why there is none."""
    if lr is None:
        return {}
    if lr["log10"] is None:
        return {"refused": str(lr["refused"])}
    return {"lr": lr["log10"], **({"bounded": True} if lr["bounded"] else {})}


class Indexed(Protocol):
    """An index, as far as an entry names it."""

    @property
    def index_id(self) -> str:
        """Which one."""

    @property
    def generation(self) -> int:
        """Which state of it."""


def index_of(store: Indexed) -> dict[str, Any]:
    """How an entry names an index."""
    return {"id": store.index_id, "generation": store.generation}


@contextmanager
def change(journal: Journal | None, act: Act, index: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Tells a change before it is made, so that a log that refuses stops it, and again how it ended.

    Args:
        journal: None: nothing is told.
        act: What changes.
        index: `id` and `generation` before it.

    Yields:
        Numbers to tell with the end; nothing personal.

    Raises:
        AuditError: The log refuses; before the change, or after it: then it was made, and must not be answered.
    """
    told: dict[str, Any] = {}
    started = now()
    if journal is not None:
        journal.record(Entry(act, started=started, index=index, details={"phase": "begun"}))
    try:
        yield told
    except BaseException as error:
        if journal is not None:
            failed = {"phase": "failed", "error": type(error).__name__}
            journal.record(Entry(act, started=started, index=index, details=failed))
        raise
    if journal is not None:
        journal.record(Entry(act, started=started, index=index, details={"phase": "done", **told}))


def account() -> str:
    """The account of the system that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
