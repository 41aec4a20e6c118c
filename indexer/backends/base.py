"""What every search backend promises."""

from __future__ import annotations

from typing import Protocol

from indexer.rows import FloatArray, IdArray


class Backend(Protocol):
    """Proposes the rows with the largest inner products; `indexer.ranking` scores and orders what it proposes.

    A backend may be off by the rounding of float32 arithmetic and may order ties as it likes: both are repaired by the
    caller, in one place for all backends, so that ranks repeat and do not depend on the backend.

    Attributes:
        name: What it is chosen by.
    """

    name: str

    def build(self, vectors: FloatArray, ids: IdArray) -> None:
        """Make the rows searchable; both arrays are kept, not copied, and must not change.

        Args:
            vectors: float32 [N, D], C order, N ≥ 1.
            ids: int64 [N].
        """

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """The k rows of largest inner product for each query.

        Args:
            queries: float32 [Q, D], C order, Q ≥ 1, finite.
            k: 1 ≤ k ≤ N.

        Returns:
            Ids int64 [Q, k] and float32 scores [Q, k], best first.
        """
