"""The log's writer: an entry is whole and synced on the disk, or the act did not happen.

Entry and signature go to the end of the file in one write, then one fsync; only then `append` returns. A kill or a full
disk at any byte leaves at most a tail that is no whole record. The next writer cuts it, says so in an entry of its own,
and can tell it from a loss: what was acknowledged is covered by the file `checkpoint`, which is written afterwards.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import tgfr_search
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.errors import AuditError, DamagedLogError
from tgfr_search.audit.keys import SIGNING, Signer, sync_folder, write_all, write_secret
from tgfr_search.audit.locking import LOCK, locked
from tgfr_search.audit.state import State, load_state
from tgfr_search.audit.verify import CHECKPOINT, KEY, LOG, Key, Tree, leaf_hash
from tgfr_search.files import replacing

NAME = "tgfr-search.audit"
SAVED_EVERY = 256
"""Entries after which the state is saved; a process that opens the log reads at most so many."""
_PASSING = re.compile(r"\.(signing|log|checkpoint|state)\.[0-9a-f]{12}\.tmp(\.[a-z]+)?")
SOFTWARE = f"tgfr-search {tgfr_search.__version__}"


def _pass(step: str) -> None:
    """Lets every step happen."""


class AuditLog:
    """A log in a folder. Any number of processes and threads may hold one; each append takes the lock for itself.

    Attributes:
        folder: With the log, its public key, its checkpoint, its secret keys.
        key: The public key.
        on_step: Called with the name of each step of an append before it is taken; a test kills the process there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.on_step: Callable[[str], None] = _pass
        try:
            self.key = Key.read((folder / KEY).read_text(encoding="utf-8"))
            self._signer = Signer(self.key.name, (folder / SIGNING).read_bytes())
        except (OSError, ValueError) as error:
            raise AuditError(
                f"{folder}", found=f"no audit log that can be written to: {error}", expected=f"{KEY} and {SIGNING}"
            ) from error
        if self._signer.key != self.key:
            raise DamagedLogError(f"{folder / SIGNING}", found="another key", expected=f"that of {self.key}")
        self._state: State | None = None

    @classmethod
    def create(cls, folder: Path) -> AuditLog:
        """Starts a log in a folder that is empty or not there; where two start one at once, both get the same.

        Raises:
            AuditError: There is something else, or the disk refuses.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                if made := not (folder / KEY).exists():
                    _make(folder)
        except OSError as error:
            raise _refused(folder, error) from error
        log = cls(folder)
        if made:
            log.append(Entry(Act.LOG_OPENED))
        return log

    @classmethod
    def open(cls, folder: Path) -> AuditLog:
        """Opens the log of a folder, starting one where there is none.

        Raises:
            AuditError, DamagedLogError: It cannot be used.
        """
        return cls(folder) if (folder / KEY).exists() else cls.create(folder)

    def append(self, entry: Entry) -> int:
        """Writes an entry, and returns once it is on the disk.

        Returns:
            Its place in the log.

        Raises:
            AuditError: It is not there: the disk is full or refuses. Nothing may be answered.
            DamagedLogError: The log is not what was written.
        """
        try:
            with locked(self.folder):
                state = self._current()
                if state.torn:
                    state = self._recover(state)
                return self._write(state, entry).tree.size - 1
        except OSError as error:
            self._state = None
            raise _refused(self.folder / LOG, error) from error
        except BaseException:
            self._state = None
            raise

    def checkpoint(self) -> str:
        """The signed note of all that is logged: what to keep elsewhere."""
        with locked(self.folder):
            state = self._current()
            return self._signer.checkpoint(state.tree.size, state.tree.root())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody writes to the log meanwhile, and this object reads it anew afterwards."""
        with locked(self.folder):
            self._state = None
            yield

    def _current(self) -> State:
        """Where the log ends; read anew where another process has written since."""
        found = (self.folder / LOG).stat()
        if self._state is None or (found.st_size, found.st_ino) != self._state.file:
            for left in _left_over(self.folder):
                left.unlink()
            self._state = load_state(self.folder, self.key)
        return self._state

    def _recover(self, state: State) -> State:
        """Cuts what a write left that was cut off, and says so."""
        with (self.folder / LOG).open("r+b") as log:
            log.seek(state.end)
            tail = log.read()
            self.on_step("cut")
            log.truncate(state.end)
            os.fsync(log.fileno())
        digest = hashlib.sha256(tail).hexdigest()
        return self._write(state, Entry(Act.LOG_RECOVERED, details={"bytes_cut": len(tail), "sha256": digest}))

    def _write(self, state: State, entry: Entry) -> State:
        body = entry.canonical(seq=state.tree.size, prev=state.last_seal or "", software=SOFTWARE)
        after = state.with_leaf(leaf_hash(body))
        seal = self._signer.line(after.tree.size, after.tree.root()).encode()
        descriptor = os.open(self.folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            self.on_step("write")
            write_all(descriptor, body + b"\n" + seal + b"\n")
            self.on_step("fsync")
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):  # the next writer cuts it otherwise
                os.ftruncate(descriptor, state.end)
            raise
        finally:
            os.close(descriptor)
        self.on_step("checkpoint")
        after.end = state.end + len(body) + len(seal) + 2
        after.last_seal = hashlib.sha256(seal).hexdigest()
        after.file = (after.end, state.file[1])
        self._overwrite_checkpoint(after)
        if after.tree.size % SAVED_EVERY == 0:
            self.on_step("state")
            with suppress(OSError):  # only saves reading the log from its start
                after.save(self.folder)
        self._state = after
        return after

    def _overwrite_checkpoint(self, state: State) -> None:
        """In place: less than a disk's sector, never shorter than before, and after a loss of power at worst older.

        An older one is good enough: each entry carries its own signature. It is not synced, since a second sync would
        double the time of every act.
        """
        note = self._signer.checkpoint(state.tree.size, state.tree.root()).encode()
        descriptor = os.open(self.folder / CHECKPOINT, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, note, 0)
        finally:
            os.close(descriptor)


