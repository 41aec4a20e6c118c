"""Sessions of browsers and tokens of programs: kept here as hashes, so that who reads the tables cannot come in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from tgfr_search.app.service.accounts import Account, Accounts
from tgfr_search.app.service.database import Database
from tgfr_search.app.service.settings import Limits
from tgfr_search.errors import InputError

TOUCHED_EVERY_S = 15.0
"""A session's last use is written down no more often, so that reading a page is not a write each time."""
LONGEST_DAYS = 366


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        account: Who.
        csrf: What a form must send along; empty of a program's token, which no browser sends by itself.
    """

    account: Account
    csrf: str = ""

    def sent_by_us(self, token: str) -> bool:
        """Whether a form's token is this session's."""
        return not self.csrf or hmac.compare_digest(self.csrf.encode(), token.encode())


class Sessions:
    """The sessions and tokens of a service.

    Args:
        database: Where they are kept.
        accounts: Whose they are.
        limits: How long a session lasts.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, database: Database, accounts: Accounts, limits: Limits, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._accounts, self._limits, self._clock = database, accounts, limits, clock

    def begin(self, account: Account) -> str:
        """A new session; returns what its cookie holds. A browser's earlier one is never taken over."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO sessions (token_sha256, account, csrf, created, used) VALUES (?, ?, ?, ?, ?)",
                (_hash(token), account.name, secrets.token_urlsafe(32), now, now),
            )
            connection.execute(
                "DELETE FROM sessions WHERE used < ? OR created < ?",
                (now - self._limits.idle_s, now - self._limits.session_s),
            )
        return token

    def find(self, token: str) -> Session | None:
        """The session of a cookie, where it still lasts and its account is open."""
        now = self._clock()
        with self._database.read() as connection:
            row = connection.execute("SELECT * FROM sessions WHERE token_sha256 = ?", (_hash(token),)).fetchone()
        if row is None or row["used"] < now - self._limits.idle_s or row["created"] < now - self._limits.session_s:
            return None
        account = self._accounts.get(row["account"])
        if account is None or account.disabled:
            return None
        if now - row["used"] > TOUCHED_EVERY_S:
            with self._database.write() as connection:
                connection.execute("UPDATE sessions SET used = ? WHERE token_sha256 = ?", (now, _hash(token)))
        return Session(account, row["csrf"])

    def end(self, token: str) -> None:
        """Ends a session."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM sessions WHERE token_sha256 = ?", (_hash(token),))

    def make_token(self, account: Account, days: int) -> str:
        """A token for a program that acts as an account; shown once.

        Raises:
            InputError: It would last for no time, or for ever.
        """
        if not 1 <= days <= LONGEST_DAYS:
            raise InputError("--days", found=str(days), expected=f"1 to {LONGEST_DAYS}")
        token, now = "tgfr_" + secrets.token_urlsafe(32), self._clock()
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO tokens (token_sha256, account, created, expires) VALUES (?, ?, ?, ?)",
                (_hash(token), account.name, now, now + 86400 * days),
            )
        return token

    def find_token(self, token: str) -> Session | None:
        """Who acts by a program's token, where it still lasts and the account is open."""
        with self._database.read() as connection:
            row = connection.execute("SELECT * FROM tokens WHERE token_sha256 = ?", (_hash(token),)).fetchone()
        account = None if row is None or row["expires"] < self._clock() else self._accounts.get(row["account"])
        return None if account is None or account.disabled else Session(account)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
