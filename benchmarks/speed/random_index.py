"""An index of random templates, written as `index` writes one: in commits, by one writer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Block, Contract, RowBatch, Store
from indexer.rows import FloatArray

BLOCKS = {"face": 128, "fused": 128, "caption": 128, "shared_face": 128}
"""512 components a row, in blocks as the shipped model makes them."""


def contract() -> Contract:
    """Of random vectors: no model's."""
    return Contract(tuple(Block(name, dim) for name, dim in BLOCKS.items()), {"model_id": "random"})


def fill(path: Path, rows: int, rows_a_commit: int, seed: int = 0, metadata: Mapping[str, Any] | None = None) -> None:
    """Makes an index of `rows` random rows at `path`, three a subject, without crops; `metadata` is what all share."""
    rng = np.random.default_rng(seed)

    def unit(count: int, dim: int) -> FloatArray:
        block: FloatArray = rng.standard_normal((count, dim), dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        return block

    with Store.create(path, contract()).writer() as writer:
        for start in range(0, rows, rows_a_commit):
            numbers = range(start, min(start + rows_a_commit, rows))
            count = len(numbers)
            writer.add(
                RowBatch(
                    subject_ids=[f"subject-{number // 3}" for number in numbers],
                    images=[f"subject-{number // 3}/{number}.jpg" for number in numbers],
                    source_keys=[hashlib.sha256(f"key {number}".encode()).hexdigest() for number in numbers],
                    image_sha256s=[hashlib.sha256(str(number).encode()).hexdigest() for number in numbers],
                    captions=[("A young man with black hair.",)] * count,
                    blocks={name: unit(count, dim) for name, dim in BLOCKS.items()},
                    metadata=[
                        {"site": "ABC"[number % 3], "year": 2000 + number % 25, **(metadata or {})}
                        for number in numbers
                    ],
                    quality=[{"inter_eye_px": 60.0}] * count,
                    chips=[None] * count,
                )
            )
            writer.commit()
