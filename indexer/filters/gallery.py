"""What a search runs over: the rows of one generation, or those of them that a filter lets through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.backends import make_backend
from indexer.backends.base import BackendFactory, Source
from indexer.backends.cache import Cache
from indexer.backends.exact import ExactBackend
from indexer.filters.columns import Columns
from indexer.filters.parse import parse
from indexer.filters.select import select
from indexer.generation import Generation
from indexer.ranking import Ranker
from indexer.rows import IdArray


@dataclass(frozen=True)
class Searched:
    """Rows to rank.

    Attributes:
        ids: int64 [n], ascending.
        subjects: The subject of each as a code of the generation: int64 [n].
        ranker: Ranks them; its positions count in `ids`.
    """

    ids: IdArray
    subjects: npt.NDArray[np.int64]
    ranker: Ranker


def everything(generation: Generation, backend: str | BackendFactory, max_norm: float) -> Searched:
    """All rows of a generation.

    Args:
        generation: Whose rows.
        backend: Name, or what makes one.
        max_norm: As `Ranker`.

    Raises:
        IndexerError: There is no such backend, or it cannot run here.
    """
    committed = generation.manifest
    source = Source(
        generation.vectors,
        generation.ids,
        committed.contract,
        committed.index_id,
        committed.generation,
        Cache(generation.directory, committed),
    )
    return Searched(generation.ids, generation.subjects[0], Ranker(make_backend(backend), source, max_norm))


def filtered(generation: Generation, columns: Columns, where: str, max_norm: float) -> Searched:
    """The rows that a filter lets through, ranked exactly whatever their share, where they lie: nothing is copied.

    Args:
        generation: Whose rows.
        columns: Its columns.
        where: The filter.
        max_norm: As `Ranker`.

    Raises:
        FilterError: As `parse` and `select`.
    """
    places = select(columns, parse(where))
    ids = generation.ids[places]
    source = Source(generation.vectors, ids, generation.manifest.contract, picked=places)
    return Searched(ids, generation.subjects[0][places], Ranker(ExactBackend(), source, max_norm))
