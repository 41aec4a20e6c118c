"""Small logs, and what is done to them."""

from __future__ import annotations

from pathlib import Path

from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.log import AuditLog


def search_entry(number: int) -> Entry:
    return Entry(Act.SEARCH, actor="examiner-1", case="c-1", candidates=({"row": number, "log10_lr": 1.5},))


def small_log(folder: Path, entries: int) -> AuditLog:
    """With its opening entry and `entries` more."""
    log = AuditLog.create(folder)
    for number in range(entries):
        log.append(search_entry(number))
    return log
