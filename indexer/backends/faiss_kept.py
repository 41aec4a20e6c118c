"""What the approximate FAISS backends share: build or take from the cache, measure the recall, search."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from indexer.backends.base import Source
from indexer.backends.cache import Cache
from indexer.backends.calibrate import DEFAULT_RECALL, Recall, calibrate, finds_new_rows
from indexer.backends.carry import Carried, carry, covered
from indexer.backends.faiss_build import import_faiss
from indexer.caches import let_go
from indexer.rows import FloatArray, IdArray

_FEWEST_ROWS = 1000  # below, there is nothing to train on and nothing to gain: every row is scored as it is stored
_TRAINED_ON = 40_000
ROWS_AT_ONCE = 16_384
_LOG = logging.getLogger(__name__)

Setting = tuple[int, int]
"""Overfetch, and the backend's own effort (rows or partitions visited; 0 where it has none)."""


class KeptBackend:
    """A FAISS index that proposes rows without a bound on its scores; made by `_make`, tuned by `_try_harder`.

    Args:
        recall: Recall@1 asked, 0 to 1, on the sample that `calibrate` draws.

    Raises:
        MissingFaissError: See `import_faiss`.
    """

    name: str
    slack: float | None = None
    parts = 1

    def __init__(self, recall: float = DEFAULT_RECALL) -> None:
        self._asked, self._faiss = recall, import_faiss()
        self.overfetch = 1
        self._index: Any = None
        self._carried: Carried | None = None

    def build(self, source: Source) -> None:
        """See `Backend.build`.

        Raises:
            LowRecallError: No setting of the structure reaches the recall that is asked.
        """
        self._ids, self._vectors = source.ids, source.vectors
        if len(source.ids) < _FEWEST_ROWS:
            self.overfetch = len(source.ids)
            return
        if source.cache is None or not self._restore(source, source.cache):
            self._build(source)
        let_go(source.vectors)

    def _build(self, source: Source) -> None:
        began = time.perf_counter()
        made = self._make(source)
        self._index = self._joined(made)
        built = time.perf_counter()
        recall = calibrate(self.name, source, self._settings(len(source.ids)), self._use, self._propose, self._asked)
        told = {
            "rows": len(source.ids),
            "setting": list(self._setting),
            "recall": recall.as_dict(),
            "seconds_to_build": round(built - began, 2),
            "seconds_to_measure": round(time.perf_counter() - built, 2),
        }
        _LOG.info("search structure %r built: %s", self.name, told)
        if source.cache is not None:
            for number, part in enumerate(made):
                data = self._faiss.serialize_index(part).tobytes()
                source.cache.save(self._part_name(number), self._identity(), data, {**told, "bytes": len(data)})
            source.cache.save(self._rows_name, self._identity(), covered(source), {})

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """See `Backend.search`."""
        return self._propose(queries, k)

    def _make(self, source: Source) -> list[Any]:
        """The finished FAISS index, in `parts` parts of successive rows."""
        raise NotImplementedError

    def _settings(self, count: int) -> Sequence[Setting]:
        """What to try, from the cheapest to the dearest, for `count` rows."""
        raise NotImplementedError

    def _try_harder(self, effort: int) -> None:
        """Put the effort of a setting to use."""

    def _joined(self, parts: list[Any]) -> Any:
        return parts[0]

    def _use(self, setting: Setting) -> int:
        self._setting = setting
        self.overfetch, effort = setting
        self._try_harder(effort)
        return self.overfetch

    def _propose(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        carried = self._carried
        _, rows = self._index.search(queries, k + (carried.gone if carried else 0))
        if carried:
            rows = np.where(rows < 0, -1, carried.places[rows])
            found_first = np.argsort(rows < 0, axis=1, kind="stable")[:, :k]
            rows = np.take_along_axis(rows, found_first, axis=1)
        return ids_and_scores(self._faiss, queries, rows, self._ids, self._vectors)

    def _restore(self, source: Source, cache: Cache) -> bool:
        """Take what was kept for these rows, or for those of an earlier state that are nearly these."""
        key, carried = cache.key_of(self._rows_name), None
        rows = None if key is None else cache.load(self._rows_name, self._identity(), key)
        if rows is None:
            return False
        if key != cache.key:
            carried = carry(rows[0], source)
            if carried is None:
                return False
        kept = [cache.load(self._part_name(number), self._identity(), key) for number in range(self.parts)]
        whole = [part for part in kept if part is not None]
        if len(whole) < self.parts or Recall(**whole[0][1]["recall"]).at_1 < self._asked:
            return False
        parts = [self._faiss.deserialize_index(np.frombuffer(data, np.uint8)) for data, _ in whole]
        if carried:
            add_all(parts[-1], source.vectors, carried.new)
        self._carried, self._index = carried, self._joined(parts)
        overfetch, effort = whole[0][1]["setting"]
        self._use((overfetch, effort))
        if carried and len(carried.new):
            found = finds_new_rows(source, carried.new, self._propose, self.overfetch)
            if found < self._asked:
                _LOG.info("search structure %r finds %.4f of %d new rows", self.name, found, len(carried.new))
                self._carried = None
                return False
        if carried:
            _LOG.info("search structure %r goes on: %d new rows, %d gone", self.name, len(carried.new), carried.gone)
        return True

    def _identity(self) -> dict[str, Any]:
        return {"faiss": self._faiss.__version__, "parts": self.parts}

    @property
    def _rows_name(self) -> str:
        return f"{self.name}-rows"

    def _part_name(self, number: int) -> str:
        return self.name if self.parts == 1 else f"{self.name}-{number}"


def training_rows(source: Source, count: int = _TRAINED_ON) -> FloatArray:
    """Rows drawn at random, the same each time: float32 [min(count, N), D]."""
    rows = np.random.default_rng(0).permutation(len(source.ids))[:count]
    return source.vectors[np.sort(rows)]


def ids_and_scores(
    faiss: Any, queries: FloatArray, rows: IdArray, ids: IdArray, vectors: FloatArray
) -> tuple[IdArray, FloatArray]:
    """What `Backend.search` promises of rows that codes or rounded vectors have proposed.

    Args:
        faiss: The module.
        queries: float32 [Q, D].
        rows: int64 [Q, k], -1 where nothing was found.
        ids: int64 [N].
        vectors: float32 [N, D]; read in place, because gathering them first costs as much again.
    """
    scores = np.empty(rows.shape, np.float32)
    pointers = (faiss.swig_ptr(array) for array in (scores, queries, vectors, rows))
    faiss.fvec_inner_products_by_idx(*pointers, vectors.shape[1], *rows.shape)
    if rows.min() >= 0:
        return ids[rows], scores
    scores[rows < 0] = -np.inf
    return np.where(rows < 0, -1, ids[rows]), scores


def add_all(index: Any, vectors: FloatArray, places: IdArray | None = None) -> None:
    """Add rows (all, or those at some places) a slab at a time: what is computed on the way takes little memory."""
    for start in range(0, len(vectors) if places is None else len(places), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        index.add(vectors[part] if places is None else vectors[places[part]])
