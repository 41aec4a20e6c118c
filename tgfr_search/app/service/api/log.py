"""The log of all that belongs to no case, for auditors; no route changes it."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.cursors import make_cursor, read_cursor
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.retention import read_entries

routes = Routes()
PAGE = 50


class LogTold(BaseModel):
    """Entries, the newest first."""

    entries: list[dict[str, Any]]
    next: str = Field("", description="Cursor of the entries before these; empty where there are none.")
    size: int


class Checkpoint(BaseModel):
    """The log's signed head."""

    checkpoint: str


@routes("GET", "/api/v1/log", {Role.AUDITOR})
def log(hub: TheHub, cursor: Annotated[str, Query(max_length=64)] = "") -> LogTold:
    """The newest entries, or those before a cursor."""
    found, before, size = entries_before(hub, read_cursor(cursor))
    return LogTold(entries=found, next=make_cursor(before) if before else "", size=size)


@routes("POST", "/api/v1/log/checkpoints", {Role.AUDITOR}, status_code=201)
def checkpoint(hub: TheHub, auditor: Who) -> Checkpoint:
    """Takes a checkpoint: a signed note to be kept where nobody who can write the log can reach it."""
    return Checkpoint(checkpoint=take_checkpoint(hub, auditor))


def entries_before(hub: Hub, before: int | None) -> tuple[list[dict[str, Any]], int, int]:
    """A page of entries below a place, newest first; where the next page begins, 0 for none; entries in all."""
    kept: deque[dict[str, Any]] = deque(maxlen=PAGE)
    size = 0
    for seq, entry in read_entries(hub.journal.log.folder):
        size = seq + 1
        if before is None or seq < before:
            kept.append(entry)
    shown = list(reversed(kept))
    return shown, (int(shown[-1]["seq"]) if len(shown) == PAGE else 0), size


def take_checkpoint(hub: Hub, auditor: Account) -> str:
    """The log's checkpoint, once the log tells that it was taken."""
    hub.journal_of(auditor).record(Entry(Act.ANCHOR))
    return hub.journal.log.checkpoint()
