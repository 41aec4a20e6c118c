"""What a case works on: evidence as it was received, and derivatives, each of which names what was done to what."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from pipelines.casework.case import refusals
from pipelines.casework.case.files import CaseFiles, ending_of
from tgfr_search.audit.entries import Act, Entry, commitment
from tgfr_search.audit.journal import LogJournal
from tgfr_search.errors import InputError

EVIDENCE, DERIVED = "evidence", "derived"
KINDS = ("still", "video frame", "document", "sketch", "composite", "look-alike")
GENERATED = "super-resolution"
"""Draws detail into a picture that nobody photographed."""
OPERATIONS = (
    "frame", "crop", "rotate", "resize", "brightness", "contrast", "sharpen", "denoise", "deblur", GENERATED, "other",
)  # fmt: skip
"""What was done; `frame` takes a picture out of a video. Codes of the log: never rename one."""
PARAMETER = re.compile(r"[a-z][a-z_]{0,31}")


class Case(Protocol):
    """What is asked here of a case, which `case.Case` is."""

    @property
    def folder(self) -> Path:
        """Where it is."""

    @property
    def files(self) -> CaseFiles:
        """What is kept."""

    def journal(self, actor: str) -> LogJournal:
        """Where acts of an account in this case are told."""

    def entries(self) -> list[dict[str, Any]]:
        """All entries of the log that have a body."""

    def evidence(self, name: str) -> bytes:
        """The bytes of evidence, or of a derivative, as they were received."""

    def writing(self) -> AbstractContextManager[None]:
        """Nobody else writes to the case meanwhile, which is open."""


def receive(case: Case, path: Path, *, actor: str, kind: str | None) -> str:
    """See `Case.add`."""
    if kind is not None and kind not in KINDS:
        raise InputError("--kind", found=kind, expected=f"one of: {', '.join(KINDS)}")
    data = _bytes(path)
    code = (kind or KINDS[0]).replace(" ", "-")
    digest = _committed(case, data)
    with case.writing():
        for told in case.entries():
            if told["act"] == Act.EVIDENCE and told["probe_hmac"] == digest:
                name, known = Path(told["details"]["file"]).name, told["details"]["kind"]
                if kind is not None and code != known:
                    raise refusals.another_kind(name, kind, known)
                return name
        name = f"{case.files.next_name(EVIDENCE, 'E')}{ending_of(path)}"
        entry = Entry(Act.EVIDENCE, probe_hmac=digest, details={"kind": code})
        case.files.commit(f"{EVIDENCE}/{name}", data, entry, case.journal(actor))
    return name


def derive(
    case: Case, parent: str, path: Path, *, actor: str, operation: str, parameters: Mapping[str, float] | None = None
) -> str:
    """Receives what was made from a file of the case; the original stays as it is.

    Args:
        case: The case.
        parent: Name of what it was made from, evidence or a derivative.
        path: The file.
        actor: Account.
        operation: One of `OPERATIONS`; several steps are several derivatives.
        parameters: With which: names in small letters, numbers; they stand in the log.

    Returns:
        Its name in the case, `D0001` with an ending; a search with it knows every step.

    Raises:
        InputError: There is no such parent, operation or parameter; it cannot be read; or the case is closed.
    """
    if operation not in OPERATIONS:
        raise InputError("--operation", found=operation, expected=f"one of: {', '.join(OPERATIONS)}")
    for name in parameters or {}:
        if not PARAMETER.fullmatch(name):
            raise InputError("--set", found=name, expected="a name in small letters, as left=10")
    case.evidence(parent)
    data, kind = _bytes(path), about(case)[parent]["kind"]
    with case.writing():
        (case.folder / DERIVED).mkdir(exist_ok=True)
        name = f"{case.files.next_name(DERIVED, 'D')}{ending_of(path)}"
        details = {"kind": kind, "parent": parent, "operation": operation, "parameters": dict(parameters or {})}
        entry = Entry(Act.DERIVED, probe_hmac=_committed(case, data), details=details)
        case.files.commit(f"{DERIVED}/{name}", data, entry, case.journal(actor))
    return name


def place(name: str) -> str:
    """Where a file of evidence, or a derivative, is in the folder of the case."""
    return f"{DERIVED if name.startswith('D') else EVIDENCE}/{name}"


def about(case: Case) -> dict[str, dict[str, Any]]:
    """Name of each file of evidence and derivative → what its entry tells, in the order of the log."""
    told = (each["details"] for each in case.entries() if each["act"] in (Act.EVIDENCE, Act.DERIVED))
    return {Path(each["file"]).name: each for each in told}


def steps_to(case: Case, name: str) -> tuple[str, ...]:
    """What was done to evidence until it became this file; nothing where it is as it was received."""
    told, steps = about(case), []
    while "parent" in told[name]:
        steps.append(str(told[name]["operation"]))
        name = told[name]["parent"]
    return tuple(reversed(steps))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}", found=error.strerror or "unreadable", expected="a file of evidence") from error


def _committed(case: Case, data: bytes) -> str:
    return commitment(case.files.key, hashlib.sha256(data).hexdigest())
