"""One committed state of an index, read only: vectors, ids and metadata, each loaded when first asked for.

A generation never changes: later commits add files beside its own, so whoever holds one keeps reading what was there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from indexer import caches, logs, segments, tables
from indexer.backends.cache import described
from indexer.errors import BadRowError, DamagedIndexError, IncompleteSpaceError, UnknownRowError
from indexer.faces import CROP_COLUMN, FACE_COLUMNS, face_of
from indexer.fields import Fields
from indexer.guard import Guard, once
from indexer.manifest import DELETED, RESTORE, ROWS, FileEntry, Manifest
from indexer.rows import FloatArray, IdArray, QuarantineRecord, Row
from indexer.typed import TYPED, joined, name_of, replaced, taken, together

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
        # Of an earlier state, so that a commit costs who follows it no more than what it added.
        self._heads: dict[FileEntry, segments.Head] = {}
        self._begun: tuple[list[FileEntry], FloatArray] | None = None
        self._rows_contract = None if manifest.spaces else manifest.contract
        self._schema = tables.rows_schema(self._rows_contract)

    def followed_by(self, committed: Manifest) -> Generation:
        """A later state; what was read here of files that it has too is not read again.

        Vectors are taken along as long as they are in memory anyway, and as long as no row is gone.
        """
        after = Generation(self.directory, committed)
        there = set(committed.files)
        after._heads = {entry: head for entry, head in dict(self._heads).items() if entry in there}
        gone = list(self.manifest.of_kind(DELETED)) != list(committed.of_kind(DELETED))
        if not gone and self.manifest.contract == committed.contract:
            vectors: FloatArray | None = self.__dict__.get("vectors")
            after._begun = self._begun
            if vectors is not None and vectors.nbytes < MAPPED_FROM:
                after._begun = [entry for entry, _ in self.vector_files], vectors
        return after

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
        return logs.deleted(self.directory, self.manifest)

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
        for part in self._grown():
            vectors[kept : kept + len(part)] = part
            kept += len(part)
        self._begun = None
        return vectors

    def _grown(self) -> Iterator[FloatArray]:
        """As `read_vectors`; those that an earlier state has read come first."""
        files, begun = self.vector_files, self._begun
        if begun is None or [entry for entry, _ in files[: len(begun[0])]] != begun[0] or not ascend(files):
            yield from self.read_vectors()
            return
        self.need_complete()
        yield begun[1]
        for _, part in self._as_they_lie(files[len(begun[0]) :]):
            yield part

    def read_vectors(self) -> Iterator[FloatArray]:
        """The vectors of the rows that are there, in the order of `ids`, some at a time: float32 [n, D_total].

        Raises:
            DamagedIndexError: A segment cannot be read.
            IncompleteSpaceError: The space has none of some rows.
        """
        self.need_complete()
        for _, part in self.vector_parts():
            yield part

    def vector_parts(self) -> Iterator[tuple[IdArray, FloatArray]]:
        """Ids, and vectors float32 [n, D_total], of the rows that are there and have vectors; ids ascend.

        Raises:
            DamagedIndexError: A segment cannot be read.
        """
        files = self.vector_files
        if ascend(files):
            yield from self._as_they_lie(files)
            return
        yield self.vectors_of([entry for entry, _ in files])

    def vectors_of(self, files: Sequence[FileEntry]) -> tuple[IdArray, FloatArray]:
        """Ids, ascending, and vectors float32 [n, D_total] of the rows that are there of some files with vectors.

        Raises:
            DamagedIndexError: One cannot be read.
        """
        own = [(entry, ids) for entry, ids in self.vector_files if entry in files]
        ids = self.ids[np.isin(self.ids, np.concatenate([self.ids[:0], *(each for _, each in own)]))]
        vectors = np.empty((len(ids), self.manifest.contract.dim), np.float32)
        for there, part in self._as_they_lie(own):
            vectors[np.searchsorted(ids, there)] = part
        return ids, vectors

    def _as_they_lie(self, files: list[tuple[FileEntry, IdArray]]) -> Iterator[tuple[IdArray, FloatArray]]:
        for entry, ids in files:
            read = 0
            for part in segments.read_vectors(self.directory, entry, self.manifest.contract):
                own = ids[read : read + len(part)]
                read += len(part)
                places = np.minimum(np.searchsorted(self.ids, own), max(0, len(self.ids) - 1))
                alive = self.ids[places] == own if len(self.ids) else np.zeros(len(own), bool)
                yield (own, part) if alive.all() else (own[alive], part[alive])

    @once
    def missing(self) -> IdArray:
        """Ids of the rows that are there and of which the space has no vectors: int64 [n], ascending."""
        if not self.manifest.spaces:
            return self.ids[:0]
        return np.setdiff1d(self.ids, np.concatenate([self.ids[:0], *(ids for _, ids in self.vector_files)]))

    def need_complete(self) -> None:
        """Refuse a space that has no vectors of some rows.

        Raises:
            IncompleteSpaceError: It is so.
        """
        if len(self.missing):
            contract = self.manifest.contract
            raise IncompleteSpaceError(
                f"space {contract.space_id} of {self.directory}",
                found=f"vectors of {len(self) - len(self.missing):,} of {len(self):,} rows",
                expected="vectors of every row",
                do=f"`tgfr-search space add {self.directory} --model …` encodes them; the model is {contract.model}",
            )

    @once
    def vector_files(self) -> list[tuple[FileEntry, IdArray]]:
        """The files with vectors of the space, each with the ids of its rows, by the first of these."""
        found = []
        for entry in self.manifest.files:
            if entry.rows and self.manifest.vectors_in(entry):
                if entry.kind != ROWS:
                    found.append((entry, self._head(entry, tables.space_schema(self.manifest.contract)).ids))
                elif not self.manifest.spaces or self.has_vectors(entry):
                    found.append((entry, self._head(entry).ids))
        return sorted(found, key=lambda each: int(each[1][0])) if self.manifest.spaces else found

    def has_vectors(self, entry: FileEntry) -> bool:
        """Whether a file of rows has vectors beside them."""
        return any(map(tables.is_vector, self.columns[entry.name]))

    @once
    def subjects(self) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Whose each row is: codes int64 [N] in the order of `ids`, and the subject that each code stands for."""
        if not len(self):
            return np.empty(0, np.int64), []
        encoded = pc.dictionary_encode(self.column("subject_id").combine_chunks())
        return np.from_dlpack(encoded.indices).astype(np.int64), encoded.dictionary.to_pylist()

    @once
    def updates(self) -> dict[int, tables.RowUpdate]:
        """Rows whose subject or metadata is newer than their segment says; may name rows deleted since."""
        return logs.updates(self.directory, self.manifest)

    @once
    def quarantine(self) -> dict[str, QuarantineRecord]:
        """The photos that are in quarantine now, by row name."""
        return logs.quarantine(self.directory, self.manifest)

    @once
    def removed(self) -> frozenset[str]:
        """Hex SHA-256 of the photos that were deleted for good and are not to be enrolled again unasked."""
        return logs.removed(self.directory, self.manifest)

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
        return self.read([name])[name]

    def read(self, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        """Some metadata columns of the rows that are there, in the order of `ids`; opens each file once.

        An index that photos were added to one at a time has a file for each: to open them takes longer than to read.
        """
        if not names:
            return {}
        parts = [
            segments.read_columns(self.directory, entry, self._schema, names) for entry in self.manifest.of_kind(ROWS)
        ]
        alive, out = np.flatnonzero(self._alive) if len(self.deleted) else None, dict[str, pa.ChunkedArray]()
        for name in names:
            chunks = [chunk for part in parts for chunk in part.column(name).chunks]
            whole = pa.chunked_array(chunks, tables.column_type(self._schema, name))
            out[name] = self.amended(name, whole if alive is None else taken(whole, alive), self.ids)
        return out

    @once
    def columns(self) -> dict[str, list[str]]:
        """The Parquet columns of each file of rows, by its name."""
        return {entry.name: self._head(entry).columns for entry in self.manifest.of_kind(ROWS)}

    @once
    def fields(self) -> dict[str, Fields]:
        """What rows say under names of their own: `metadata` and `quality`."""
        return {column: Fields(self, column) for column in TYPED}

    def amended(self, name: str, column: pa.ChunkedArray, ids: IdArray) -> pa.ChunkedArray:
        """A column of the rows `ids` (int64 [n], ascending) as their segments hold it, brought up to date."""
        if name not in tables.UPDATED_SCHEMA.names or name == "row_id" or not self.updates:
            return column
        field = tables.UPDATED_SCHEMA.names.index(name) - 1
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

    def rows(self, ids: Sequence[int] | IdArray, *, chips: bool, crops: bool = False) -> list[Row]:
        """The rows of the given ids, in that order; reads only the row groups they lie in.

        Raises:
            UnknownRowError: As `positions`.
        """
        wanted = np.asarray(ids, dtype=np.int64).reshape(-1)
        self.positions(wanted)
        columns = [*tables.METADATA_COLUMNS, tables.CAPTION_SOURCE, *FACE_COLUMNS]
        columns += [*([tables.CHIP_COLUMN] if chips else []), *([CROP_COLUMN] if crops else [])]
        unique = np.unique(wanted)
        places = np.searchsorted(self._written, unique)
        found: dict[int, Row] = {}
        start = 0
        for entry in self.manifest.of_kind(ROWS):
            here = places[(places >= start) & (places < start + entry.rows)] - start
            start += entry.rows
            if len(here):
                own = [name for name in self.columns[entry.name] if name_of(name) is not None]
                table = segments.read_at(self.directory, entry, self._schema, [*columns, *own], here)
                found.update((row.row_id, row) for row in self._rows(entry, table))
        return [found[row_id] for row_id in wanted.tolist()]

    def living_rows(self, run: Sequence[FileEntry]) -> pa.Table:
        """The rows of some neighbouring segments that are not deleted, up to date, as one table of today's columns.

        With vectors, where there is one space, and it lies with the rows.

        Raises:
            DamagedIndexError: A segment cannot be read.
        """
        parts = [segments.read_table(self.directory, entry, self._rows_contract) for entry in run]
        if self.manifest.spaces:
            parts = [part.drop_columns(list(filter(tables.is_vector, part.column_names))) for part in parts]
        table = together(parts)
        alive = ~np.isin(segments.to_numpy(table["row_id"]), self.deleted)
        if not alive.all():
            table = taken(table, np.flatnonzero(alive))
        ids = segments.to_numpy(table["row_id"])
        at = table.schema.get_field_index("subject_id")
        table = table.set_column(at, table.schema.field(at), self.amended("subject_id", table["subject_id"], ids))
        newer = {row_id: text for row_id, (_, text) in self.updates.items() if text is not None}
        here = [(at, newer[row_id]) for at, row_id in enumerate(ids.tolist()) if row_id in newer]
        return replaced("metadata", table, [at for at, _ in here], [json.loads(text) for _, text in here])

    def _head(self, entry: FileEntry, schema: pa.Schema | None = None) -> segments.Head:
        with self.guard:
            if entry not in self._heads:
                self._heads[entry] = segments.read_head(self.directory, entry, schema or self._schema)
            return self._heads[entry]

    @once
    def _written(self) -> IdArray:
        return np.concatenate([np.empty(0, np.int64), *(self._head(each).ids for each in self.manifest.of_kind(ROWS))])

    @once
    def _alive(self) -> npt.NDArray[np.bool_]:
        return ~np.isin(self._written, self.deleted)

    def _rows(self, entry: FileEntry, table: pa.Table) -> Iterator[Row]:
        try:
            said = zip(joined("metadata", table), joined("quality", table), strict=True)
            for values, (metadata, quality) in zip(table.to_pylist(), said, strict=True):
                subject, newer = self.updates.get(values["row_id"], (None, None))
                yield Row(
                    row_id=values["row_id"],
                    subject_id=values["subject_id"] if subject is None else subject,
                    image=values["image"],
                    source_key=values["source_key"],
                    image_sha256=values["image_sha256"],
                    captions=tuple(values["captions"]),
                    metadata=metadata if newer is None else json.loads(newer),
                    quality=quality,
                    chip=values.get(tables.CHIP_COLUMN),
                    caption_source=values[tables.CAPTION_SOURCE],
                    face=face_of(values),
                )
        except (ValueError, BadRowError) as error:
            raise DamagedIndexError(
                str(self.directory / entry.name), found=str(error), expected="rows as they were committed", do=RESTORE
            ) from error


def ascend(files: Sequence[tuple[FileEntry, IdArray]]) -> bool:
    """Whether the ids of files, each rising, rise from file to file."""
    return all(former[-1] < ids[0] for (_, former), (_, ids) in pairwise(files))
