"""The manifest: the list of files that make up one generation of an index. Replacing it is the commit.

It is JSON in one canonical form and carries the SHA-256 of that form, so that any changed bit in it is found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer import io
from indexer.contract import Contract
from indexer.errors import DamagedIndexError, FormatVersionError, IndexerError, NotAnIndexError, StaleReaderError

MANIFEST_NAME = "manifest.json"
FORMAT = "tgfr-index"
FORMAT_VERSION = 4
READABLE_VERSIONS = (1, 2, 3, 4)
"""Version 1 knew neither updates nor retired files, version 2 no list of removed photos, version 3 no typed columns and
no faces. The first commit into an older index makes it version 4: its files stay as they are, and are read as rows of
which nobody told the face, until a compaction writes them anew."""

ROWS, DELETED, UPDATED, QUARANTINE, REMOVED, PURGE = "rows", "deleted", "updated", "quarantine", "removed", "purge"
_SUFFIXES = {**dict.fromkeys((ROWS, DELETED, UPDATED, QUARANTINE, REMOVED), "parquet"), PURGE: "json"}
SPACE = "space-"
"""Kind of a file of vectors of one space: this and the space's id; it names rows by their ids."""
_DATA_NAME = re.compile(r"([a-z]+|space-[0-9a-f]{8})-(\d{8,})\.[a-z]+")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One immutable file of the index.

    Attributes:
        kind: `rows` (what is known of photos, and templates), `space-` and an id (ids of rows, and templates),
            `deleted` (tombstones), `updated` (newer subjects and metadata of rows), `quarantine` (photos not used, and
            why), `removed` (digests of photos that were deleted for good), all Parquet; or `purge` (JSON, the proof of
            a purge).
        generation: The commit that wrote it.
        rows: Number of rows in it.
        size: Bytes.
        sha256: Hex digest of its bytes.
    """

    kind: str
    generation: int
    rows: int
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """File name inside the index directory."""
        return data_name(self.kind, self.generation)

    def holds(self, data: bytes) -> bool:
        """Whether these are the file's bytes as they were committed."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


