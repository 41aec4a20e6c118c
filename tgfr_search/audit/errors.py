"""What can be wrong with an audit log."""

from __future__ import annotations

from tgfr_search.errors import TgfrError


class AuditError(TgfrError):
    """An act could not be logged, or a log could not be used: nothing was answered."""


class BusyError(AuditError):
    """Somebody else works in a case, or writes to a log, at this moment."""


class DamagedLogError(AuditError):
    """A log is not what was written: entries are missing or changed."""

    exit_code = 1
