"""Whether the files of a case that is kept here are those that its log commits to; an export has its own verifier."""

from __future__ import annotations

from pathlib import Path

from pipelines.casework.case.case import AUDIT, CASE
from pipelines.casework.case.files import PENDING
from tgfr_search.audit.entries import Act, commitment
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.keys import CaseKeys
from tgfr_search.audit.locking import LOCK
from tgfr_search.audit.retention import read_entries


def check_files(folder: Path) -> tuple[list[str], list[str]]:
    """What is wrong with the files of a case, and what is worth knowing; nothing is changed or waited for.

    Args:
        folder: Of the case; its log was found to be whole.

    Returns:
        (problems: files that are missing or not as logged; notes: files in no entry, or why nothing can be checked).
        Both empty where the folder is that of a log alone, or of an export.
    """
    if not (folder / AUDIT).is_dir() or (folder / "bagit.txt").exists():
        return [], []
    told = [entry for _, entry in read_entries(folder / AUDIT)]
    identity = next((entry["case"] for entry in told if entry["act"] == Act.CASE_OPENED), "")
    logged = {e["details"]["file"]: (e["seq"], e["result_hmac"]) for e in told if "file" in e.get("details", {})}
    if not logged:  # the folder of a service, which has a log beside its cases
        return [], []
    if any(entry["act"] == Act.KEY_DESTROYED for entry in told):
        return [], ["the case was erased: of its files nothing can be checked any more"]
    try:
        key = CaseKeys(folder / AUDIT).get(identity)
    except AuditError as error:
        return [f"its files cannot be checked: {error}"], []
    # A file may have its passing name still, and get its own between two looks: its own is looked at once more.
    problems = [
        f"{name} is not the file that entry {seq} was written for"
        for name, (seq, expected) in logged.items()
        if not any(_holds(folder / f"{name}{ending}", key, expected) for ending in ("", PENDING, ""))
    ]
    return problems, [f"{name} is in no entry of the log, and no part of the case" for name in _strays(folder, logged)]


def _holds(path: Path, key: bytes, expected: str) -> bool:
    """Whether a file has the bytes that were logged."""
    try:
        return commitment(key, path.read_bytes()) == expected
    except OSError:
        return False


def _strays(folder: Path, logged: dict[str, tuple[int, str]]) -> list[str]:
    names = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    ours = {*logged, *(f"{name}{PENDING}" for name in (CASE, *logged))}
    return [each.as_posix() for each in names if each.parts[0] not in (AUDIT, LOCK) and each.as_posix() not in ours]
