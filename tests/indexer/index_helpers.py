"""Small indexes for the tests, and the plain answer that every search is held to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Block, Contract, QuarantineRecord, RowBatch, Store, watch_file, watches
from indexer.spaces import add_space

DIMS = {"face": 8, "caption": 4}
CONTRACT = Contract(
    tuple(Block(name, dim) for name, dim in DIMS.items()),
    {"model_id": "tgfr-1", "face_encoder": "dlib", "text_encoder": "minilm", "alignment": "sim5"},
)


OTHER = Contract((Block("face", 6), Block("text", 3)), {**CONTRACT.fields, "model_id": "tgfr-2"})
"""What a second space of an index is made with."""


def unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def random_blocks(rng: np.random.Generator, count: int, dims: dict[str, int] = DIMS) -> dict[str, np.ndarray]:
    """Unit vectors; every third row has no caption block."""
    blocks = {name: unit(rng.standard_normal((count, dim))) for name, dim in dims.items()}
    blocks["caption"][::3] = 0.0
    return blocks


def other_blocks(ids: Iterable[int]) -> dict[str, np.ndarray]:
    """The blocks of rows in the space `OTHER`, by their ids."""
    rows = [np.random.default_rng((7, row_id)).standard_normal(9) for row_id in ids]
    flat = np.array(rows, np.float32).reshape(len(rows), 9)
    return {"face": unit(flat[:, :6]), "text": unit(flat[:, 6:])}


def fill_space(path: Path, at_once: int = 2) -> Store:
    """Give an index the space `OTHER`, some rows a commit, or go on where that ended."""
    store = add_space(Store.open(path), OTHER)
    with store.writer() as writer:
        missing = store.without_vectors()
        for start in range(0, len(missing), at_once):
            part = missing[start : start + at_once]
            writer.fill(part, other_blocks(part.tolist()))
            writer.commit()
    return store


def make_batch(subjects: Iterable[str], blocks: dict[str, np.ndarray], first: int = 0, **changed: Any) -> RowBatch:
    subjects = list(subjects)
    count = range(first, first + len(subjects))
    columns: dict[str, Any] = {
        "subject_ids": subjects,
        "images": [f"{subject}/{i}.jpg" for subject, i in zip(subjects, count, strict=True)],
        "source_keys": [f"key{i}" for i in count],
        "image_sha256s": [sha256(str(i).encode()).hexdigest() for i in count],
        "captions": [("A man.", "He smiles. 😀") if i % 3 else () for i in count],
        "metadata": [{"site": "A", "n": i} for i in count],
        "quality": [{"inter_eye_px": 40.5 + i, "yaw": None} for i in count],
        "chips": [f"chip{i}".encode() if i % 2 else None for i in count],
    }
    return RowBatch(blocks=blocks, **{**columns, **changed})


def add_rows(store: Store, subjects: Iterable[str], seed: int = 0, first: int = 0) -> np.ndarray:
    """One commit of random rows; returns their concatenated vectors."""
    subjects = list(subjects)
    blocks = random_blocks(np.random.default_rng(seed), len(subjects))
    with store.writer() as writer:
        writer.add(make_batch(subjects, blocks, first))
        writer.commit()
    return np.hstack(list(blocks.values()))


def small_index(path: Path) -> Store:
    """Three commits: 5 rows; 3 rows, 1 deletion and 2 quarantine records; 1 more row that lifts one of them."""
    store = Store.create(path, CONTRACT)
    add_rows(store, ["anna", "anna", "bert", "carl", "dora"], seed=1)
    records = [
        QuarantineRecord("emil/9.jpg", "no_face", "0 faces", "k9"),
        QuarantineRecord("x.jpg", "io_error", "", ""),
    ]
    with store.writer() as writer:
        writer.add(make_batch(["carl", "bert", "fred"], random_blocks(np.random.default_rng(2), 3), first=5))
        writer.delete(row_ids=[1])
        writer.quarantine(records)
        writer.commit()
        writer.add(make_batch(["emil"], random_blocks(np.random.default_rng(3), 1), first=9))
        writer.commit()
    return store


def match_plainly(store: Store) -> list[watch_file.Watch]:
    """Every watch with the rows that are new, by inner product alone."""
    own = [each for each in watches.read_watches(store.path) if each.space == store.contract.space_id]
    return watches.match(store, {each.name: partial(products, each.query) for each in own})


def products(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return rows.astype(np.float64) @ query.astype(np.float64)


def plain_scores(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The definition of a score: float64 inner product, rounded to float32."""
    return (vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1).astype(np.float32)


def plain_search(vectors: np.ndarray, ids: np.ndarray, query: np.ndarray, k: int) -> list[tuple[int, float]]:
    scores = plain_scores(vectors, query)
    ranked = sorted(zip((-scores).tolist(), ids.tolist(), strict=True))[:k]
    return [(row_id, -score) for score, row_id in ranked]


def plain_subjects(
    vectors: np.ndarray, ids: np.ndarray, subjects: list[str], query: np.ndarray, k: int, aggregate: str
) -> list[tuple[str, int, float]]:
    rows: dict[str, list[tuple[float, int]]] = {}
    for subject, score, row_id in zip(subjects, plain_scores(vectors, query).tolist(), ids.tolist(), strict=True):
        rows.setdefault(subject, []).append((-score, row_id))
    exact = (vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1)
    ranked = []
    for subject, found in rows.items():
        best, row_id = min(found)
        if aggregate == "mean":
            best = -float(np.float32(np.mean([exact[i] for i, s in enumerate(subjects) if s == subject])))
        ranked.append((best, row_id, subject))
    return [(subject, row_id, -score) for score, row_id, subject in sorted(ranked)[:k]]


def state(store: Store) -> dict[str, Any]:
    """Everything a reader can see of an index, to compare two states."""
    ids = [row_id for row_id in range(50) if _has(store, row_id)]
    return {
        "rows": store.rows(ids),
        "vectors": store.vectors(ids).tobytes(),
        "quarantined": store.quarantined(),
        "keys": store.source_keys(),
        "count": len(store),
    }


def _has(store: Store, row_id: int) -> bool:
    from indexer import UnknownRowError

    try:
        store.vectors([row_id])
    except UnknownRowError:
        return False
    return True
