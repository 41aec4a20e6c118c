"""The manifest: the list of files that make up one generation of an index. Replacing it is the commit.

It is JSON in one canonical form and carries the SHA-256 of that form, so that any changed bit in it is found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer import io
from indexer.contract import Contract
from indexer.errors import DamagedIndexError, FormatVersionError, IndexerError, NotAnIndexError

MANIFEST_NAME = "manifest.json"
FORMAT = "tgfr-index"
FORMAT_VERSION = 1

ROWS, DELETED, QUARANTINE = "rows", "deleted", "quarantine"
_DATA_NAME = re.compile(rf"(?:{ROWS}|{DELETED}|{QUARANTINE})-(\d{{8,}})\.parquet")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One immutable Parquet file of the index.

    Attributes:
        kind: `rows` (templates and metadata), `deleted` (tombstones) or `quarantine` (photos not used, and why).
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
        files: In the order in which they were committed.
    """

    index_id: str
    generation: int
    next_row_id: int
    created: str
    updated: str
    contract: Contract
    files: tuple[FileEntry, ...] = ()

    def of_kind(self, kind: str) -> Iterator[FileEntry]:
        """The files of one kind, oldest first."""
        return (entry for entry in self.files if entry.kind == kind)

    def next(self, files: list[FileEntry], next_row_id: int) -> Manifest:
        """The manifest of the commit that adds `files`."""
        return replace(
            self,
            generation=self.generation + 1,
            next_row_id=next_row_id,
            updated=utc_now(),
            files=(*self.files, *files),
        )

    def to_bytes(self) -> bytes:
        """The canonical form, digest included."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "index_id": self.index_id,
            "generation": self.generation,
            "next_row_id": self.next_row_id,
            "created": self.created,
            "updated": self.updated,
            "contract": self.contract.as_dict(),
            "files": [[file.kind, file.generation, file.rows, file.size, file.sha256] for file in self.files],
        }
        return _canonical({**body, "digest": hashlib.sha256(_canonical(body)).hexdigest()})


def data_name(kind: str, generation: int) -> str:
    """The name of the file of that kind that a commit writes."""
    return f"{kind}-{generation:08d}.parquet"


def is_leftover(path: Path, committed: Manifest) -> bool:
    """Whether a file is not committed (yet): temporary, or of a later commit, as a killed writer leaves them."""
    data = _DATA_NAME.fullmatch(path.name)
    is_later = data is not None and int(data[1]) > committed.generation
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
    data = io.read_file(path)
    try:
        values = json.loads(data)
        is_ours = isinstance(values, dict) and values.get("format") == FORMAT
    except ValueError:
        raise _damaged(path, "text that is not JSON, or cut off") from None
    if not is_ours:
        raise NotAnIndexError(
            str(directory), found=f"a {MANIFEST_NAME} of something else", expected=f'"format": "{FORMAT}"'
        )
    if values.get("format_version") != FORMAT_VERSION:
        raise FormatVersionError(
            str(path),
            found=f"format version {values.get('format_version')!r}",
            expected=f"format version {FORMAT_VERSION}",
            do="use the tgfr-search version that wrote it, or build the index again with this one",
        )
    try:
        manifest = Manifest(
            index_id=values["index_id"],
            generation=values["generation"],
            next_row_id=values["next_row_id"],
            created=values["created"],
            updated=values["updated"],
            contract=Contract.from_dict(values["contract"]),
            files=tuple(FileEntry(*entry) for entry in values["files"]),
        )
        whole = manifest.to_bytes() == data
    except (KeyError, TypeError, ValueError, AttributeError, IndexerError):
        whole = False
    if not whole:
        raise _damaged(path, "content that does not agree with its own digest")
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Make `manifest` the committed state: the single commit point."""
    io.write_file(directory / MANIFEST_NAME, manifest.to_bytes())


def _canonical(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()


def _damaged(path: Path, found: str) -> DamagedIndexError:
    return DamagedIndexError(str(path), found=found, expected="the manifest as it was committed", do=RESTORE)


def _no_manifest(directory: Path) -> IndexerError:
    if not directory.is_dir():
        found = "a file" if directory.exists() else "nothing there"
        return NotAnIndexError(str(directory), found=found, expected="an index directory", do="check the path")
    if any(_DATA_NAME.fullmatch(path.name) for path in directory.iterdir()):
        return DamagedIndexError(
            str(directory), found=f"data files without {MANIFEST_NAME}", expected="a whole copy", do=RESTORE
        )
    return NotAnIndexError(
        str(directory), found=f"a directory without {MANIFEST_NAME}", expected="an index directory", do="check the path"
    )


RESTORE = "copy the index again from its source, or build it again"
