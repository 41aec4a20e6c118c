"""Files between the machine that commits an index and those that encode for it.

A partition is a Parquet file of some records; a shard is the Parquet file of the rows that a partition gave. Both are
named by what they hold, and appear whole or not at all, so that whoever finds a shard need not encode its partition.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from indexer import Contract, IndexerError
from indexer.tables import agrees, batch_of, rows_schema, rows_table
from indexer.typed import together
from pipelines.enrol.batches import EnrolBatch
from tgfr_search.errors import InputError, TgfrError
from tgfr_search.types import Record

PARTITION, SHARD, TRIES = ".partition.parquet", ".shard.parquet", ".tries"
_NOTE = b"tgfr-shard"
_TEXTS = pa.list_(pa.string())
_RECORDS = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("subject_id", pa.string()),
        pa.field("path", pa.string()),
        pa.field("data", pa.binary()),
        pa.field("captions", _TEXTS, nullable=False),
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
    ]
)


def write_partitions(
    folder: Path, records: Iterable[Record], keys: Mapping[str, str], size: int, made_by: str
) -> Iterator[str]:
    """Writes a stream of records as partitions.

    Args:
        folder: Where.
        records: Read once, `size` of them held at a time.
        keys: Row name → content key, filled in as `records` is read.
        size: Records of a partition.
        made_by: Everything besides its records that a shard depends on.

    Yields:
        The name of each partition, in order.
    """
    stream = iter(records)
    while part := list(islice(stream, size)):
        rows = [
            {
                "name": record.name,
                "subject_id": record.subject_id,
                "path": None if record.path is None else str(Path(record.path).absolute()),
                "data": record.data,
                "captions": list(record.captions),
                "metadata": json.dumps(dict(record.metadata)),
                "key": keys[record.name],
            }
            for record in part
        ]
        # A content key stands for bytes, subject, captions and metadata.
        digest = hashlib.sha256(json.dumps([made_by, [[row["name"], row["key"]] for row in rows]]).encode())
        name = digest.hexdigest()[:32]
        for old in folder.glob(f"{name}-*{TRIES}"):
            old.unlink()
        _write(folder / f"{name}{PARTITION}", pa.Table.from_pylist(rows, schema=_RECORDS))
        yield name


def read_partition(folder: Path, name: str) -> tuple[list[Record], dict[str, str]]:
    """The records of a partition, and row name → content key."""
    rows = pq.read_table(folder / f"{name}{PARTITION}", page_checksum_verification=True).to_pylist()
    records = [
        Record(
            row["name"],
            row["subject_id"],
            row["path"],
            row["data"],
            tuple(row["captions"]),
            json.loads(row["metadata"]),
        )
        for row in rows
    ]
    return records, {row["name"]: row["key"] for row in rows}


def count_try(folder: Path, name: str, stage: str, most: int) -> None:
    """Counts a worker's try at a partition, before it begins.

    Raises:
        TgfrError: As many workers have begun it in this run, and died.
    """
    with (folder / f"{name}-{stage}{TRIES}").open("ab") as file:
        file.write(b".")
        tries = file.tell()
    if tries > most:
        images = [record.name for record in read_partition(folder, name)[0]]
        raise TgfrError(
            f"{len(images)} photos, from {images[0]} to {images[-1]}",
            found=f"{most} workers died over their {stage}",
            expected="photos that do not kill a worker, and memory enough for it",
            do=f"find the photo by enrolling these alone; the other shards in {folder} are kept for the next run",
        )


def write_shard(folder: Path, name: str, contract: Contract, batches: Iterable[EnrolBatch]) -> None:
    """Writes what a partition gave, under the partition's name."""
    tables, failed, truncated = list[pa.Table](), list[tuple[str, str, str]](), 0
    for batch in batches:
        if batch.rows is not None:
            tables.append(rows_table(contract, batch.rows, np.arange(len(batch.rows), dtype=np.int64)))
        failed += batch.failed
        truncated += batch.truncated
    note = json.dumps({"failed": failed, "truncated": truncated}).encode()
    table = together(tables) if tables else rows_schema(contract).empty_table()
    _write(folder / f"{name}{SHARD}", table.replace_schema_metadata({_NOTE: note}))


def read_shard(folder: Path, name: str, contract: Contract) -> EnrolBatch:
    """What a partition gave.

    Raises:
        InputError: The file is not there, damaged, or of another contract.
    """
    path = folder / f"{name}{SHARD}"
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        note = json.loads(table.schema.metadata[_NOTE])
        if not agrees(pa.schema(list(table.schema)), rows_schema(contract)):
            raise ValueError("other columns than the contract's")
        failed = tuple((image, reason, detail) for image, reason, detail in note["failed"])
        return EnrolBatch(batch_of(table, contract) if len(table) else None, failed, int(note["truncated"]))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, IndexerError) as error:
        raise InputError(
            f"shard {path}", found=str(error), expected="what a worker wrote", do="run the same command again"
        ) from error


def has_shard(folder: Path, name: str, contract: Contract) -> bool:
    """Whether the partition's shard is there and whole; a damaged one is removed."""
    path = folder / f"{name}{SHARD}"
    if not path.is_file():
        return False
    try:
        read_shard(folder, name, contract)
    except InputError:
        path.unlink()
        return False
    return True


def remove_shards(folder: Path) -> None:
    """Removes the files of this module, and the folder if it is empty then."""
    for path in list(folder.iterdir()):
        if path.name.endswith((PARTITION, SHARD, TRIES, ".tmp")):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _write(path: Path, table: pa.Table) -> None:
    """Whole or not at all; two who write the same file do not meet."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=False, write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
