"""A watch as a file: a stored query, how far rows were matched with it, and what was found. See `indexer.watches`."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from indexer import io
from indexer.errors import DamagedIndexError
from indexer.manifest import canonical, utc_now
from indexer.rows import FloatArray

FORMAT, FORMAT_VERSION = "tgfr-watch", 1
FIELDS = ("name", "space", "threshold", "first", "matched", "rows", "added")
"""Of a watch, written as they are."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that reached a watch's threshold.

    Attributes:
        row_id: Which.
        score: Its score.
        generation: State of the index at which it was found.
        found: When, UTC.
    """

    row_id: int
    score: float
    generation: int
    found: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Watch:
    """A stored query.

    Attributes:
        name: Of the watch, and of its file.
        space: Id of the contract that the query fits.
        query: float32 [D_total].
        threshold: Rows that score as high or higher are hits.
        told: What its maker keeps with it, JSON values.
        first: Id of the first row that is matched: rows that were there before are none of its business.
        matched: Id of the first row that is not matched yet.
        rows: How many rows were matched.
        added: When, UTC.
        hits: What was found, by row.
    """

    name: str
    space: str
    query: FloatArray
    threshold: float
    told: Mapping[str, Any]
    first: int
    matched: int
    rows: int = 0
    added: str = field(default_factory=utc_now)
    hits: tuple[Hit, ...] = ()

    def to_bytes(self) -> bytes:
        """The file's content, its digest included."""
        query = base64.b64encode(np.asarray(self.query, "<f4").tobytes()).decode()
        own = {name: getattr(self, name) for name in FIELDS}
        hits = [asdict(hit) for hit in self.hits]
        body = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **own,
            "query": query,
            "told": self.told,
            "hits": hits,
        }
        return canonical({**body, "digest": hashlib.sha256(canonical(body)).hexdigest()})


def read_watch(path: Path) -> Watch:
    """Reads a watch.

    Raises:
        DamagedIndexError: The file is not as it was written, or no watch.
    """
    data = io.read_file(path)
    try:
        tree = json.loads(data)
        if tree["format"] != FORMAT or tree["format_version"] != FORMAT_VERSION:
            raise ValueError
        watch = Watch(
            query=np.frombuffer(base64.b64decode(tree["query"]), "<f4").astype(np.float32),
            hits=tuple(Hit(**hit) for hit in tree["hits"]),
            **{name: tree[name] for name in (*FIELDS, "told")},
        )
        whole = watch.to_bytes() == data and path.stem == watch.name
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise DamagedIndexError(
            str(path), found="other content", expected="a watch as it was written", do="remove the file, add it anew"
        )
    return watch
