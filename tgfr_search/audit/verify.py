"""Checks an audit log with Python's standard library alone: `python verify.py FOLDER [--against CHECKPOINT]…`.

The folder is that of a log, or of a case that was exported; of that it also checks that its files are those that the
log commits to. This file imports nothing of tgfr-search, so that a stranger can read it whole and run it beside an
export. It says whether the log is whole: every entry in its place, covered by the signed Merkle tree (RFC 9162), and
grown, never changed, since each checkpoint given. It does not say that what was logged is true. Exit code 0: whole; 1:
not.

A log is a text file. Each entry is a line of JSON, followed by a line with the Ed25519 signature of the checkpoint
(C2SP tlog-checkpoint, a signed note) of the tree that ends with it. A line `#HASH` stands where an entry's body was
removed when its time of retention was over; the hash keeps the tree whole.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

LOG, KEY, CHECKPOINT = "log.jsonl", "log.vkey", "checkpoint"
DASH = "— "
ED25519 = b"\x01"
"""The signature type in a key of the C2SP signed note."""
RETENTION = "retention"
"""The act whose entry names the bodies that were removed."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry), RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The head of a Merkle tree that leaves are added to: one hash for each complete subtree, the largest first.

    Attributes:
        size: Leaves so far.
        frontier: Hashes of the complete subtrees.
    """

    def __init__(self, size: int = 0, frontier: Iterable[bytes] = ()) -> None:
        self.size, self.frontier = size, list(frontier)

    def add(self, leaf: bytes) -> None:
        """Adds the hash of a leaf."""
        count = self.size
        while count & 1:
            leaf = node_hash(self.frontier.pop(), leaf)
            count >>= 1
        self.frontier.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree's hash; that of no bytes where it has no leaf."""
        if not self.frontier:
            return hashlib.sha256(b"").digest()
        root = self.frontier[-1]
        for left in reversed(self.frontier[:-1]):
            root = node_hash(left, root)
        return root


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf is number `index` of the tree with that size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last, found = index, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if first & 1 or first == last:
            found = node_hash(each, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, each)
        first, last = first >> 1, last >> 1
    return last == 0 and found == root


# --- Ed25519, RFC 8032, section 5.1.7: verification only; nothing secret is touched, so nothing need be constant-time.

_P, _ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]


def _decoded(data: bytes) -> _Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _sum(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    out: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            out = _sum(out, point)
        point, factor = _sum(point, point), factor >> 1
    return out


def check_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature of 64 bytes is that of the message under a public key of 32 bytes."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, s = _decoded(public), _decoded(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= _ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    y = 4 * pow(5, -1, _P) % _P
    base = _decoded(y.to_bytes(32, "little"))
    assert base is not None
    left, right = _times(s, base), _sum(r, _times(h, key))
    return not ((left[0] * right[2] - right[0] * left[2]) % _P or (left[1] * right[2] - right[1] * left[2]) % _P)


# --- Checkpoints: signed notes (c2sp.org/signed-note) with three lines of text (c2sp.org/tlog-checkpoint).


@dataclass(frozen=True)
class Key:
    """A public key of signed notes.

    Attributes:
        name: Of the log.
        public: 32 bytes.
    """

    name: str
    public: bytes

    @classmethod
    def read(cls, text: str) -> Key:
        """Reads `name+id+base64`; ValueError where it is another thing or its id is not its own."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise ValueError("not a key of the form name+id+base64")
        name, tag, raw = parts[0], parts[1], _base64(parts[2])
        key = cls(name, raw[1:])
        if raw[:1] != ED25519 or len(raw) != 33 or key.tag.hex() != tag:
            raise ValueError("not a key of Ed25519 with its own id")
        return key

    @property
    def tag(self) -> bytes:
        """Four bytes that name the key in a signature."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.tag.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    def signed(self, text: str, line: str) -> bool:
        """Whether `line` is this key's signature of the text."""
        try:
            raw = _base64(line.removeprefix(f"{DASH}{self.name} "))
        except ValueError:
            return False
        ours = line.startswith(f"{DASH}{self.name} ") and raw[:4] == self.tag
        return ours and check_signature(self.public, text.encode(), raw[4:])


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, which its signature covers."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def read_checkpoint(note: str, key: Key) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the key signed; ValueError says why it is none."""
    text, gap, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) < 3:
        raise ValueError("no checkpoint")
    if lines[0] != key.name:
        raise ValueError(f"a checkpoint of another log, {lines[0]}; this one is {key.name}")
    if not any(key.signed(text + "\n", line) for line in signatures.splitlines()):
        raise ValueError("not signed by this log's key")
    root = _base64(lines[2])
    if not lines[1].isdecimal() or str(int(lines[1])) != lines[1] or len(root) != 32:
        raise ValueError("size or root of a checkpoint cannot be read")
    return int(lines[1]), root


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from None


# --- The log.