@dataclass(frozen=True)
class Manifest:
    """One committed state.

    Attributes:
        index_id: UUID, fixed at creation.
        generation: 0 for a new index, one more with each commit.
        next_row_id: The id that the next row will get; ids are never reused.
        created: UTC time of creation, ISO 8601.
        updated: UTC time of this commit.
        contract: What the vectors were made with.
        files: In the order in which they were committed; those of kind `rows` ascend by row id.
        retired: Files that a compaction has replaced: no part of this state, kept for readers of earlier ones until
            `purge` removes them.
        format_version: Of the manifest as it was read; a commit writes the newest.
        spaces: The contracts of all vector spaces, where there are several, or one that is not the first any more;
            empty where `contract` is the only one.
        home: Where `spaces` are told: id of the space whose vectors lie with the rows in files that have some; None
            where that space was dropped.
        default: Where `spaces` are told: id of the one that is searched where nobody says which.

    With `spaces`, `contract` is that of the space which is looked through (`through`), the default as it is read.
    """

    index_id: str
    generation: int
    next_row_id: int
    created: str
    updated: str
    contract: Contract
    files: tuple[FileEntry, ...] = ()
    retired: tuple[FileEntry, ...] = ()
    format_version: int = FORMAT_VERSION
    spaces: tuple[Contract, ...] = ()
    home: str | None = None
    default: str = ""

    @property
    def contracts(self) -> dict[str, Contract]:
        """Space id → contract, in the order in which they were added."""
        return {each.space_id: each for each in self.spaces or (self.contract,)}

    @property
    def at_home(self) -> Contract | None:
        """The contract of the vectors that lie with the rows, in files of rows that have some; None where of none."""
        if not self.spaces:
            return self.contract
        return None if self.home is None else self.contracts[self.home]

    def through(self, contract: Contract) -> Manifest:
        """The same state, looked at through the space of this contract."""
        return replace(self, contract=contract)

    def vectors_in(self, entry: FileEntry) -> bool:
        """Whether a file may hold vectors of the space that is looked through."""
        home = self.at_home
        own = self.contract.space_id
        return entry.kind == SPACE + own or (entry.kind == ROWS and home is not None and home.space_id == own)

    def of_kind(self, kind: str) -> Iterator[FileEntry]:
        """The files of one kind, oldest first."""
        return (entry for entry in self.files if entry.kind == kind)

    def next(self, files: list[FileEntry], next_row_id: int) -> Manifest:
        """The manifest of the commit that adds `files`."""
        return self._follow(next_row_id=next_row_id, files=(*self.files, *files))

    def superseded_by(self, files: tuple[FileEntry, ...]) -> Manifest:
        """The manifest of the commit after which the index is `files`; those of its files not among them retire."""
        kept = set(files)
        gone = (entry for entry in self.files if entry not in kept)
        return self._follow(files=files, retired=(*self.retired, *gone))

    def with_space(self, contract: Contract) -> Manifest:
        """The manifest of the commit that adds an empty space."""
        own = self.contract.space_id
        home, default = (self.home, self.default) if self.spaces else (own, own)
        return self._follow(spaces=(*self.contracts.values(), contract), home=home, default=default)

    def with_default(self, space_id: str) -> Manifest:
        """The manifest of the commit after which a space is searched where nobody says which."""
        return self._follow(default=space_id)

    def without_space(self, space_id: str) -> Manifest:
        """The manifest of the commit that drops a space; its files retire."""
        gone = tuple(entry for entry in self.files if entry.kind == SPACE + space_id)
        return self._follow(
            spaces=tuple(each for each in self.spaces if each.space_id != space_id),
            home=None if self.home == space_id else self.home,
            files=tuple(entry for entry in self.files if entry not in gone),
            retired=(*self.retired, *gone),
        )

    def without_retired(self, gone: Collection[FileEntry]) -> Manifest:
        """The manifest of the commit that forgets retired files which are no longer on disk."""
        return self._follow(retired=tuple(entry for entry in self.retired if entry not in gone))

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the canonical form: of which files this state is, each by its own SHA-256."""
        return hashlib.sha256(canonical(self._body())).hexdigest()

    def to_bytes(self) -> bytes:
        """The canonical form, digest included."""
        return canonical({**self._body(), "digest": self.digest})

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "format": FORMAT,
            "format_version": self.format_version,
            "index_id": self.index_id,
            "generation": self.generation,
            "next_row_id": self.next_row_id,
            "created": self.created,
            "updated": self.updated,
            "contract": (self.contracts[self.default] if self.spaces else self.contract).as_dict(),
            "files": [_listed(file) for file in self.files],
        }
        if self.format_version > 1:
            body["retired"] = [_listed(file) for file in self.retired]
        if self.spaces:
            body["spaces"] = {"contracts": [each.as_dict() for each in self.spaces], "home": self.home}
        return body

    def _follow(self, **changed: Any) -> Manifest:
        fresh = {"generation": self.generation + 1, "updated": utc_now()}
        return replace(self, **{**fresh, **changed, "format_version": FORMAT_VERSION})


def data_name(kind: str, generation: int) -> str:
    """The name of the file of that kind that a commit writes."""
    suffix = "parquet" if kind.startswith(SPACE) else _SUFFIXES[kind]
    return f"{kind}-{generation:08d}.{suffix}"


def generation_of(name: str) -> int | None:
    """The commit that writes a data file of this name; None for the name of anything else."""
    match = _DATA_NAME.fullmatch(name)
    if (
        match is None
        or not (match[1] in _SUFFIXES or match[1].startswith(SPACE))
        or data_name(match[1], int(match[2])) != name
    ):
        return None
    return int(match[2])


def is_leftover(path: Path, committed: Manifest) -> bool:
    """Whether a file is not committed (yet): temporary, or of a later commit, as a killed writer leaves them."""
    generation = generation_of(path.name)
    is_later = generation is not None and generation > committed.generation
    return (is_later or path.name.startswith(io.TMP_PREFIX)) and not path.is_dir()


def utc_now() -> str:
    """This moment in UTC, ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_manifest(directory: Path) -> Manifest:
    """Read and check the manifest of the index at `directory`.

    Raises:
        NotAnIndexError: There is no index there.
        FormatVersionError: It is of another format version.
        DamagedIndexError: The manifest is missing beside data files, or a bit of it is not as written.
    """
    path = directory / MANIFEST_NAME
    if not path.is_file():
        raise _no_manifest(directory)
    return parse_manifest(io.read_file(path), path)


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """The manifest that these bytes are.

    Args:
        data: A manifest as it was written.
        path: Where it is from, for errors.

    Raises:
        NotAnIndexError: It is of something else.
        FormatVersionError: It is of another format version.
        DamagedIndexError: A bit of it is not as written.
    """
    try:
        values = json.loads(data)
        is_ours = isinstance(values, dict) and values.get("format") == FORMAT
    except ValueError:
        raise _damaged(path, "text that is not JSON, or cut off") from None
    if not is_ours:
        raise NotAnIndexError(
            str(path.parent), found=f"a {MANIFEST_NAME} of something else", expected=f'"format": "{FORMAT}"'
        )
    if values.get("format_version") not in READABLE_VERSIONS:
        raise FormatVersionError(
            str(path),
            found=f"format version {values.get('format_version')!r}",
            expected=f"format version {' or '.join(map(str, READABLE_VERSIONS))}",
            do="use the tgfr-search version that wrote it, or build the index again with this one",
        )
    try:
        spaces = values.get("spaces", {"contracts": [], "home": None})
        contract = Contract.from_dict(values["contract"])
        manifest = Manifest(
            index_id=values["index_id"],
            generation=values["generation"],
            next_row_id=values["next_row_id"],
            created=values["created"],
            updated=values["updated"],
            contract=contract,
            files=tuple(FileEntry(*entry) for entry in values["files"]),
            retired=tuple(FileEntry(*entry) for entry in values.get("retired", ())),
            format_version=values["format_version"],
            spaces=tuple(map(Contract.from_dict, spaces["contracts"])),
            home=spaces["home"],
            default=contract.space_id if spaces["contracts"] else "",
        )
        whole = manifest.to_bytes() == data
    except (KeyError, TypeError, ValueError, AttributeError, IndexerError):
        whole = False
    if not whole:
        raise _damaged(path, "content that does not agree with its own digest")
    return manifest


