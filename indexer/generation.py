"""One committed state of an index, read only: vectors, ids and metadata, each loaded when first asked for.

A generation never changes: later commits add files beside its own, so whoever holds one keeps reading what was there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from indexer import caches, segments
from indexer.backends.cache import described
from indexer.errors import DamagedIndexError, UnknownRowError
from indexer.guard import Guard, once
from indexer.manifest import DELETED, QUARANTINE, REMOVED, RESTORE, ROWS, UPDATED, FileEntry, Manifest
from indexer.rows import FloatArray, IdArray, QuarantineRecord, Row

MAPPED_FROM = 64 << 20
"""Bytes of vectors from which on a mapped copy is kept; fewer are read from the segments in no time."""
VECTORS_CACHE = "vectors.f32"


class Generation:
    """What one manifest describes; any number of threads may read it.

    Args:
        directory: The index.
        manifest: The committed state to read.
    """

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory, self.manifest, self.guard = directory, manifest, Guard()
        self._schema = segments.rows_schema(manifest.contract)

    def __len__(self) -> int:
        written = sum(entry.rows for entry in self.manifest.of_kind(ROWS))
        return written - sum(entry.rows for entry in self.manifest.of_kind(DELETED))

    def check_sizes(self) -> None:
        """Refuse an index of which a file is missing or was cut off, as a half-done copy leaves it.

        Raises:
            DamagedIndexError: Names the files.
        """
        wrong = []
        for entry in self.manifest.files:
            path = self.directory / entry.name
            size = path.stat().st_size if path.is_file() else None
            if size != entry.size:
                wrong.append(f"{entry.name} ({'missing' if size is None else f'{size} of {entry.size} bytes'})")
        if wrong:
            raise DamagedIndexError(
                str(self.directory),
                found=", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
                expected="every file that manifest.json lists, whole",
                do=RESTORE,
            )

    @once
    def deleted(self) -> IdArray:
        """Ids of deleted rows: int64, ascending."""
        parts = [
            segments.read_ids(self.directory, entry, segments.DELETED_SCHEMA)
            for entry in self.manifest.of_kind(DELETED)
        ]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    @once
    def ids(self) -> IdArray:
        """Ids of the rows that are there: int64 [N], ascending."""
        return self._written[self._alive]

    @once
    def vectors(self) -> FloatArray:
        """The concatenated blocks of the rows that are there, in the order of `ids`: float32 [N, D_total].

        Of a large index a copy as one file is kept among its caches and mapped: it opens faster than the segments are
        read, and the system shares and reclaims its memory. Where none can be kept they are read into memory.
        """
        dim = self.manifest.contract.dim
        if 4 * dim * len(self) >= MAPPED_FROM:
            path = caches.find(self.directory, self.manifest, VECTORS_CACHE) or caches.keep(
                self.directory, self.manifest, VECTORS_CACHE, self.read_vectors()
            )
            if path is not None:
                with suppress(OSError):  # a purge may have removed it since
                    return caches.map_vectors(path, dim)
        vectors = np.empty((len(self), dim), np.float32)
        kept = 0
        for part in self.read_vectors():
            vectors[kept : kept + len(part)] = part
            kept += len(part)
        return vectors

    def read_vectors(self) -> Iterator[FloatArray]:
        """The vectors of the rows that are there, in the order of `ids`, some at a time: float32 [n, D_total].

        Raises:
            DamagedIndexError: A segment cannot be read.
        """
        read = 0
        for entry in self.manifest.of_kind(ROWS):
            for part in segments.read_vectors(self.directory, entry, self.manifest.contract):
                alive = self._alive[read : read + len(part)]
                read += len(part)
                yield part if alive.all() else part[alive]

    @once
    def subjects(self) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Whose each row is: codes int64 [N] in the order of `ids`, and the subject that each code stands for."""
        if not len(self):
            return np.empty(0, np.int64), []
        encoded = pc.dictionary_encode(self.column("subject_id").combine_chunks())
        return np.from_dlpack(encoded.indices).astype(np.int64), encoded.dictionary.to_pylist()

    @once
    def updates(self) -> dict[int, segments.RowUpdate]:
        """Rows whose subject or metadata is newer than their segment says; may name rows deleted since."""
        updates: dict[int, segments.RowUpdate] = {}
        for entry in self.manifest.of_kind(UPDATED):
            schema = segments.UPDATED_SCHEMA
            for row in segments.read_columns(self.directory, entry, schema, schema.names).to_pylist():
                merge_update(updates, row["row_id"], (row["subject_id"], row["metadata"]))
        return updates

    @once
    def quarantine(self) -> dict[str, QuarantineRecord]:
        """The photos that are in quarantine now, by row name."""
        records: dict[str, QuarantineRecord] = {}
        for entry in self.manifest.of_kind(QUARANTINE):
            schema = segments.QUARANTINE_SCHEMA
            for row in segments.read_columns(self.directory, entry, schema, schema.names).to_pylist():
                if row["reason"] is None:
                    records.pop(row["image"], None)
                else:
                    records[row["image"]] = QuarantineRecord(**row)
        return records

    @once
    def removed(self) -> frozenset[str]:
        """Hex SHA-256 of the photos that were deleted for good and are not to be enrolled again unasked."""
        log: dict[str, bool] = {}
        for entry in self.manifest.of_kind(REMOVED):
            schema = segments.REMOVED_SCHEMA
            table = segments.read_columns(self.directory, entry, schema, schema.names)
            log.update(zip(*(table[name].to_pylist() for name in schema.names), strict=True))
        return frozenset(photo for photo, is_removed in log.items() if is_removed)

    def info(self) -> dict[str, Any]:
        """Counts, sizes, times and contract, as plain JSON values."""
        committed = self.manifest
        lines = pc.list_value_length(self.column("captions"))
        sizes = [entry.size for entry in committed.files]
        retired = sum(entry.size for entry in committed.retired)
        reasons = Counter(record.reason for record in self.quarantine.values())
        return {
            "index_id": committed.index_id,
            "format_version": committed.format_version,
            "generation": committed.generation,
            "created": committed.created,
            "updated": committed.updated,
            "rows": len(self),
            "subjects": len(self.subjects[1]),
            "rows_with_captions": int(np.count_nonzero(segments.to_numpy(lines))),
            "rows_deleted": len(self.deleted),
            "rows_updated": int(np.isin(list(self.updates), self.ids).sum()),
            "quarantined": dict(sorted(reasons.items())),
            "photos_removed": len(self.removed),
            "segments": sum(1 for _ in committed.of_kind(ROWS)),
            "bytes": sum(sizes) + len(committed.to_bytes()) + retired,
            "bytes_retired": retired,
            "bytes_cached": caches.size(self.directory),
            "blocks": {block.name: block.dim for block in committed.contract.blocks},
            "search_structures": described(self.directory, self.manifest),
            "metric": committed.contract.metric,
            "fields": dict(committed.contract.fields),
        }

    def column(self, name: str) -> pa.ChunkedArray:
        """One metadata column of the rows that are there, in the order of `ids`."""
        parts = [
            segments.read_columns(self.directory, entry, self._schema, [name]).column(name)
            for entry in self.manifest.of_kind(ROWS)
        ]
        chunks = [chunk for part in parts for chunk in part.chunks]
        whole = pa.chunked_array(chunks, self._schema.field(name).type)
        alive = segments.take(whole, np.flatnonzero(self._alive)) if len(self.deleted) else whole
        return self.amended(name, alive, self.ids)

    def amended(self, name: str, column: pa.ChunkedArray, ids: IdArray) -> pa.ChunkedArray:
        """A column of the rows `ids` (int64 [n], ascending) as their segments hold it, brought up to date."""
        if name not in segments.UPDATED_SCHEMA.names or name == "row_id" or not self.updates:
            return column
        field = segments.UPDATED_SCHEMA.names.index(name) - 1
        changed = np.array(sorted(i for i, update in self.updates.items() if update[field] is not None), np.int64)
        here = changed[np.isin(changed, ids)]
        values = [self.updates[row_id][field] for row_id in here.tolist()]
        return segments.amend(column, np.searchsorted(ids, here).tolist(), values)

    def positions(self, ids: Sequence[int] | IdArray) -> npt.NDArray[np.int64]:
        """Where in `ids` the given ids are: int64 [n].

        Raises:
            UnknownRowError: An id is not there, or its row was deleted.
        """
        wanted = np.asarray(ids, dtype=np.int64).reshape(-1)
        places = np.searchsorted(self.ids, wanted)
        known = places < len(self.ids)
        known[known] = self.ids[places[known]] == wanted[known]
        if not known.all():
            missing = wanted[~known][:5].tolist()
            raise UnknownRowError(
                f"row ids {missing} of {self.directory}", found="no such rows, or deleted ones", expected="ids of rows"
            )
        return places

    def rows(self, ids: Sequence[int] | IdArray, *, chips: bool) -> list[Row]:
        """The rows of the given ids, in that order; reads only the row groups they lie in.

        Raises:
            UnknownRowError: As `positions`.
        """
        wanted = np.asarray(ids, dtype=np.int64).reshape(-1)
        self.positions(wanted)
        columns = [*segments.METADATA_COLUMNS, *([segments.CHIP_COLUMN] if chips else [])]
        unique = np.unique(wanted)
        places = np.searchsorted(self._written, unique)
        found: dict[int, Row] = {}
        start = 0
        for entry in self.manifest.of_kind(ROWS):
            here = places[(places >= start) & (places < start + entry.rows)] - start
            start += entry.rows
            if len(here):
                table = segments.read_at(self.directory, entry, self._schema, columns, here)
                found.update((values["row_id"], self._row(entry, values)) for values in table.to_pylist())
        return [found[row_id] for row_id in wanted.tolist()]

    def living_rows(self, run: Sequence[FileEntry]) -> pa.Table:
        """The rows of some neighbouring segments that are not deleted, up to date, as one table in one chunk a column.

        Raises:
            DamagedIndexError: A segment cannot be read.
        """
        contract = self.manifest.contract
        table = pa.concat_tables([segments.read_table(self.directory, entry, contract) for entry in run])
        alive = ~np.isin(segments.to_numpy(table["row_id"]), self.deleted)
        if not alive.all():
            table = segments.take(table, np.flatnonzero(alive))
        ids = segments.to_numpy(table["row_id"])
        return pa.table([self.amended(name, table[name], ids) for name in table.column_names], schema=table.schema)

    @once
    def _written(self) -> IdArray:
        parts = [segments.read_ids(self.directory, entry, self._schema) for entry in self.manifest.of_kind(ROWS)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    @once
    def _alive(self) -> npt.NDArray[np.bool_]:
        return ~np.isin(self._written, self.deleted)

    def _row(self, entry: FileEntry, values: dict[str, Any]) -> Row:
        subject, metadata = self.updates.get(values["row_id"], (None, None))
        try:
            return Row(
                row_id=values["row_id"],
                subject_id=values["subject_id"] if subject is None else subject,
                image=values["image"],
                source_key=values["source_key"],
                image_sha256=values["image_sha256"],
                captions=tuple(values["captions"]),
                metadata=json.loads(values["metadata"] if metadata is None else metadata),
                quality=json.loads(values["quality"]),
                chip=values.get(segments.CHIP_COLUMN),
            )
        except ValueError as error:
            raise DamagedIndexError(
                str(self.directory / entry.name), found=f"row {values['row_id']}: {error}", expected="JSON", do=RESTORE
            ) from error


def merge_update(updates: dict[int, segments.RowUpdate], row_id: int, newer: segments.RowUpdate) -> None:
    """Put a newer update of a row over the older one; what is None in it stays."""
    subject, metadata = updates.get(row_id, (None, None))
    updates[row_id] = (newer[0] if newer[0] is not None else subject, newer[1] if newer[1] is not None else metadata)
