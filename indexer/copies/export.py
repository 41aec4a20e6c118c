"""Exports: the living rows as plain Parquet with a JSON manifest, for any program; and indexes made from them.

Of a gallery with several spaces the vectors are in files `space-<id>-….parquet` beside them: row id and vector.
An export holds no tombstones and no updates, only rows as they are, in files `rows-….parquet` ascending by row id, the
quarantine, and the digests of removed photos. `export.json` lists each with its SHA-256 and tells the contract that the
vectors were made by.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer import io, segments, tables
from indexer.contract import Contract
from indexer.copies.build import need_nothing, new_directory
from indexer.errors import DamagedIndexError, FormatVersionError, IndexerError, NotAnIndexError
from indexer.generation import Generation
from indexer.manifest import (
    QUARANTINE,
    REMOVED,
    ROWS,
    SPACE,
    FileEntry,
    Manifest,
    canonical,
    utc_now,
    write_manifest,
)
from indexer.rows import FloatArray, IdArray
from indexer.store import Store
from indexer.upkeep.compact import RUN_BYTES, runs
from indexer.verify import verify

EXPORT_NAME = "export.json"
EXPORT_FORMAT = "tgfr-export"
EXPORT_VERSION = 3
READABLE_EXPORTS = (1, 2, 3)
"""Version 1 had no list of removed photos, version 2 neither typed columns nor faces."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What `export_index` and `import_index` did.

    Attributes:
        path: The new directory.
        index_id: Of the index that was exported, or of the one that was made.
        rows: Rows written.
        files: Files written, the manifest among them.
    """

    path: str
    index_id: str
    rows: int
    files: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def export_index(store: Store, target: str | Path) -> ExportReport:
    """Write the living rows of the state that `store` is at; writers go on meanwhile.

    Raises:
        IndexExistsError: There is something at `target`.
        DamagedIndexError: A file of the index cannot be read.
        DiskFullError, StorageError: The system refused; there is nothing at `target`.
    """
    target, committed = Path(target), store.manifest
    generation = Generation(store.path, committed)
    files: list[FileEntry] = []
    with new_directory(target, sum(entry.size for entry in committed.files)) as building:
        for run in runs(list(committed.of_kind(ROWS))):
            table = generation.living_rows(run)
            if len(table):
                files.append(segments.write_table(building, ROWS, len(files) + 1, table))
        for contract in committed.spaces:
            files += _export_space(Generation(store.path, committed.through(contract)), building)
        if records := list(generation.quarantine.items()):
            files.append(segments.write_table(building, QUARANTINE, 1, tables.quarantine_table(records)))
        if generation.removed:
            removed = tables.removed_table(dict.fromkeys(sorted(generation.removed), True))
            files.append(segments.write_table(building, REMOVED, 1, removed))
        body = {
            "format": EXPORT_FORMAT,
            "format_version": EXPORT_VERSION,
            "exported": utc_now(),
            "index_id": committed.index_id,
            "generation": committed.generation,
            "next_row_id": committed.next_row_id,
            "contract": (committed.contracts[committed.default] if committed.spaces else committed.contract).as_dict(),
            "spaces": [contract.as_dict() for contract in committed.spaces],
            "files": [{**asdict(entry), "name": entry.name} for entry in files],
        }
        digest = hashlib.sha256(canonical(body)).hexdigest()
        io.write_file(building / EXPORT_NAME, canonical({**body, "digest": digest}))
    return ExportReport(str(target), committed.index_id, len(generation), len(files) + 1)


def _export_space(generation: Generation, building: Path) -> Iterator[FileEntry]:
    """Writes the vectors of a space, some files of them."""
    contract, number = generation.manifest.contract, 0
    ids, parts = list[IdArray](), list[FloatArray]()

    def written() -> FileEntry:
        blocks = contract.split(np.concatenate(parts))
        table = tables.space_table(contract, blocks, np.concatenate(ids))
        return segments.write_table(building, SPACE + contract.space_id, number, table)

    for own, part in generation.vector_parts():
        ids.append(own)
        parts.append(part)
        if sum(each.nbytes for each in parts) > RUN_BYTES:
            number += 1
            yield written()
            ids, parts = [], []
    if any(map(len, ids)):
        number += 1
        yield written()


def import_index(source: str | Path, path: str | Path, contract: Contract | None = None) -> ExportReport:
    """Make a new index from an export: rows keep their ids, the index gets an id of its own.

    Checked are every file's SHA-256, then the finished index as `verify` checks one: columns, ids, unit norms.

    Args:
        source: The export.
        path: Where there is nothing yet.
        contract: What the caller's model makes vectors by; None to take the export's own.

    Raises:
        IndexExistsError: There is something at `path`.
        NotAnIndexError, FormatVersionError: `source` is no export of this format.
        ContractMismatchError: The export's vectors were made with something else; names every field.
        DamagedIndexError: A file is not as it was exported, or its rows are not rows of this contract.
        DiskFullError, StorageError: The system refused; there is nothing at `path`.
    """
    source, path = Path(source), Path(path)
    need_nothing(path)
    values = _read_export(source)
    fresh = _manifest_of(source, values)
    if contract is not None and not any(own.accepts(contract) for own in fresh.contracts.values()):
        fresh.contract.require(contract, str(source))
    with new_directory(path, sum(entry.size for entry in fresh.files)) as building:
        for entry in fresh.files:
            data = io.read_file(source / entry.name)
            if not entry.holds(data):
                raise _damaged(source / entry.name, "other bytes than were exported")
            io.write_file(building / entry.name, data)
        write_manifest(building, fresh)
        report = verify(building)
        if not report.ok:
            raise _damaged(source, "; ".join(report.problems[:3]))
    return ExportReport(str(path), fresh.index_id, report.rows, len(fresh.files) + 1)


def _read_export(source: Path) -> dict[str, Any]:
    path = source / EXPORT_NAME
    if not path.is_file():
        raise NotAnIndexError(str(source), found=f"no {EXPORT_NAME}", expected="an export", do="check the path")
    data = io.read_file(path)
    try:
        values = dict(json.loads(data))
    except (ValueError, TypeError):
        raise _damaged(path, "text that is not JSON, or cut off") from None
    if values.get("format") != EXPORT_FORMAT:
        raise NotAnIndexError(str(path), found=f"format {values.get('format')!r}", expected=repr(EXPORT_FORMAT))
    if values.get("format_version") not in READABLE_EXPORTS:
        raise FormatVersionError(
            str(path),
            found=f"format version {values.get('format_version')!r}",
            expected=f"format version {' or '.join(map(str, READABLE_EXPORTS))}",
            do="use the tgfr-search version that wrote it",
        )
    body = {name: value for name, value in values.items() if name != "digest"}
    if canonical(values) != data or values.get("digest") != hashlib.sha256(canonical(body)).hexdigest():
        raise _damaged(path, "content that does not agree with its own digest")
    return values


def _manifest_of(source: Path, values: dict[str, Any]) -> Manifest:
    """The manifest of a new index that holds the exported files."""
    try:
        files = [FileEntry(*(file[name] for name in FileEntry.__slots__)) for file in values["files"]]
        if any(entry.name != file["name"] for entry, file in zip(files, values["files"], strict=True)):
            raise ValueError("file names")
        contract, next_row_id = Contract.from_dict(values["contract"]), int(values["next_row_id"])
        now, last = utc_now(), max([entry.generation for entry in files], default=0)
        spaces = tuple(map(Contract.from_dict, values.get("spaces", ())))
        default = contract.space_id if spaces else ""
        return Manifest(
            str(uuid.uuid4()), last, next_row_id, now, now, contract, tuple(files), spaces=spaces, default=default
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(source / EXPORT_NAME, f"fields that are missing or of another kind ({error!r})") from None


def _damaged(path: Path, found: str) -> IndexerError:
    return DamagedIndexError(str(path), found=found, expected="the export as it was written", do="export again")
