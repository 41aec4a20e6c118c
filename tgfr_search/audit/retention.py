"""What must not be kept for ever goes: bodies of old entries, keys of cases. What is on legal hold stays.

The hash of a removed entry stays in its place, so that the tree, and every checkpoint of it, is still checked. An entry
of its own says which were removed; a body that is missing without one is a fault that the verifier names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.errors import AuditError, DamagedLogError
from tgfr_search.audit.keys import CaseKeys, sync_folder
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.verify import LOG, read_records
from tgfr_search.files import replacing

LEAST_DAYS = 183
"""Six months: EU AI Act, article 26(6)."""
DEFAULT_DAYS = 5 * 365
KEPT = (
    *(Act.LOG_OPENED, Act.LOG_RECOVERED, Act.RETENTION, Act.HOLD, Act.HOLD_RELEASED, Act.KEY_DESTROYED),
    *(Act.CASE_OPENED, Act.CASE_CLOSED),
)
"""Acts on the log itself, which hold nothing of a case, and those that say whether a case is open."""


def hold(log: AuditLog, case: str, *, actor: str, release: bool = False) -> int:
    """Puts a case on legal hold, or ends it; returns the entry's place."""
    return log.append(Entry(Act.HOLD_RELEASED if release else Act.HOLD, actor=actor, case=case))


def held_cases(log: AuditLog) -> set[str]:
    """The cases on legal hold."""
    held: set[str] = set()
    for _, entry in read_entries(log.folder):
        if entry["act"] == Act.HOLD:
            held.add(entry["case"])
        elif entry["act"] == Act.HOLD_RELEASED:
            held.discard(entry["case"])
    return held


def destroy_key(log: AuditLog, case: str, *, actor: str) -> None:
    """Destroys the key of a case: what its entries commit to can no longer be found out. Logged first.

    Raises:
        AuditError: The case is on legal hold, or has no key.
    """
    if case in held_cases(log):
        raise AuditError(f"case {case}", found="on legal hold", expected="none", do="end the hold first")
    keys = CaseKeys(log.folder)
    keys.get(case)
    log.append(Entry(Act.KEY_DESTROYED, actor=actor, case=case))
    keys.destroy(case)


def remove_old_bodies(log: AuditLog, *, actor: str, days: int = DEFAULT_DAYS) -> int:
    """Removes the bodies of entries that are older than `days`, unless their case is on legal hold.

    The entry of a file that a case keeps stays: without it nobody could tell whether the file is as it was. What it
    says of a person goes with the case's key (`destroy_key`).

    A kill at any moment leaves the log whole: with all bodies, or without those.

    Args:
        log: The log.
        actor: Who does it.
        days: At least `LEAST_DAYS`.

    Returns:
        How many were removed.

    Raises:
        AuditError: Fewer days than the law asks for, or the disk refuses.
    """
    if days < LEAST_DAYS:
        raise AuditError("days of retention", found=str(days), expected=f"{LEAST_DAYS} or more")
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    held = held_cases(log)
    old = [
        seq
        for seq, entry in read_entries(log.folder)
        if entry["ended"] < before and not _kept(entry) and entry.get("case", "") not in held
    ]
    if old:
        log.append(Entry(Act.RETENTION, actor=actor, details={"days": days}, removed=_ranges(old)))
        _rewrite(log, set(old))
    return len(old)


def _kept(entry: dict[str, Any]) -> bool:
    return entry["act"] in KEPT or "file" in entry.get("details", {})


def read_entries(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(place, entry) of all of a log that still have a body.

    Raises:
        AuditError: There is no log.
        DamagedLogError: An entry cannot be read.
    """
    try:
        file = (folder / LOG).open("rb")
    except OSError as error:
        raise AuditError(f"{folder}", found=error.strerror or "unreadable", expected="the folder of a log") from error
    with file:
        for seq, record in enumerate(read_records(file)):
            if record.body is not None:
                yield seq, _read(record.body, folder, seq)


def _read(body: bytes, folder: Path, seq: int) -> dict[str, Any]:
    try:
        entry = json.loads(body)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or not isinstance(entry.get("act"), str):
        raise DamagedLogError(
            f"{folder / LOG}",
            found=f"entry {seq} is none",
            expected="a JSON object with an act",
            do=f"tgfr-search audit verify {folder}",
        )
    return entry


def _rewrite(log: AuditLog, remove: set[int]) -> None:
    path = log.folder / LOG
    try:
        with log.locked(), path.open("rb") as old, replacing(path) as temporary, temporary.open("wb") as new:
            for seq, record in enumerate(read_records(old)):
                if record.body is None or record.seal is None or seq in remove:
                    new.write(b"#" + record.leaf.hex().encode() + b"\n")
                else:
                    new.write(record.body + b"\n" + record.seal + b"\n")
            new.flush()
            os.fsync(new.fileno())
        sync_folder(log.folder)
    except OSError as error:
        raise AuditError(f"{path}", found=error.strerror or str(error), expected="room for a second copy") from error


def _ranges(numbers: list[int]) -> tuple[tuple[int, int], ...]:
    """Ascending numbers as (first, last) of each run."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return tuple(runs)
