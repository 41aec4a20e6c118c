"""What an examiner has marked and not locked yet: kept on the server, so that a page that is loaded again has it.

A draft is no act: no log tells of it, and no report. It is for the account that made it alone, for the candidate that
it compares now, and goes with the decision. It may say something of a person, as a decision may, and ends with the case
as a decision does: it is sealed under the key of the case, which `case erase` destroys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from pipelines.casework.case.case import Case
from pipelines.casework.review.marks import Mark, read_marks
from tgfr_search.app.service.database import Database


class Drafts:
    """The drafts of a service.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, case: Case, search: str, account: str, label: str, marks: Sequence[Mark]) -> None:
        """Keeps the marks of the candidate that an account compares now, in place of what was kept before."""
        if not marks:
            self.drop(case, search, account)
            return
        sealed = _seal(case).encrypt(json.dumps([each.told() for each in marks]).encode())
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO drafts (case_id, search, account, label, sealed, saved) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (case.id, search, account, label, sealed, time.time()),
            )

    def find(self, case: Case, search: str, account: str, label: str) -> tuple[Mark, ...]:
        """The marks that were kept for this candidate; none where there are none, or they cannot be read."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT sealed FROM drafts WHERE case_id = ? AND search = ? AND account = ? AND label = ?",
                (case.id, search, account, label),
            ).fetchone()
        if row is None:
            return ()
        try:
            return read_marks(json.loads(_seal(case).decrypt(row["sealed"])))
        except InvalidToken:  # a backup of another day: the page is without it, and works
            return ()

    def drop(self, case: Case, search: str, account: str) -> None:
        """Forgets what was kept of a search for an account."""
        with self._database.write() as connection:
            where = (case.id, search, account)
            connection.execute("DELETE FROM drafts WHERE case_id = ? AND search = ? AND account = ?", where)


def _seal(case: Case) -> Fernet:
    own = hmac.new(case.files.key, b"drafts of marks", hashlib.sha256).digest()
    return Fernet(base64.urlsafe_b64encode(own))
