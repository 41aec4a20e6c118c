"""What the Parquet files of an index hold: their columns, and how rows, tombstones and records become tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from indexer import typed
from indexer.contract import Contract
from indexer.faces import CROP_COLUMN, FACE_COLUMNS, face_cells, face_of
from indexer.rows import FloatArray, IdArray, QuarantineRecord, RowBatch

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
CAPTION_SOURCE = "caption_source"
FURTHER = {CAPTION_SOURCE: pa.string(), **FACE_COLUMNS, CROP_COLUMN: pa.binary()}
"""Columns of a rows file from format 4 on; beside them it has the typed columns of its rows (`indexer.typed`)."""

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
_ROWS_AT_ONCE = 4096


def vector_column(block: str) -> str:
    """The name of the Parquet column that holds a block."""
    return f"block_{block}"


def space_schema(contract: Contract) -> pa.Schema:
    """The columns of a file of vectors of one space."""
    return pa.schema([pa.field("row_id", pa.int64(), nullable=False), *_vector_fields(contract)])


def space_table(contract: Contract, blocks: Mapping[str, FloatArray], ids: IdArray) -> pa.Table:
    """Vectors of rows as a table of one space; they are copied."""
    schema = space_schema(contract)
    columns = [pa.array(ids.tolist(), pa.int64())]
    for block in contract.blocks:
        flat = pa.array(blocks[block.name].flatten())
        columns.append(pa.FixedSizeListArray.from_arrays(flat, type=schema.field(vector_column(block.name)).type))
    return pa.table(columns, schema=schema)


def rows_schema(contract: Contract | None) -> pa.Schema:
    """The columns that every rows file has, whatever its format; with vectors of this contract, or without any."""
    text = pa.string()
    fields = [pa.field("row_id", pa.int64(), nullable=False)]
    fields += [pa.field(name, text, nullable=False) for name in ("subject_id", "image", "source_key", "image_sha256")]
    fields += [pa.field("captions", pa.list_(pa.field("element", text, nullable=False)), nullable=False)]
    fields += [pa.field(name, text, nullable=False) for name in ("metadata", "quality")]
    fields += [pa.field(CHIP_COLUMN, pa.binary())]
    return pa.schema([*fields, *(_vector_fields(contract) if contract is not None else [])])


def _vector_fields(contract: Contract) -> list[pa.Field]:
    fields = []
    for block in contract.blocks:
        vector = pa.list_(pa.field("element", pa.float32(), nullable=False), block.dim)
        fields.append(pa.field(vector_column(block.name), vector, nullable=False))
    return fields


def further_type(name: str) -> pa.DataType | None:
    """The type of a column that a rows file may have beside those of `rows_schema`; None where it may not."""
    if name in FURTHER:
        return FURTHER[name]
    of = typed.name_of(name)
    return None if of is None else typed.TYPES[of[1]]


def column_type(schema: pa.Schema, name: str) -> pa.DataType:
    """The type of a column of a rows file."""
    return schema.field(name).type if name in schema.names else further_type(name)


def agrees(found: pa.Schema, expected: pa.Schema) -> bool:
    """Whether a file has the columns it should have; a rows file may have those of later formats too."""
    if found.equals(expected):
        return True
    if "captions" not in expected.names or not set(expected.names) <= set(found.names):
        return False
    basic = pa.schema([found.field(name) for name in expected.names])
    further = [field for field in found if field.name not in expected.names]
    if not any(is_vector(name) for name in expected.names):  # they may be of one of several spaces
        further = [field for field in further if not is_vector(field.name)]
    return basic.equals(expected) and all(field.type == further_type(field.name) for field in further)


def is_vector(name: str) -> bool:
    """Whether a column holds a block."""
    return name.startswith("block_")


def rows_table(contract: Contract | None, batch: RowBatch, ids: IdArray) -> pa.Table:
    """A checked batch as a table; the vectors are copied, the caller may reuse its arrays. None leaves them out."""
    schema = rows_schema(contract)
    columns: dict[str, Any] = {
        "row_id": pa.array(ids.tolist(), pa.int64()),
        "subject_id": pa.array(batch.subject_ids, pa.string()),
        "image": pa.array(batch.images, pa.string()),
        "source_key": pa.array(batch.source_keys, pa.string()),
        "image_sha256": pa.array(batch.image_sha256s, pa.string()),
        "captions": pa.array([list(lines) for lines in batch.captions], schema.field("captions").type),
        CHIP_COLUMN: pa.array(batch.chips, pa.binary()),
        CAPTION_SOURCE: pa.array(batch.caption_sources or [None] * len(batch), pa.string()),
        **typed.split("metadata", batch.metadata),
        **typed.split("quality", batch.quality),
    }
    faces = [face_cells(face) for face in batch.faces or [None] * len(batch)]
    for name, kind in FURTHER.items():
        if name not in columns:
            columns[name] = pa.array([cells[name] for cells in faces], kind)
    for block in contract.blocks if contract is not None else ():
        flat = pa.array(batch.blocks[block.name].flatten())
        name = vector_column(block.name)
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, type=schema.field(name).type)
    order = [*schema.names, *(name for name in columns if name not in schema.names)]
    fields = [pa.field(name, columns[name].type, nullable=name not in schema.names) for name in order]
    fields = [schema.field(field.name) if field.name in schema.names else field for field in fields]
    return pa.table([columns[name] for name in order], schema=pa.schema(fields))


def batch_of(table: pa.Table, contract: Contract) -> RowBatch:
    """The batch that `rows_table` made a table of.

    Raises:
        BadRowError, BadVectorError, ValueError: It is no table of rows that could be added.
    """

    def column(name: str) -> list[Any]:
        return table.column(name).to_pylist()  # type: ignore[no-any-return]

    faces = table.select([*FACE_COLUMNS, CROP_COLUMN]).to_pylist()
    return RowBatch(
        subject_ids=column("subject_id"),
        images=column("image"),
        source_keys=column("source_key"),
        image_sha256s=column("image_sha256"),
        captions=[tuple(lines) for lines in column("captions")],
        blocks=blocks_of(table, contract),
        metadata=list(typed.joined("metadata", table)),
        quality=list(typed.joined("quality", table)),
        chips=column(CHIP_COLUMN),
        caption_sources=column(CAPTION_SOURCE),
        faces=[face_of(cells) for cells in faces],
    )


def blocks_of(table: pa.Table, contract: Contract) -> dict[str, FloatArray]:
    """The blocks of a table's rows: name → float32 [n, D_block]."""
    blocks = dict[str, FloatArray]()
    for block in contract.blocks:
        flat = table[vector_column(block.name)].combine_chunks().flatten()
        values: FloatArray = np.asarray(np.from_dlpack(flat), np.float32)
        blocks[block.name] = values.reshape(len(table), block.dim)
    return blocks


def with_types(table: pa.Table) -> pa.Table:
    """A table whose metadata and quality are all JSON, as before format 4, with typed columns.

    Raises:
        ValueError: What should be JSON is none.
    """
    parts = []
    for start in range(0, max(1, len(table)), _ROWS_AT_ONCE):
        part = table.slice(start, _ROWS_AT_ONCE)
        everything = np.arange(len(part)).tolist()
        for column in typed.TYPED:
            part = typed.replaced(column, part, everything, list(typed.joined(column, part)))
        parts.append(part)
    return typed.together(parts)


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
