"""What an index holds, as one number: equal for equal rows, however they were committed, compacted or copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from indexer import segments
from indexer.contract import Contract
from indexer.generation import Generation
from indexer.manifest import ROWS, canonical


def content_digest(generation: Generation) -> str:
    """Hex SHA-256 over the contract, every row in id order (see `row_digests`) and the quarantine by image.

    Left out is what says how the rows came there: index id, times, generations, tombstones and the next row id. So a
    run that was killed and resumed, a compaction, a snapshot and an export that was imported give the same digest.

    Raises:
        DamagedIndexError: A file of the index cannot be read.
    """
    digest = hashlib.sha256(canonical(generation.manifest.contract.as_dict()))
    for entry in generation.manifest.of_kind(ROWS):
        for _, _, row in row_digests(generation.living_rows([entry]), generation.manifest.contract):
            digest.update(bytes.fromhex(row))
    for _, record in sorted(generation.quarantine.items()):
        digest.update(canonical(asdict(record)))
    return digest.hexdigest()


def row_digests(table: pa.Table, contract: Contract) -> Iterator[tuple[int, str, str]]:
    """What tells a row from any other, for whoever holds a copy and wants to compare.

    Args:
        table: All columns of a rows file.
        contract: Of the index.

    Yields:
        Row id, hex SHA-256 of the photo, and hex SHA-256 over the row: canonical JSON of every column but crop and
        vectors, then the crop's bytes, then the blocks in order of the contract as little-endian float32.
    """
    texts: list[dict[str, Any]] = table.select(segments.METADATA_COLUMNS).to_pylist()
    blocks = [
        segments.to_numpy(pa.chunked_array([table[segments.vector_column(block.name)].combine_chunks().flatten()]))
        .astype("<f4", copy=False)
        .reshape(len(table), block.dim)
        for block in contract.blocks
    ]
    for number, (values, chip) in enumerate(zip(texts, table[segments.CHIP_COLUMN].to_pylist(), strict=True)):
        digest = hashlib.sha256(canonical(values))
        digest.update(chip or b"")
        for block in blocks:
            digest.update(block[number].tobytes())
        yield values["row_id"], values["image_sha256"], digest.hexdigest()