@dataclass(frozen=True)
class Record:
    """One place of the log.

    Attributes:
        leaf: Its hash in the tree.
        body: The entry's bytes; None where they were removed.
        seal: The line with the signature of the tree that ends here; None where the body was removed.
        end: Bytes of the log up to and with it.
    """

    leaf: bytes
    body: bytes | None
    seal: bytes | None
    end: int

    @property
    def seal_hash(self) -> str | None:
        """SHA-256 of the signature line, in hex: what the next entry names."""
        return None if self.seal is None else hashlib.sha256(self.seal).hexdigest()


def read_records(log: BinaryIO, start: int = 0) -> Iterator[Record]:
    """The whole records from a position on; what is after the last of them is incomplete."""
    log.seek(start)
    end = start
    for line in log:
        body, seal = line[:-1], None
        if line[-1:] != b"\n":
            return
        if body[:1] == b"#":
            try:
                leaf = bytes.fromhex(body[1:].decode("ascii"))
            except ValueError:
                return
            if len(leaf) != 32 or body != b"#" + leaf.hex().encode():
                return
            end += len(line)
            yield Record(leaf, None, None, end)
            continue
        seal = log.readline()
        if seal[-1:] != b"\n" or not seal.startswith(DASH.encode()):
            return
        end += len(line) + len(seal)
        yield Record(leaf_hash(body), body, seal[:-1], end)


def read_entry(body: bytes, seq: int, before: str | None) -> dict[str, object]:
    """The entry that a body holds; ValueError says what about it cannot be.

    Args:
        body: The entry's bytes.
        seq: Its place.
        before: SHA-256 of the signature line before it, in hex, which it names; None where that was removed.
    """
    entry = json.loads(body)
    if not isinstance(entry, dict) or entry.get("seq") != seq:
        raise ValueError("not the entry of this place")
    if before is not None and entry.get("prev") != before:
        raise ValueError("the signature before it is not the one it was written after")
    return entry


