"""Holds: states of an index that an open case needs, so that its searches can be run again as they were.

A hold is a file in the folder `holds` of the index: which search of which case needs which generation, and that
generation's manifest, by which it can be opened again (`Store.open(generation=…)`). Nothing in it names anybody: a
case is known by its random id. `purge` leaves the files of a held generation alone, or says in the hold that they are
gone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer import io, lock
from indexer.errors import DamagedIndexError, GoneGenerationError, IndexerError
from indexer.manifest import RESTORE, Manifest, canonical, parse_manifest, utc_now

HOLDS = "holds"
FORMAT = "tgfr-hold"
WAIT_SECONDS = 60.0
"""How long a search waits for a purge that is removing files, and the other way round."""
_NAME = re.compile(r"[0-9a-z-]{1,64}\.[0-9A-Za-z]{1,32}\.json")


@dataclass(frozen=True, slots=True)
class Hold:
    """What one search of a case needs.

    Attributes:
        case: Id of the case.
        search: Name of the search in it.
        index_id: Of the index.
        generation: That was searched.
        rows: Its candidates.
        since: UTC.
        legal: The case is on legal hold: no purge goes over it.
        purged: UTC of the purge that removed what the search needs; empty where it is kept.
        manifest: Of that generation, as it was committed; empty once it is purged.
    """

    case: str
    search: str
    index_id: str
    generation: int
    rows: tuple[int, ...]
    since: str
    legal: bool = False
    purged: str = ""
    manifest: str = ""

    @property
    def name(self) -> str:
        """File name in the folder of holds."""
        return f"{self.case}.{self.search}.json"

    def state(self, directory: Path) -> Manifest:
        """The manifest of the held generation.

        Raises:
            DamagedIndexError: It is not as it was written.
        """
        return parse_manifest(self.manifest.encode(), directory / HOLDS / self.name)


@dataclass(frozen=True, slots=True)
class Holder:
    """A case, and what it holds of an index.

    Attributes:
        case: Its id.
        searches: That need an earlier state, by name.
        generations: Which ones.
        rows_deleted: Rows in them that were deleted since and are still on disk for it.
        candidates: Those of its candidates that were deleted since.
        legal: It is on legal hold.
    """

    case: str
    searches: tuple[str, ...]
    generations: tuple[int, ...]
    rows_deleted: int
    candidates: tuple[int, ...]
    legal: bool


def place(directory: Path, committed: Manifest, *, case: str, search: str, rows: Iterable[int]) -> Hold:
    """Holds a generation for a search of a case; a hold of the same search is replaced.

    Args:
        directory: The index.
        committed: The state that was searched.
        case: Id of the case: small letters, digits and dashes.
        search: Name of the search: letters and digits.
        rows: Its candidates.

    Raises:
        GoneGenerationError: A purge has removed a file of that state already.
        IndexLockedError: A purge was at work all the while.
        DiskFullError, StorageError: The system refused, as on a disk that may only be read.
    """
    text = committed.to_bytes().decode()
    made = Hold(case, search, committed.index_id, committed.generation, tuple(rows), utc_now(), manifest=text)
    if not _NAME.fullmatch(made.name):
        raise IndexerError("hold", found=made.name, expected="an id of small letters and digits, a name of a search")
    with changing(directory):
        if gone := [entry.name for entry in committed.files if not (directory / entry.name).is_file()]:
            raise GoneGenerationError(
                f"{directory}", found=f"no {gone[0]} any more: a purge removed it",
                expected=f"the files of generation {committed.generation}", do="search again",
            )  # fmt: skip
        _write(directory, made)
    return made


def read_holds(directory: Path) -> list[Hold]:
    """All holds of an index, by case and search.

    Raises:
        DamagedIndexError: One is not as it was written; nobody can tell then what is needed.
    """
    return [read_hold(path) for path in files(directory)]


def files(directory: Path) -> list[Path]:
    """The files of all holds."""
    folder = directory / HOLDS
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name))


def read_hold(path: Path) -> Hold:
    """One hold.

    Raises:
        DamagedIndexError: It is not as it was written.
    """
    data = io.read_file(path)
    try:
        told = json.loads(data)
        body = {name: value for name, value in told.items() if name != "digest"}
        made = Hold(
            **{**{name: value for name, value in body.items() if name != "format"}, "rows": tuple(told["rows"])}
        )
        whole = told["format"] == FORMAT and _bytes(made) == data and made.name == path.name
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise DamagedIndexError(
            str(path), found="other content", expected="a hold as it was written",
            do=f"{RESTORE}; or remove the file, if no open case needs it",
        )  # fmt: skip
    return made


def held_state(directory: Path, generation: int) -> Manifest:
    """The state of an index at a generation that is held.

    Raises:
        GoneGenerationError: It is not held, or was purged in spite of it: says when.
    """
    known = [hold for hold in read_holds(directory) if hold.generation == generation]
    kept = next((hold for hold in known if not hold.purged), None)
    if kept is not None:
        return kept.state(directory)
    raise GoneGenerationError(
        f"generation {generation} of {directory}",
        found=f"it was purged at {known[0].purged}, in spite of a case that needed it" if known else "not held",
        expected="a generation that an open case holds, or the newest",
        do="what was removed for good cannot be searched again" if known else "use a snapshot of it, if there is one",
    )


def release(directory: Path, case: str) -> int:
    """Ends all holds of a case; returns how many there were."""
    if not files(directory):
        return 0
    with changing(directory):
        own = [hold for hold in read_holds(directory) if hold.case == case]
        io.remove_files([directory / HOLDS / hold.name for hold in own])
    return len(own)


def put_on_legal_hold(directory: Path, case: str, legal: bool) -> int:
    """Puts what a case holds on legal hold, or ends it; returns how many of its holds are kept."""
    if not files(directory):
        return 0
    with changing(directory):
        own = [hold for hold in read_holds(directory) if hold.case == case and not hold.purged]
        for hold in own:
            _write(directory, replace(hold, legal=legal))
    return len(own)


def mark_purged(directory: Path, hold: Hold) -> None:
    """Says in a hold that what it needs is gone; to be called while nobody else changes holds (`changing`)."""
    _write(directory, replace(hold, purged=utc_now(), manifest=""))


@contextmanager
def changing(directory: Path) -> Iterator[None]:
    """Nobody else places or ends a hold meanwhile; waits for whoever does.

    Raises:
        IndexLockedError: Somebody did all the while.
        StorageError: The system refused.
    """
    folder = directory / HOLDS
    io.make_directory(folder)
    with lock.hold_patiently(folder, WAIT_SECONDS):
        left = [path for path in folder.iterdir() if path.name.startswith(io.TMP_PREFIX)]
        io.remove_files(left)  # of a process that was killed
        yield


def _write(directory: Path, hold: Hold) -> None:
    io.write_file(directory / HOLDS / hold.name, _bytes(hold))


def _bytes(hold: Hold) -> bytes:
    told: dict[str, Any] = {name: getattr(hold, name) for name in Hold.__slots__}
    body = {"format": FORMAT, **told, "rows": list(hold.rows)}
    return canonical({**body, "digest": hashlib.sha256(canonical(body)).hexdigest()})
