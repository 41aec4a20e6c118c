"""The logs of an index, each in pieces that commits add: tombstones, updates, quarantine, removed photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from indexer import segments, tables
from indexer.manifest import DELETED, QUARANTINE, REMOVED, UPDATED, Manifest
from indexer.rows import IdArray, QuarantineRecord


def deleted(directory: Path, committed: Manifest) -> IdArray:
    """Ids of deleted rows: int64, ascending."""
    schema = tables.DELETED_SCHEMA
    parts = [segments.read_ids(directory, entry, schema) for entry in committed.of_kind(DELETED)]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def updates(directory: Path, committed: Manifest) -> dict[int, tables.RowUpdate]:
    """Rows whose subject or metadata is newer than their segment says; may name rows deleted since."""
    found: dict[int, tables.RowUpdate] = {}
    schema = tables.UPDATED_SCHEMA
    for entry in committed.of_kind(UPDATED):
        for row in segments.read_columns(directory, entry, schema, schema.names).to_pylist():
            merge_update(found, row["row_id"], (row["subject_id"], row["metadata"]))
    return found


def quarantine(directory: Path, committed: Manifest) -> dict[str, QuarantineRecord]:
    """The photos that are in quarantine, by row name."""
    records: dict[str, QuarantineRecord] = {}
    schema = tables.QUARANTINE_SCHEMA
    for entry in committed.of_kind(QUARANTINE):
        for row in segments.read_columns(directory, entry, schema, schema.names).to_pylist():
            if row["reason"] is None:
                records.pop(row["image"], None)
            else:
                records[row["image"]] = QuarantineRecord(**row)
    return records


def removed(directory: Path, committed: Manifest) -> frozenset[str]:
    """What was deleted for good and is not to be enrolled again unasked (`indexer.rows.removed_key`)."""
    log: dict[str, bool] = {}
    schema = tables.REMOVED_SCHEMA
    for entry in committed.of_kind(REMOVED):
        table = segments.read_columns(directory, entry, schema, schema.names)
        log.update(zip(*(table[name].to_pylist() for name in schema.names), strict=True))
    return frozenset(photo for photo, is_removed in log.items() if is_removed)


def merge_update(updates: dict[int, tables.RowUpdate], row_id: int, newer: tables.RowUpdate) -> None:
    """Put a newer update of a row over the older one; what is None in it stays."""
    subject, metadata = updates.get(row_id, (None, None))
    updates[row_id] = (newer[0] if newer[0] is not None else subject, newer[1] if newer[1] is not None else metadata)
