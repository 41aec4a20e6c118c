"""The Parquet files of an index: how rows, tombstones and quarantine records become bytes, and back.

A vector block is a column of fixed-size float32 lists, stored as is, so that any Parquet reader understands it and
opening is little more than a copy. Pages carry a CRC that is checked at each read: what is read is what was written,
without hashing the pictures that nobody asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexer import io
from indexer.contract import Contract
from indexer.errors import DamagedIndexError
from indexer.manifest import RESTORE, FileEntry, data_name, missing_file
from indexer.rows import FloatArray, IdArray, QuarantineRecord, RowBatch, to_json

# Small enough to fetch ten candidates' pictures without reading a whole segment, large enough to open fast.
ROWS_A_GROUP = 256

RowUpdate = tuple[str | None, str | None]
"""New subject and new metadata (JSON text) of a row; None for what stays as it is."""

METADATA_COLUMNS = (
    "row_id",
    "subject_id",
    "image",
    "source_key",
    "image_sha256",
    "captions",
    "metadata",
    "quality",
)
CHIP_COLUMN = "chip"

DELETED_SCHEMA = pa.schema([pa.field("row_id", pa.int64(), nullable=False)])
# An updates file is a piece of a log: of an id's entries the last value that is not null counts.
UPDATED_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.int64(), nullable=False),
        pa.field("subject_id", pa.string()),
        pa.field("metadata", pa.string()),
    ]
)
# A quarantine file is a piece of a log: the last entry of an image counts; without a reason it says "enrolled since".
QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("image", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("source_key", pa.string()),
    ]
)

# A removed file is a piece of a log, too: the last entry of a photo counts.
REMOVED_SCHEMA = pa.schema(
    [pa.field("image_sha256", pa.string(), nullable=False), pa.field("removed", pa.bool_(), nullable=False)]
)


def vector_column(block: str) -> str:
    """The name of the Parquet column that holds a block."""
    return f"block_{block}"


def rows_schema(contract: Contract) -> pa.Schema:
    """The columns of a rows file."""
    text = pa.string()
    fields = [pa.field("row_id", pa.int64(), nullable=False)]
    fields += [pa.field(name, text, nullable=False) for name in ("subject_id", "image", "source_key", "image_sha256")]
    fields += [pa.field("captions", pa.list_(pa.field("element", text, nullable=False)), nullable=False)]
    fields += [pa.field(name, text, nullable=False) for name in ("metadata", "quality")]
    fields += [pa.field(CHIP_COLUMN, pa.binary())]
    for block in contract.blocks:
        vector = pa.list_(pa.field("element", pa.float32(), nullable=False), block.dim)
        fields.append(pa.field(vector_column(block.name), vector, nullable=False))
    return pa.schema(fields)


def rows_table(contract: Contract, batch: RowBatch, ids: IdArray) -> pa.Table:
    """A checked batch as a table; the vectors are copied, the caller may reuse its arrays."""
    schema = rows_schema(contract)
    columns = [
        pa.array(ids),
        pa.array(batch.subject_ids, pa.string()),
        pa.array(batch.images, pa.string()),
        pa.array(batch.source_keys, pa.string()),
        pa.array(batch.image_sha256s, pa.string()),
        pa.array([list(lines) for lines in batch.captions], schema.field("captions").type),
        pa.array([to_json("metadata", values) for values in batch.metadata], pa.string()),
        pa.array([to_json("quality", values) for values in batch.quality], pa.string()),
        pa.array(batch.chips, pa.binary()),
    ]
    for block in contract.blocks:
        flat = pa.array(batch.blocks[block.name].flatten())
        columns.append(pa.FixedSizeListArray.from_arrays(flat, type=schema.field(vector_column(block.name)).type))
    return pa.table(columns, schema=schema)


def deleted_table(ids: Sequence[int]) -> pa.Table:
    """Tombstones as a table."""
    return pa.table([pa.array(ids, pa.int64())], schema=DELETED_SCHEMA)


def updated_table(updates: Mapping[int, RowUpdate]) -> pa.Table:
    """Updates as a table: row id and its new subject and metadata (JSON text), None for what stays."""
    subjects, metadata = ([update[i] for update in updates.values()] for i in (0, 1))
    return pa.table([list(updates), subjects, metadata], schema=UPDATED_SCHEMA)


def quarantine_table(entries: Sequence[tuple[str, QuarantineRecord | None]]) -> pa.Table:
    """Entries of the quarantine log as a table: image and its record, or None where it has been enrolled since."""
    return pa.table(
        [
            [image for image, _ in entries],
            [record and record.reason for _, record in entries],
            [record and record.detail for _, record in entries],
            [record and record.source_key for _, record in entries],
        ],
        schema=QUARANTINE_SCHEMA,
    )


def removed_table(entries: Mapping[str, bool]) -> pa.Table:
    """Entries of the log of removed photos as a table: SHA-256 of a photo, and whether it is to stay out."""
    return pa.table([list(entries), list(entries.values())], schema=REMOVED_SCHEMA)


def write_table(directory: Path, kind: str, generation: int, table: pa.Table) -> FileEntry:
    """Write a table durably as a file of `generation` and say what the manifest must know of it.

    Raises:
        DiskFullError, StorageError: As `io.write_file`.
    """
    stored_as_is = (CHIP_COLUMN, "block_")
    compression = {leaf: "none" if leaf.startswith(stored_as_is) else "zstd" for leaf in _leaves(table.schema)}
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=ROWS_A_GROUP,
        compression=compression,
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    data = sink.getvalue().to_pybytes()
    io.write_file(directory / data_name(kind, generation), data)
    return FileEntry(kind, generation, table.num_rows, len(data), hashlib.sha256(data).hexdigest())


def read_columns(directory: Path, entry: FileEntry, schema: pa.Schema, columns: Sequence[str]) -> pa.Table:
    """Some columns of a file, all rows.

    Raises:
        DamagedIndexError: The file is missing or is not as it was written.
    """
    with _open(directory, entry, schema) as file:
        table = file.read(columns=list(columns), use_threads=False)
        _need_rows(table, entry.rows)
        return table


def read_ids(directory: Path, entry: FileEntry, schema: pa.Schema) -> IdArray:
    """The row ids that a file holds: int64 [n], in its order.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    ids: IdArray = to_numpy(read_columns(directory, entry, schema, ["row_id"]).column("row_id"))
    return ids


