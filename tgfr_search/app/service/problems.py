"""What is refused, as a problem (RFC 9457): a stable code for programs, what was found and what to do for people."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from indexer import errors as index_errors
from indexer.errors import IndexerError
from pipelines.casework.review.review import ReviewError
from tgfr_search.audit.errors import AuditError
from tgfr_search.errors import CheckpointError, ContractError, FaceError, TgfrError

MEDIA_TYPE = "application/problem+json"
URN = "urn:tgfr-search:problem:"
CODES: dict[type[Exception], tuple[int, str]] = {
    AuditError: (503, "not_logged"),
    ReviewError: (409, "not_now"),
    ContractError: (503, "wrong_model"),
    CheckpointError: (503, "no_model"),
    index_errors.FilterError: (422, "bad_filter"),
    index_errors.UnknownRowError: (404, "no_such_row"),
    index_errors.IndexLockedError: (409, "index_locked"),
    index_errors.DiskFullError: (507, "disk_full"),
    index_errors.NotAnIndexError: (503, "no_index"),
    index_errors.ContractMismatchError: (503, "wrong_model"),
    index_errors.StaleReaderError: (503, "index_moved_on"),
    index_errors.DamagedIndexError: (503, "index_damaged"),
}
"""Kind of error → status and code; a kind's own entry counts before that of what it is a kind of."""


@dataclass
class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """A request that is refused.

    Attributes:
        status: Of HTTP.
        code: Stable; programs decide by it.
        detail: For a person.
        do: The next step.
        headers: Of the answer.
        more: Further members.
    """

    status: int
    code: str
    detail: str = ""
    do: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def as_dict(self) -> dict[str, Any]:
        """Members of the problem as plain JSON values."""
        told = {"type": URN + self.code, "title": HTTPStatus(self.status).phrase, "status": self.status}
        own = {"code": self.code, "detail": self.detail, "do": self.do, **self.more}
        return {**told, **{name: value for name, value in own.items() if value}}


def problem_of(error: TgfrError | IndexerError, data: Path) -> Problem:
    """An error of ours as a problem; where the service keeps its files stays unsaid.

    Args:
        error: What was raised.
        data: Folder of the service.
    """
    if isinstance(error, FaceError):
        return Problem(422, error.reason.value, error.detail, error.do)
    status, code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), (422, "bad_input"))
    parts = [f"{name}: {text}" for name, text in (("found", error.found), ("expected", error.expected)) if text]
    detail = "; ".join([error.what, *parts])
    return Problem(status, code, _without_paths(detail, data), _without_paths(error.do, data))


def out_of_room(error: OSError | sqlite3.OperationalError) -> bool:
    """Whether it failed because a disk is full, or what an account may fill of it."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return error.sqlite_errorcode == sqlite3.SQLITE_FULL


def too_many_bytes(limit: int) -> Problem:
    """More is sent in one request than may be."""
    return Problem(413, "too_many_bytes", f"more than {limit:,} bytes in one request")


def _without_paths(text: str, data: Path) -> str:
    """`text` with the folders of the server left out: of a path only the last name stays."""
    short = text.replace(f"{data}/", "").replace(str(data), "data")
    return re.sub(r"(?<![\w.])/(?:[^/\s;:,]+/)+", "", short)
