"""One state of an index as it is searched: what is read, built and filtered of it, kept for as long as it is used."""

from __future__ import annotations

import numpy as np

from indexer.backends.base import BackendFactory
from indexer.caches import key_of
from indexer.checks import UNIT_TOLERANCE
from indexer.filters.columns import Columns
from indexer.filters.gallery import Searched, everything, filtered
from indexer.generation import Generation
from indexer.guard import Guard, once
from indexer.manifest import UPDATED, Manifest

FILTERS_KEPT = 8
"""Filters whose rows are remembered: each costs 24 bytes a row that it lets through."""


class Opened:
    """A generation and its search structures; any number of threads may use it.

    Args:
        generation: The committed state.
        backend: What is searched with.
    """

    def __init__(self, generation: Generation, backend: str | BackendFactory) -> None:
        self.generation, self._backend = generation, backend
        self.guard, self._filters = Guard(), Guard()
        self._filtered: dict[str, Searched] = {}

    def followed_by(self, committed: Manifest) -> Opened:
        """A later state; what is read and built of this one is kept where it is the same there."""
        there = Opened(self.generation.followed_by(committed), self._backend)
        before, after = self.generation, there.generation
        if key_of(before.manifest) != key_of(committed) or list(before.manifest.of_kind(UPDATED)) != list(
            committed.of_kind(UPDATED)
        ):
            return there
        kept = before.__dict__
        after.__dict__.update({name: kept[name] for name in ("ids", "vectors", "subjects") if name in kept})
        if "everything" in self.__dict__:
            there.__dict__["everything"] = self.__dict__["everything"]
        return there

    def gallery(self, where: str | None) -> Searched:
        """What is searched: all rows, or those a filter lets through; the last few filters' are kept.

        Raises:
            FilterError: `where` is no filter of these rows.
        """
        if where is None:
            return self.everything
        with self._filters:
            found = self._filtered.pop(where, None)
            if found is not None:
                self._filtered[where] = found  # last: the one that goes first is the one asked for longest ago
                return found
        found = filtered(self.generation, self.columns, where, self._max_norm)  # others need not wait for this one
        with self._filters:
            found = self._filtered.setdefault(where, found)
            while len(self._filtered) > FILTERS_KEPT:
                del self._filtered[next(iter(self._filtered))]
        return found

    @once
    def everything(self) -> Searched:
        """All rows."""
        return everything(self.generation, self._backend, self._max_norm)

    @once
    def columns(self) -> Columns:
        """What filters ask about."""
        return Columns(self.generation)

    @property
    def _max_norm(self) -> float:
        return float(np.sqrt(len(self.generation.manifest.contract.blocks)) * (1.0 + UNIT_TOLERANCE))