def read_table(directory: Path, entry: FileEntry, contract: Contract) -> pa.Table:
    """All columns of a rows file, all rows.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    schema = rows_schema(contract)
    return read_columns(directory, entry, schema, schema.names)


def read_vectors(directory: Path, entry: FileEntry, contract: Contract) -> Iterator[FloatArray]:
    """The vectors of a rows file, a row group at a time, so that memory holds little more than the result.

    Yields:
        float32 [n, D_total], in row order.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    columns = [vector_column(block.name) for block in contract.blocks]
    with _open(directory, entry, rows_schema(contract)) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns, use_threads=False)
            _need_rows(table, file.metadata.row_group(group).num_rows)
            vectors = np.empty((len(table), contract.dim), np.float32)
            for column, where in zip(columns, contract.slices.values(), strict=True):
                values = table.column(column).combine_chunks().flatten()
                vectors[:, where] = np.from_dlpack(values).reshape(len(table), where.stop - where.start)
            yield vectors


def read_at(
    directory: Path, entry: FileEntry, schema: pa.Schema, columns: Sequence[str], offsets: npt.NDArray[np.int64]
) -> pa.Table:
    """Some columns of some rows of a file, reading only the row groups they lie in.

    Args:
        directory: The index.
        entry: The file.
        schema: What the file's columns must be.
        columns: Which of them.
        offsets: int64 [n], rows counted from the start of the file, ascending.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    with _open(directory, entry, schema) as file:
        sizes = _group_sizes(file)
        ends = np.cumsum(sizes)
        groups = np.searchsorted(ends, offsets, side="right")
        wanted, place = np.unique(groups, return_inverse=True)
        table = file.read_row_groups(wanted.tolist(), columns=list(columns), use_threads=False)
        kept = np.asarray(sizes)[wanted]
        _need_rows(table, int(kept.sum()))
        shift = (ends[wanted] - kept) - (np.cumsum(kept) - kept)  # rows of the file left out before each group
        return take(table, offsets - shift[place])


# pyarrow imports pandas for `to_numpy` and for NumPy arrays it is given: a third of a second that a query would wait.


def to_numpy(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """A column of numbers without nulls as an array."""
    return np.from_dlpack(column.combine_chunks())


def amend(column: pa.ChunkedArray, positions: Sequence[int], values: Sequence[Any]) -> pa.ChunkedArray:
    """The column with the values at these positions replaced."""
    if not positions:
        return column
    order = np.arange(len(column), dtype=np.int64)
    order[list(positions)] = len(column) + np.arange(len(positions))
    return take(pa.chunked_array([*column.chunks, pa.array(values, column.type)]), order)


def take(rows: pa.Table | pa.ChunkedArray, positions: npt.NDArray[np.int64]) -> Any:
    """The rows at the given positions, in that order."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(positions, np.int64))]
    return rows.take(pa.Array.from_buffers(pa.int64(), len(positions), buffers))


@contextmanager
def _open(directory: Path, entry: FileEntry, schema: pa.Schema) -> Iterator[pq.ParquetFile]:
    path = directory / entry.name
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            counts = {entry.rows, file.metadata.num_rows, sum(_group_sizes(file))}
            if len(counts) > 1 or not file.schema_arrow.equals(schema):
                raise DamagedIndexError(str(path), found="other rows or columns", expected="as committed", do=RESTORE)
            yield file
    except FileNotFoundError:
        raise missing_file(directory, entry) from None
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, MemoryError) as error:
        raise DamagedIndexError(
            str(path), found=f"data that cannot be read ({error})", expected="the file as committed", do=RESTORE
        ) from error


def _group_sizes(file: pq.ParquetFile) -> list[int]:
    return [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]


def _need_rows(table: pa.Table, rows: int) -> None:
    if table.num_rows != rows:
        raise ValueError(f"{table.num_rows} rows where {rows} were written")


def _leaves(schema: pa.Schema) -> list[str]:
    names = []
    for field in schema:
        nested = pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type)
        names.append(f"{field.name}.list.element" if nested else field.name)
    return names
