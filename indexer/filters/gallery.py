"""What a search runs over: the rows of one generation, or those of them that a filter lets through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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


def filtered(generation: Generation, columns: Columns, where: str, max_norm: float) -> Searched:
    """The rows that a filter lets through, ranked exactly whatever their share: their vectors are copied together.

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
    return Searched(
        ids, generation.subjects[0][places], Ranker(ExactBackend(), generation.vectors[places], ids, max_norm)
    )
