"""The end of a case: what it kept goes, and the key with it; its log stays, and says nothing any more of anybody."""

from __future__ import annotations

from pathlib import Path

from pipelines.casework.case.case import AUDIT, CASE, Case
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.keys import CaseKeys, sync_folder
from tgfr_search.audit.locking import locked
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.retention import held_cases, read_entries
from tgfr_search.errors import InputError


def erase(folder: Path, *, actor: str) -> int:
    """Removes every file of a closed case that its log tells of, then the key of the commitments. Logged first.

    A kill in between leaves a case that is erased by the same call. Files that are in no entry stay.

    Args:
        folder: Of the case.
        actor: Account.

    Returns:
        Files removed.

    Raises:
        InputError: It is no case, not closed, or on legal hold.
        AuditError: It could not be logged: nothing was removed.
    """
    told = [entry for _, entry in read_entries(folder / AUDIT)] if (folder / AUDIT).is_dir() else []
    if not any(entry["act"] == Act.KEY_DESTROYED for entry in told):
        case = Case.open(folder)
        if not any(entry["act"] == Act.CASE_CLOSED for entry in told):
            raise InputError(f"{folder}", found="an open case", expected="a closed one", do="tgfr-search case close")
        if case.id in held_cases(case.files.log):
            do = "tgfr-search case hold DIR --release"
            raise InputError(f"{folder}", found="a case on legal hold", expected="one that is not", do=do)
    log = AuditLog(folder / AUDIT)
    (identity,) = {entry["case"] for entry in told if entry["act"] == Act.CASE_OPENED}
    with locked(folder, act="erase"):
        if not any(entry["act"] == Act.KEY_DESTROYED for entry in told):
            log.append(Entry(Act.KEY_DESTROYED, actor=actor, case=identity))
        names = {CASE, *(entry["details"]["file"] for entry in told if "file" in entry.get("details", {}))}
        there = [folder / name for name in sorted(names) if (folder / name).is_file()]
        for path in there:
            path.unlink()
        for parent in {path.parent for path in there}:
            sync_folder(parent)
        keys = CaseKeys(log.folder)
        if keys.has(identity):
            keys.destroy(identity)
    return len(there)
