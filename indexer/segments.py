"""The Parquet files of an index: how tables become bytes, and back. What the tables hold says `indexer.tables`.

A file of rows is read in the columns of today's format, whichever it was written in: what it has not is null.

A vector block is a column of fixed-size float32 lists, stored as is, so that any Parquet reader understands it and
opening is little more than a copy. Pages carry a CRC that is checked at each read: what is read is what was written,
without hashing the pictures that nobody asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexer import io, tables
from indexer.contract import Contract
from indexer.errors import DamagedIndexError
from indexer.faces import CROP_COLUMN
from indexer.manifest import RESTORE, ROWS, FileEntry, data_name, missing_file
from indexer.rows import FloatArray, IdArray, split_key
from indexer.tables import CAPTION_SOURCE, CHIP_COLUMN, vector_column
from indexer.typed import taken

# Small enough to fetch ten candidates' pictures without reading a whole segment, large enough to open fast.
ROWS_A_GROUP = 256
_NAMES = b"tgfr-columns"


def write_table(directory: Path, kind: str, generation: int, table: pa.Table) -> FileEntry:
    """Write a table durably as a file of `generation` and say what the manifest must know of it.

    Raises:
        DiskFullError, StorageError: As `io.write_file`.
    """
    if CAPTION_SOURCE in table.schema.names:
        table = table.replace_schema_metadata({_NAMES: _names_digest(table.schema)})
    as_is = {CHIP_COLUMN, CROP_COLUMN}
    leaves = _leaves(table.schema)
    compression = {leaf: "none" if leaf in as_is or leaf.startswith("block_") else "zstd" for leaf in leaves}
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
        table = _completed(file, columns, lambda there: file.read(columns=there, use_threads=False))
        _need_rows(table, entry.rows)
        return table


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a file before its rows are read.

    Attributes:
        columns: That it has.
        ids: Of its rows: int64 [n], in its order.
    """

    columns: list[str]
    ids: IdArray


def read_head(directory: Path, entry: FileEntry, schema: pa.Schema) -> Head:
    """The columns that a file has, and the row ids that it holds.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    with _open(directory, entry, schema) as file:
        names = list(file.schema_arrow.names)
        table = file.read(columns=["row_id"], use_threads=False)
        _need_rows(table, entry.rows)
        return Head(names, to_numpy(table.column("row_id")))


def read_ids(directory: Path, entry: FileEntry, schema: pa.Schema) -> IdArray:
    """The row ids that a file holds: int64 [n], in its order.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    ids: IdArray = to_numpy(read_columns(directory, entry, schema, ["row_id"]).column("row_id"))
    return ids


def read_table(directory: Path, entry: FileEntry, contract: Contract | None) -> pa.Table:
    """All columns of a rows file, all rows, as `tables.rows_table` makes them.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    schema = tables.rows_schema(contract)
    with _open(directory, entry, schema) as file:
        there = list(file.schema_arrow.names)
        names = [*there, *(name for name in tables.FURTHER if name not in there)]
        table = _completed(file, names, lambda there: file.read(columns=there, use_threads=False))
        _need_rows(table, entry.rows)
        return table if CAPTION_SOURCE in there else tables.with_types(table)


def read_vectors(directory: Path, entry: FileEntry, contract: Contract) -> Iterator[FloatArray]:
    """The vectors of a file of rows or of a space, a row group at a time: memory holds little more than the result.

    Yields:
        float32 [n, D_total], in row order.

    Raises:
        DamagedIndexError: As `read_columns`.
    """
    columns = [vector_column(block.name) for block in contract.blocks]
    schema = tables.rows_schema(contract) if entry.kind == ROWS else tables.space_schema(contract)
    with _open(directory, entry, schema) as file:
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
        groups_wanted = wanted.tolist()
        table = _completed(
            file, columns, lambda there: file.read_row_groups(groups_wanted, columns=there, use_threads=False)
        )
        kept = np.asarray(sizes)[wanted]
        _need_rows(table, int(kept.sum()))
        shift = (ends[wanted] - kept) - (np.cumsum(kept) - kept)  # rows of the file left out before each group
        return taken(table, offsets - shift[place])


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
    return taken(pa.chunked_array([*column.chunks, pa.array(values, column.type)]), order)


@contextmanager
def _open(directory: Path, entry: FileEntry, schema: pa.Schema) -> Iterator[pq.ParquetFile]:
    path = directory / entry.name
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            counts = {entry.rows, file.metadata.num_rows, sum(_group_sizes(file))}
            there = file.schema_arrow  # made anew each time it is asked for
            if len(counts) > 1 or not tables.agrees(there, schema):
                raise DamagedIndexError(str(path), found="other rows or columns", expected="as committed", do=RESTORE)
            _need_names(there)
            yield file
    except FileNotFoundError:
        raise missing_file(directory, entry) from None
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, MemoryError) as error:
        raise DamagedIndexError(
            str(path), found=f"data that cannot be read ({error})", expected="the file as committed", do=RESTORE
        ) from error


def _completed(file: pq.ParquetFile, columns: Sequence[str], read: Callable[[list[str]], pa.Table]) -> pa.Table:
    """Some columns of a file in the form of today's format; `read` reads those that the file has."""
    there = file.schema_arrow.names
    wanted, is_old = [name for name in columns if name in there], CAPTION_SOURCE not in there
    if len(wanted) == len(columns) and not (is_old and "source_key" in columns and "captions" in there):
        return read(wanted)
    table = read(list(dict.fromkeys([*wanted, "source_key"])))
    if is_old:
        split = [split_key(key) for key in table["source_key"].to_pylist()]
        at, field = table.schema.get_field_index("source_key"), table.schema.field("source_key")
        table = table.set_column(at, field, pa.chunked_array([pa.array([key for key, _ in split], field.type)]))
        table = table.append_column(CAPTION_SOURCE, pa.chunked_array([pa.array([by for _, by in split], pa.string())]))
    for name in columns:
        if name not in table.schema.names:
            table = table.append_column(name, pa.chunked_array([pa.nulls(len(table), tables.further_type(name))]))
    return table.select(list(columns))


def _need_names(schema: pa.Schema) -> None:
    """Names of typed columns are what users wrote, and stand where no page's CRC guards them."""
    told = (schema.metadata or {}).get(_NAMES)
    if (CAPTION_SOURCE in schema.names or told is not None) and told != _names_digest(schema):
        raise ValueError("names of columns that do not agree with their own digest")


def _names_digest(schema: pa.Schema) -> bytes:
    told = "\n".join(sorted(f"{field.name} {field.type}" for field in schema))
    return hashlib.sha256(told.encode()).hexdigest().encode()


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
