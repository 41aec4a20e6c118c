"""Where a log ends: found from the last saved state, or by reading the log from its start."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tgfr_search.audit.errors import DamagedLogError
from tgfr_search.audit.verify import (
    CHECKPOINT,
    LOG,
    Key,
    Record,
    Tree,
    checkpoint_text,
    read_checkpoint,
    read_entry,
    read_records,
)
from tgfr_search.files import replace_text

STATE = "state.json"
"""Made anew from the log wherever it is missing or does not fit."""


@dataclass
class State:
    """The end of a log.

    Attributes:
        tree: Of all entries.
        end: Bytes of the log's whole records.
        last_seal: SHA-256 of the last signature line, in hex; empty before the first, None where it was removed.
        file: Size and inode of the log's file when it was read or written last.
        torn: Bytes after the last whole record: a write that was cut off.
    """

    tree: Tree
    end: int
    last_seal: str | None
    file: tuple[int, int]
    torn: bytes = b""

    def with_leaf(self, leaf: bytes) -> State:
        """This state with one entry more in the tree."""
        tree = Tree(self.tree.size, self.tree.frontier)
        tree.add(leaf)
        return State(tree, self.end, self.last_seal, self.file)

    def save(self, folder: Path) -> None:
        """Writes it for the next process."""
        told = {
            "size": self.tree.size,
            "frontier": [each.hex() for each in self.tree.frontier],
            "end": self.end,
            "last_seal": self.last_seal,
            "inode": self.file[1],
        }
        replace_text(folder / STATE, json.dumps(told))


def load_state(folder: Path, key: Key, *, saved: bool = True) -> State:
    """The end of the log, after a look at every record since the saved state.

    Args:
        folder: Of the log.
        key: Its public key.
        saved: Begin where the saved state ends, if there is one.

    Raises:
        DamagedLogError: What was acknowledged is not there as it was.
        OSError: A file cannot be read.
    """
    try:
        size, root = read_checkpoint((folder / CHECKPOINT).read_text(encoding="utf-8"), key)
    except ValueError as error:
        raise DamagedLogError(
            f"{folder / CHECKPOINT}", found=str(error), expected="the log's last checkpoint"
        ) from None
    with (folder / LOG).open("rb") as log:
        begin = _saved(folder, log, size) if saved else None
        state = begin or State(Tree(), 0, "", _identity(folder))
        at_checkpoint = state.tree.root() if state.tree.size == size else None
        for record in read_records(log, state.end):
            if not _fits(record, state):
                break
            after = state.with_leaf(record.leaf)
            if after.tree.size > size and not _sealed(record, after, key):
                break
            state = after
            state.end, state.last_seal = record.end, record.seal_hash
            if state.tree.size == size:
                at_checkpoint = state.tree.root()
        log.seek(state.end)
        state.torn, state.file = log.read(), _identity(folder)
    # One write is cut off at most: what is longer than a record, or ends before the checkpoint, is no kill's work.
    if at_checkpoint != root or state.torn.count(b"\n") > 2:
        if begin is not None:  # the saved state may be what is wrong
            return load_state(folder, key, saved=False)
        raise DamagedLogError(
            f"{folder / LOG}",
            found=f"{state.tree.size} whole entries that are not those of the log's own checkpoint",
            expected=f"the {size} entries that were acknowledged",
            do=f"tgfr-search audit verify {folder}; keep the folder as evidence, and start another log",
        )
    return state


def _saved(folder: Path, log: BinaryIO, size: int) -> State | None:
    """The saved state where it can be one of this very file; the checkpoint after it shows whether it was right."""
    try:
        told = json.loads((folder / STATE).read_bytes())
        tree = Tree(int(told["size"]), [bytes.fromhex(each) for each in told["frontier"]])
        state = State(tree, int(told["end"]), told["last_seal"], _identity(folder))
        fits = tree.size <= size and told["inode"] == state.file[1]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not fits or len(tree.frontier) != tree.size.bit_count() or not 0 < state.end <= state.file[0]:
        return None
    log.seek(state.end - 1)
    return state if log.read(1) == b"\n" else None


def _fits(record: Record, state: State) -> bool:
    """Whether the record can be the next one."""
    if record.body is None:
        return True
    try:
        read_entry(record.body, state.tree.size, state.last_seal)
    except ValueError:
        return False
    return True


def _sealed(record: Record, after: State, key: Key) -> bool:
    text = checkpoint_text(key.name, after.tree.size, after.tree.root())
    return record.seal is not None and key.signed(text, record.seal.decode("utf-8", "replace"))


def _identity(folder: Path) -> tuple[int, int]:
    found = (folder / LOG).stat()
    return found.st_size, found.st_ino
