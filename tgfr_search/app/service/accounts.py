"""Accounts: who may come in, as what. Passwords are kept as argon2id hashes alone."""

from __future__ import annotations

import re
import sqlite3
import time
from dataclasses import dataclass
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tgfr_search.app.service.database import Database
from tgfr_search.app.service.roles import Role
from tgfr_search.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A pseudonym: the laboratory keeps the list of whose it is."""
SHORTEST, LONGEST = 12, 1024


@dataclass(frozen=True)
class Account:
    """Who acts.

    Attributes:
        name: Pseudonym; stands in the log.
        role: What it may do.
        disabled: It may not come in any more; what it did stays.
    """

    name: str
    role: Role
    disabled: bool = False


class Accounts:
    """The accounts of a service.

    Args:
        database: Where they are kept.
        hasher: Makes and checks hashes; argon2's own settings by default (RFC 9106, low memory).
    """

    def __init__(self, database: Database, hasher: PasswordHasher | None = None) -> None:
        self._database, self._hasher = database, hasher or PasswordHasher()

    def add(self, name: str, role: str, password: str) -> Account:
        """Adds an account.

        Raises:
            InputError: The name, role or password cannot be one, or the name is taken.
        """
        if not NAME.fullmatch(name):
            raise InputError(
                "account", found=repr(name), expected="letters, digits, dots, dashes, underscores; 64 at most"
            )
        known, hashed = as_role(role), self._hasher.hash(checked(password))
        try:
            with self._database.write() as connection:
                connection.execute(
                    "INSERT INTO accounts (name, role, password_hash, created) VALUES (?, ?, ?, ?)",
                    (name, known.value, hashed, time.time()),
                )
        except sqlite3.IntegrityError:
            raise InputError(f"account {name}", found="one of that name", expected="a new name") from None
        return Account(name, known)

    def all(self) -> list[Account]:
        """All accounts, by name."""
        with self._database.read() as connection:
            return [_account(row) for row in connection.execute("SELECT * FROM accounts ORDER BY name")]

    def get(self, name: str) -> Account | None:
        """The account of a name; None where there is none."""
        row = self._row(name)
        return None if row is None else _account(row)

    def change(self, name: str, *, role: str | None = None, disabled: bool | None = None) -> Account:
        """Gives an account another role, or closes or opens it; its sessions and tokens end.

        Raises:
            InputError: There is no such account or role, or nobody could keep accounts afterwards.
        """
        new_role = None if role is None else as_role(role)
        with self._database.write() as connection:
            row = connection.execute("SELECT * FROM accounts WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise InputError(f"account {name}", found="none of that name", expected="an account")
            before = _account(row)
            after = Account(name, new_role or before.role, before.disabled if disabled is None else disabled)
            connection.execute(
                "UPDATE accounts SET role = ?, disabled = ? WHERE name = ?", (after.role.value, after.disabled, name)
            )
            admins = "SELECT count(*) FROM accounts WHERE role = 'admin' AND NOT disabled"
            if _is_admin(before) and not connection.execute(admins).fetchone()[0]:
                raise InputError(
                    f"account {name}", found="the last admin", expected="another one left", do="add another admin first"
                )
            for table in ("sessions", "tokens"):
                connection.execute(f"DELETE FROM {table} WHERE account = ?", (name,))
        return after

    def signed_in(self, name: str, password: str) -> Account | None:
        """The account, where name and password are right and it is open; takes as long where they are not."""
        row = self._row(name)
        hashed = self._nobody if row is None else str(row["password_hash"])
        try:
            self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return None
        if row is None or row["disabled"]:
            return None
        if self._hasher.check_needs_rehash(hashed):
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE accounts SET password_hash = ? WHERE name = ?", (self._hasher.hash(password), name)
                )
        return _account(row)

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password fits, so that an unknown name costs as much time as a wrong password."""
        return self._hasher.hash("no account has this password")

    def _row(self, name: str) -> sqlite3.Row | None:
        with self._database.read() as connection:
            row: sqlite3.Row | None = connection.execute("SELECT * FROM accounts WHERE name = ?", (name,)).fetchone()
            return row


def as_role(text: str) -> Role:
    """The role of a name.

    Raises:
        InputError: It is none.
    """
    try:
        return Role(text)
    except ValueError:
        raise InputError("role", found=text, expected=f"one of: {', '.join(Role)}") from None


def checked(password: str) -> str:
    """A password that may be one.

    Raises:
        InputError: It is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError("password", found=f"{len(password)} characters", expected=f"{SHORTEST} to {LONGEST}")
    return password


def _account(row: sqlite3.Row) -> Account:
    return Account(str(row["name"]), Role(row["role"]), bool(row["disabled"]))


def _is_admin(account: Account) -> bool:
    return account.role is Role.ADMIN and not account.disabled
