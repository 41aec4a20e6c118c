"""The keys of a log: one that signs it, and one for each case whose destruction is erasure."""

from __future__ import annotations

import base64
import errno
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.verify import DASH, Key, checkpoint_text

SIGNING = "signing.key"
CASE_KEYS = "keys"
KEY_BYTES = 32
_NO_FOLDER_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""A network file system without this operation (CIFS, sshfs): the server decides when a new name is on its disk."""
_NO_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""A file system without hard links (FAT, some network mounts)."""


class Signer:
    """Signs checkpoints of one log.

    Args:
        name: The log's name, which is also the key's.
        private: 32 bytes.
    """

    def __init__(self, name: str, private: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.key = Key(name, self._private.public_key().public_bytes_raw())

    def line(self, size: int, root: bytes) -> str:
        """The signature line of the checkpoint with that size and root."""
        signature = self._private.sign(checkpoint_text(self.key.name, size, root).encode())
        return f"{DASH}{self.key.name} {base64.b64encode(self.key.tag + signature).decode()}"

    def checkpoint(self, size: int, root: bytes) -> str:
        """The whole signed note."""
        return f"{checkpoint_text(self.key.name, size, root)}\n{self.line(size, root)}\n"


def write_secret(path: Path, data: bytes) -> None:
    """Writes a secret that only its owner can read, synced, whole or not at all; never over another file.

    Raises:
        FileExistsError: There is one.
        OSError: The system refused; there is nothing at `path`.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.tmp{path.suffix}")
    try:
        _write_new(temporary, data)
        try:
            path.hardlink_to(temporary)  # unlike a rename it takes nobody's place
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            _write_new(path, data)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes every byte, in as many calls as the system wants."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(path: Path) -> None:
    """Makes new and removed names of a folder last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


class CaseKeys:
    """The keys under which the cases of a log commit to values, a file each.

    Args:
        folder: Of the log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / CASE_KEYS

    def make(self, case: str) -> bytes:
        """A new key; FileExistsError where the case has one."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self.folder.parent)
        key = secrets.token_bytes(KEY_BYTES)
        write_secret(self._path(case), key)
        return key

    def get(self, case: str) -> bytes:
        """The key of a case.

        Raises:
            AuditError: There is none any more, or it is damaged.
        """
        path = self._path(case)
        try:
            key = path.read_bytes()
        except OSError as error:
            raise AuditError(
                f"{path}",
                found=error.strerror or "unreadable",
                expected="the key of this case",
                do="bring it back from a backup; if it was destroyed, what it covers cannot be read or added to",
            ) from error
        if len(key) != KEY_BYTES:
            raise AuditError(
                f"{path}",
                found=f"{len(key)} bytes",
                expected=f"{KEY_BYTES} bytes of a key",
                do="bring it back from a backup; one cut off while it was made was never used, and may be removed",
            )
        return key

    def has(self, case: str) -> bool:
        """Whether there is a key."""
        return self._path(case).exists()

    def destroy(self, case: str) -> None:
        """Overwrites and removes a key: no commitment made with it can be tied to a value again.

        On a disk that moves data as it pleases (flash, snapshots, backups) old blocks may survive; an encrypted disk
        and a rule for backups belong to it.
        """
        path = self._path(case)
        with path.open("r+b") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        for left in self.folder.glob(f".{case}.*.tmp.key"):  # by a process that was killed while it made the key
            left.unlink()
        sync_folder(self.folder)

    def _path(self, case: str) -> Path:
        if not case or set(case) - set("0123456789abcdefghijklmnopqrstuvwxyz-"):
            raise AuditError("case", found=repr(case), expected="an id of small letters, digits and dashes")
        return self.folder / f"{case}.key"
