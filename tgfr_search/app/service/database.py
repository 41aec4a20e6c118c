"""The service's own tables (accounts, sessions, kept answers) in SQLite; cases and the log are files of their own."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

from tgfr_search.errors import InputError

FILE = "service.sqlite"
_MIGRATION = re.compile(r"(\d{4})_\w+\.sql")


class Database:
    """The tables in a folder, at the newest schema once opened.

    A connection is made for each use: any number of threads and processes may use one database.

    Args:
        folder: Where its file is; made where it is not there.

    Raises:
        InputError: It was written by a newer version, or is no database.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / FILE
        try:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}", found=str(error), expected="a database of the service") from error
        self.path.chmod(0o600)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with; rows are known by the names of their columns."""
        with closing(self._connect()) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that alone writes: committed and on the disk when the block is left, undone when it fails."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _migrate(self) -> None:
        """Runs each numbered migration that has not been run, one transaction each."""
        known = migrations()
        while True:
            with self.write() as connection:
                at = int(connection.execute("PRAGMA user_version").fetchone()[0])
                if at > len(known):
                    raise InputError(
                        f"{self.path}",
                        found=f"schema {at}",
                        expected=f"{len(known)} or less",
                        do="use the version of tgfr-search that wrote it, or a newer one",
                    )
                if at == len(known):
                    return
                for statement in known[at].split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {at + 1}")


def migrations() -> list[str]:
    """The SQL of each migration, in order; number N takes a database from schema N - 1 to N."""
    folder = files("tgfr_search.app.service") / "migrations"
    found = sorted((each for each in folder.iterdir() if _MIGRATION.fullmatch(each.name)), key=lambda each: each.name)
    if [int(each.name[:4]) for each in found] != list(range(1, len(found) + 1)):
        raise ValueError("migrations are not numbered from 1 without a gap")
    return [each.read_text(encoding="utf-8") for each in found]
