"""What an index holds, as one number: equal for equal rows, however they were committed, compacted or copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from indexer import tables, typed
from indexer.contract import Contract
from indexer.faces import CROP_COLUMN, FACE_COLUMNS
from indexer.generation import Generation
from indexer.manifest import ROWS, canonical
from indexer.rows import FloatArray
from indexer.segments import to_numpy


def content_digest(generation: Generation) -> str:
    """Hex SHA-256 over the contract, every row in id order (see `row_digests`) and the quarantine by image.

    Of a gallery with several spaces the rows come without vectors, and each space after them, by its id: contract,
    and id and vector of each row that has one.

    Left out is what says how the rows came there: index id, times, generations, tombstones and the next row id. So a
    run that was killed and resumed, a compaction, a snapshot and an export that was imported give the same digest.

    Raises:
        DamagedIndexError: A file of the index cannot be read.
    """
    committed, digest = generation.manifest, hashlib.sha256()
    alone = next(iter(committed.contracts.values())) if len(committed.contracts) == 1 else None
    if alone is not None:
        digest.update(canonical(alone.as_dict()))
    for entry in committed.of_kind(ROWS):
        table = generation.living_rows([entry])
        blocks = {} if alone is None else _blocks(generation, table, alone)
        for _, _, row in row_digests(table, blocks):
            digest.update(bytes.fromhex(row))
    for _, contract in sorted(committed.contracts.items()) if alone is None else ():
        digest.update(canonical(contract.as_dict()))
        for ids, vectors in Generation(generation.directory, committed.through(contract)).vector_parts():
            for row_id, vector in zip(ids.astype("<i8"), vectors.astype("<f4"), strict=True):
                digest.update(row_id.tobytes() + vector.tobytes())
    for _, record in sorted(generation.quarantine.items()):
        digest.update(canonical(asdict(record)))
    return digest.hexdigest()


def _blocks(generation: Generation, table: pa.Table, contract: Contract) -> dict[str, FloatArray]:
    if not generation.manifest.spaces:
        return tables.blocks_of(table, contract)
    return contract.split(generation.vectors[generation.positions(to_numpy(table["row_id"]))])


def row_digests(table: pa.Table, blocks: Mapping[str, FloatArray]) -> Iterator[tuple[int, str, str]]:
    """What tells a row from any other, for whoever holds a copy and wants to compare.

    Args:
        table: All columns of a rows file.
        blocks: Of its rows, in the order of the contract: name → float32 [n, D_block].

    Yields:
        Row id, hex SHA-256 of the photo, and hex SHA-256 over the row: canonical JSON of every column but pictures and
        vectors, names without a value left out; then aligned face and crop, then the blocks in order of the contract
        as little-endian float32.
    """
    columns = (*tables.METADATA_COLUMNS, tables.CAPTION_SOURCE, *FACE_COLUMNS)
    plain = [name for name in columns if name not in typed.TYPED]
    texts: list[dict[str, Any]] = table.select(plain).to_pylist()
    own = [block.astype("<f4", copy=False) for block in blocks.values()]
    pictures = zip(table[tables.CHIP_COLUMN].to_pylist(), table[CROP_COLUMN].to_pylist(), strict=True)
    said = zip(*(typed.joined(name, table) for name in typed.TYPED), strict=True)
    for number, (values, tells, shown) in enumerate(zip(texts, said, pictures, strict=True)):
        told = {name: value for name, value in values.items() if value is not None}
        digest = hashlib.sha256(canonical({**told, **dict(zip(typed.TYPED, tells, strict=True))}))
        for picture in shown:
            digest.update(picture or b"")
        for block in own:
            digest.update(block[number].tobytes())
        yield values["row_id"], values["image_sha256"], digest.hexdigest()
