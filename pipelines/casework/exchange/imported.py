"""A case that came in as an export: it is read and run again, and nothing is ever written to its folder."""

from __future__ import annotations

from pathlib import Path

from pipelines.casework.case.case import AUDIT, Case
from tgfr_search.audit import verify
from tgfr_search.audit.log import ImportedLog
from tgfr_search.errors import InputError

BAG = "bagit.txt"


def is_import(folder: Path) -> bool:
    """Whether a folder is an export that was unpacked."""
    return (folder / BAG).is_file()


def open_to_read(folder: Path) -> Case:
    """A case, to be looked at or run again: one that is kept here, or an export that was unpacked.

    Raises:
        InputError: It is none, or an export that is not whole.
        AuditError: Its log or its key cannot be used.
    """
    if not is_import(folder):
        return Case.open(folder)
    report = verify.check_folder(folder)
    if report.problems:
        do = "ask for a new export; this one is not to be relied on"
        raise InputError(f"{folder}", found=report.problems[0], expected="an export that is whole", do=do)
    data = folder / "data"
    key = bytes.fromhex((data / "case.key").read_text(encoding="ascii"))
    return Case.read(data, ImportedLog(data / AUDIT), key)