def missing_file(directory: Path, entry: FileEntry) -> IndexerError:
    """The error for a file that is not there: purged since the caller opened the index, or lost."""
    path = directory / entry.name
    with suppress(IndexerError):
        newest = read_manifest(directory)
        if newest.generation > entry.generation and entry not in newest.files:
            return StaleReaderError(
                str(path),
                found=f"no such file: it was purged, the index is at generation {newest.generation} now",
                expected="a reader that was opened after the purge",
                do="open the index again",
            )
    return DamagedIndexError(str(path), found="no such file", expected="a file of the index", do=RESTORE)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Make `manifest` the committed state: the single commit point."""
    io.write_file(directory / MANIFEST_NAME, manifest.to_bytes())


def canonical(values: dict[str, Any]) -> bytes:
    """JSON in the one form whose digest counts."""
    return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()


def _listed(file: FileEntry) -> list[str | int]:
    return [file.kind, file.generation, file.rows, file.size, file.sha256]


def _damaged(path: Path, found: str) -> DamagedIndexError:
    return DamagedIndexError(str(path), found=found, expected="the manifest as it was committed", do=RESTORE)


def _no_manifest(directory: Path) -> IndexerError:
    if not directory.is_dir():
        found = "a file" if directory.exists() else "nothing there"
        return NotAnIndexError(str(directory), found=found, expected="an index directory", do="check the path")
    if any(generation_of(path.name) is not None for path in directory.iterdir()):
        return DamagedIndexError(
            str(directory), found=f"data files without {MANIFEST_NAME}", expected="a whole copy", do=RESTORE
        )
    return NotAnIndexError(
        str(directory), found=f"a directory without {MANIFEST_NAME}", expected="an index directory", do="check the path"
    )


RESTORE = "copy the index again from its source, or build it again"