@dataclass
class Report:
    """What was found.

    Attributes:
        size: Entries that are whole.
        root: Of their tree, in hex.
        removed: Bodies that were removed in due time.
        torn: Bytes at the end that belong to an entry never answered for.
        problems: Empty where the log is whole.
        notes: What is no fault and yet worth knowing.
    """

    size: int = 0
    root: str = ""
    removed: int = 0
    torn: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_log(folder: Path, against: Sequence[Path] = ()) -> Report:
    """Reads the log in a folder from its first to its last byte.

    Args:
        folder: With `log.jsonl`, `log.vkey` and `checkpoint`.
        against: Files with checkpoints from earlier, kept elsewhere; the log must have grown from each.
    """
    report = Report()
    try:
        key = Key.read((folder / KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        report.problems.append(f"{folder / KEY}: {error}")
        return report
    heads: list[tuple[Path, int, bytes]] = []
    for path in (folder / CHECKPOINT, *against):
        try:
            heads.append((path, *_settled(path, key)))
        except (OSError, ValueError) as error:
            report.problems.append(f"{path}: {error}")
    try:
        with (folder / LOG).open("rb") as log:
            _walk(log, key, heads, report)
    except OSError as error:
        report.problems.append(f"{folder / LOG}: {error}")
    return report


def _settled(path: Path, key: Key) -> tuple[int, bytes]:
    """A checkpoint that a writer may be writing over at this moment."""
    try:
        return read_checkpoint(path.read_text(encoding="utf-8"), key)
    except ValueError:
        time.sleep(0.05)
        return read_checkpoint(path.read_text(encoding="utf-8"), key)


def _walk(log: BinaryIO, key: Key, heads: Sequence[tuple[Path, int, bytes]], report: Report) -> None:
    tree, last, clock, end = Tree(), None, "", 0
    wanted = {size: [(p, r) for p, s, r in heads if s == size] for _, size, _ in heads}
    removed: list[int] = []
    allowed: set[int] = set()

    def compare() -> None:
        for path, root in wanted.pop(tree.size, ()):
            if tree.root() != root:
                report.problems.append(f"the first {tree.size} entries are not those of the checkpoint {path}")

    compare()
    for record in read_records(log):
        if record.body is None:
            removed.append(tree.size)
        else:
            try:
                entry = read_entry(record.body, tree.size, last.seal_hash if last else "")
            except ValueError as error:
                report.problems.append(f"entry {tree.size}: {error}")
                entry = {}
            if entry.get("act") == RETENTION:
                allowed.update(_numbers(entry.get("removed"), tree.size))
            ended = str(entry.get("ended", clock))
            if ended < clock:
                report.notes.append(f"entry {tree.size}: the clock went back from {clock} to {ended}")
            clock = ended
        tree.add(record.leaf)
        last, end = record, record.end
        compare()
    report.size, report.root, report.removed = tree.size, tree.root().hex(), len(removed)
    if missing := [number for number in removed if number not in allowed]:
        report.problems.append(f"{len(missing)} bodies are missing that no entry says were removed, first {missing[0]}")
    text = checkpoint_text(key.name, tree.size, tree.root())
    if last is not None and not (last.seal and key.signed(text, last.seal.decode("utf-8", "replace"))):
        report.problems.append(f"the signature of the last entry, {tree.size - 1}, is not that of the {tree.size}")
    for size, rest in sorted(wanted.items()):
        report.problems += [f"the log has {tree.size} whole entries, the checkpoint {p} has {size}" for p, _ in rest]
    log.seek(0, 2)
    report.torn = log.tell() - end
    if report.torn:
        log.seek(end)
        told = f"{report.torn} bytes at the end belong to no whole entry"
        if log.read().count(b"\n") > 2:
            report.problems.append(f"{told}, more than one write that was cut off leaves")
        else:
            report.notes.append(f"{told}: a write that was cut off, never answered for; the next one removes it")


def _numbers(ranges: object, size: int) -> Iterator[int]:
    """The places below `size` in ranges of (first, last); what is no range names none."""
    for each in ranges if isinstance(ranges, list) else ():
        if isinstance(each, list) and len(each) == 2 and all(isinstance(end, int) for end in each):
            yield from range(max(0, each[0]), min(each[1] + 1, size))


# --- A case that was exported: a BagIt bag (RFC 8493) whose files the log commits to.


def log_folder(folder: Path) -> Path | None:
    """Where a log is, or what is left of it: a folder itself, or that of the case or export in it; None: nowhere."""
    if (folder / "bagit.txt").exists():
        return folder / "data" / "audit"
    if any((folder / name).exists() for name in (LOG, KEY, CHECKPOINT)):
        return folder
    inner = folder / "audit"
    parts = (folder / "case.json", *(inner / name for name in (LOG, KEY, CHECKPOINT)))
    return inner if any(path.exists() for path in parts) else None


def check_folder(folder: Path, against: Sequence[Path] = ()) -> Report:
    """Checks a log, the log of a case, or a case that was exported, whichever the folder is."""
    if not (folder / "bagit.txt").exists():
        return check_log(log_folder(folder) or folder, against)
    report = check_log(folder / "data" / "audit", against)
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        try:
            report.problems += _unlike(folder, manifest)
        except (OSError, ValueError) as error:
            report.problems.append(f"{folder / manifest}: {error}")
    try:
        report.problems += _not_as_logged(folder / "data", bytes.fromhex(report.root))
    except (OSError, ValueError, KeyError, TypeError) as error:
        report.problems.append(f"{folder / 'data'}: {error}")
    return report


def _unlike(folder: Path, manifest: str) -> Iterator[str]:
    """What is not as a manifest has it."""
    listed = set()
    for line in (folder / manifest).read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ", 1)
        path = folder / name
        listed.add(path)
        if ".." in path.relative_to(folder).parts or path.is_symlink() or not path.is_file():
            yield f"{name} is in {manifest} and not there"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield f"{name} is not the file of {manifest}"
    if manifest == "manifest-sha256.txt":
        for path in sorted((folder / "data").rglob("*")):
            if path not in listed and (path.is_symlink() or not path.is_dir()):
                yield f"{path.relative_to(folder)} is there and not in {manifest}"


def _not_as_logged(data: Path, root: bytes) -> Iterator[str]:
    """Files of a case that are not those that its log commits to, and proofs that do not lead to its root."""
    key = bytes.fromhex((data / "case.key").read_text(encoding="ascii"))
    logged, removed = {data / "case.key"}, 0
    with (data / "audit" / LOG).open("rb") as log:
        for seq, record in enumerate(read_records(log)):
            removed += record.body is None
            entry = json.loads(record.body or b"{}")
            details = entry.get("details", {}) if isinstance(entry, dict) else {}
            if "file" not in details:
                continue
            path = data / details["file"]
            logged.add(path)
            found = hmac.new(key, path.read_bytes(), hashlib.sha256).hexdigest() if path.is_file() else "missing"
            if found != entry["result_hmac"]:
                yield f"{details['file']} is not the file that entry {seq} was written for"
    for path in sorted(data.rglob("*")):
        folder = path.relative_to(data).parts[0]
        if folder == "proofs" and path.is_file():
            proof = json.loads(path.read_bytes())
            steps = [bytes.fromhex(each) for each in proof["path"]]
            if not check_inclusion(leaf_hash(proof["entry"].encode()), proof["index"], proof["size"], steps, root):
                yield f"{path.relative_to(data)} does not lead to the root of the log"
        elif folder != "audit" and path.is_file() and path not in logged:
            why = f": its entry was removed, as {removed} were, or never was" if removed else ""
            yield f"{path.relative_to(data)} is in no entry of the log{why}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what was found; the exit code."""
    parser = argparse.ArgumentParser(description="Checks an audit log; exit code 0: whole, 1: not.")
    parser.add_argument("folder", type=Path, help="a log, or a case that was exported")
    parser.add_argument("--against", type=Path, action="append", default=[], help="a checkpoint kept elsewhere")
    given = parser.parse_args(arguments)
    report = check_folder(given.folder, given.against)
    for line in report.problems:
        _say(f"PROBLEM: {line}")
    for line in report.notes:
        _say(f"note: {line}")
    _say(f"{report.size} entries ({report.removed} without their body), root {report.root}")
    _say("not whole" if report.problems else "whole")
    return int(bool(report.problems))


def _say(line: str) -> None:
    """One line; a name in a folder that a stranger packed must not act on the terminal that shows it."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(shown.encode(encoding, "backslashreplace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main())
