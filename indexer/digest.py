"""What an index holds, as one number: equal for equal rows, however they were committed, compacted or copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from indexer import tables, typed
from indexer.contract import Contract
from indexer.faces import CROP_COLUMN, FACE_COLUMNS
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
        Row id, hex SHA-256 of the photo, and hex SHA-256 over the row: canonical JSON of every column but pictures and
        vectors, names without a value left out; then aligned face and crop, then the blocks in order of the contract
        as little-endian float32.
    """
    columns = (*tables.METADATA_COLUMNS, tables.CAPTION_SOURCE, *FACE_COLUMNS)
    plain = [name for name in columns if name not in typed.TYPED]
    texts: list[dict[str, Any]] = table.select(plain).to_pylist()
    blocks = [block.astype("<f4", copy=False) for block in tables.blocks_of(table, contract).values()]
    pictures = zip(table[tables.CHIP_COLUMN].to_pylist(), table[CROP_COLUMN].to_pylist(), strict=True)
    said = zip(*(typed.joined(name, table) for name in typed.TYPED), strict=True)
    for number, (values, own, shown) in enumerate(zip(texts, said, pictures, strict=True)):
        told = {name: value for name, value in values.items() if value is not None}
        digest = hashlib.sha256(canonical({**told, **dict(zip(typed.TYPED, own, strict=True))}))
        for picture in shown:
            digest.update(picture or b"")
        for block in blocks:
            digest.update(block[number].tobytes())
        yield values["row_id"], values["image_sha256"], digest.hexdigest()
