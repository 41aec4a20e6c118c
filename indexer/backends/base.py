"""What every search backend promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from indexer.backends.cache import Cache
from indexer.contract import Contract
from indexer.products import Picked, Rows
from indexer.rows import FloatArray, IdArray


@dataclass(frozen=True)
class Source:
    """The rows that a backend is built over.

    Attributes:
        vectors: float32 [N, D], C order, N ≥ 1; kept, not copied, and must not change.
        ids: int64 [N], ascending; kept, not copied, and must not change.
        contract: Whose blocks lie side by side in a vector.
        index_id: Of the index.
        generation: The committed state that the rows are.
        cache: Where a structure that is expensive to build may be kept; None where nothing is to be written.
        picked: int64 [N], which rows of a longer `vectors` [M, D] are searched, `ids` being theirs; None is all. Only
            `exact` looks at it.
    """

    vectors: FloatArray
    ids: IdArray
    contract: Contract
    index_id: str = ""
    generation: int = 0
    cache: Cache | None = None
    picked: IdArray | None = None

    @property
    def rows(self) -> Rows:
        """The vectors that are searched: float32 [N, D]."""
        return self.vectors if self.picked is None else Picked(self.vectors, self.picked)


class Backend(Protocol):
    """Proposes the rows with the largest inner products; `indexer.ranking` scores and orders what it proposes.

    A backend may order ties as it likes, and be off by the rounding of float32 arithmetic and by `slack` besides: both
    are repaired by the caller, in one place for all backends, so that ranks repeat and do not depend on the backend.

    Attributes:
        name: What it is chosen by.
        slack: The most by which a score it proposes, for a query of norm 1, differs from the row's own beyond float32
            arithmetic: 0 for a plain scan, a little for rounded vectors. The ranks are then proven exact. None where
            there is no such bound: `overfetch` times as many rows are proposed as are wanted (as ten, where fewer
            are), and those are ranked. Read after `build`.
        overfetch: Rows proposed for each one wanted where `slack` is None; 1 elsewhere. Read after `build`.
    """

    name: str
    slack: float | None
    overfetch: int

    def build(self, source: Source) -> None:
        """Make the rows searchable."""

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """The k rows of largest inner product for each query.

        Args:
            queries: float32 [Q, D], C order, Q ≥ 1, finite.
            k: 1 ≤ k ≤ N.

        Returns:
            Ids int64 [Q, k] and float32 scores [Q, k], best first. Where `slack` is None the scores are the rows' own
            within float32 arithmetic, the order is that of what proposed them, and fewer may be found: -1 and -inf at
            the end.
        """


BackendFactory = Callable[[], Backend]
"""Makes a new backend; for those that this package must not import."""