class ImportedLog(AuditLog):
    """The log of a case that was exported elsewhere: it is read; what signs it stayed where the case is kept.

    Attributes:
        folder: With the log, its public key, its checkpoint.
        key: The public key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.key = Key.read((folder / KEY).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AuditError(f"{folder}", found=f"no audit log: {error}", expected=KEY) from error

    def append(self, entry: Entry) -> int:
        """Refuses: nothing is added to what was imported."""
        raise AuditError(
            f"{self.folder}", found="a log without its signing key, of a case that was imported",
            expected="the case where it is kept", do="work in that one; this copy is read",
        )  # fmt: skip

    def checkpoint(self) -> str:
        """The signed note that came with it."""
        return (self.folder / CHECKPOINT).read_text(encoding="utf-8")


def _make(folder: Path) -> None:
    """Everything before `log.vkey`, whose name says that the log is there."""
    for left in _left_over(folder):
        left.unlink()
    others = sorted(each.name for each in folder.iterdir() if each.name not in (LOCK, SIGNING, LOG, CHECKPOINT))
    if others or ((folder / LOG).exists() and (folder / LOG).stat().st_size):
        raise AuditError(f"{folder}", found=f"other files: {', '.join(others[:3]) or LOG}", expected="an empty folder")
    private = secrets.token_bytes(32)
    (folder / SIGNING).unlink(missing_ok=True)
    write_secret(folder / SIGNING, private)
    (folder / LOG).touch()
    signer = Signer(f"{NAME}/{secrets.token_hex(8)}", private)
    _replace_synced(folder / CHECKPOINT, signer.checkpoint(0, Tree().root()))
    sync_folder(folder)
    _replace_synced(folder / KEY, f"{signer.key}\n")
    sync_folder(folder)


def _left_over(folder: Path) -> list[Path]:
    """What a killed process left of files that were to replace others; nobody else writes while the lock is held."""
    return [path for path in folder.glob(".*.tmp*") if _PASSING.fullmatch(path.name)]


def _replace_synced(path: Path, text: str) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _refused(path: Path, error: OSError) -> AuditError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return AuditError(
        f"{path}: an act could not be logged, so it was not answered",
        found=error.strerror or str(error),
        expected="room for an entry on a disk that can be written to",
        do=f"{'free some space' if full else 'check the disk and the rights'}, then run the same command again",
    )
