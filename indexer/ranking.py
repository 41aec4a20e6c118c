"""From a backend's proposals to ranks that repeat.

A score is the float32 rounding of the float64 inner product, added up in one fixed order; candidates are ordered by
score, equal ones by smaller row id. Float32 kernels add in an order that depends on batch size, threads and a row's
place, so a backend only proposes: enough rows are fetched that none it left out can belong to the answer, and the
proposals are scored here. Of a backend whose scores have no bound, a fixed multiple is fetched: what it proposes is
ranked exactly, what it misses is missed, and its measured recall says how often that happens.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.backends.base import Backend, Source
from indexer.errors import BadVectorError, IndexerError
from indexer.products import Rows, exact_products, products
from indexer.rows import FloatArray

Ranking = tuple[npt.NDArray[np.int64], FloatArray]
"""Positions of rows (in the order of ids) and their scores, best first."""

# Fetched beyond k, so that near-ties at rank k rarely need a second search; far more of rows rounded to 8 bits, whose
# slack is about 0.02.
_MORE_ROWS, _MORE_A_SLACK = 8, 5000
_LEAST_WANTED = 10  # rows that an approximate backend proposes for, as its recall was measured
_SCORES_AT_ONCE = 1 << 22
_TINY = float(np.finfo(np.float32).tiny)


class Ranker:
    """Exact ranks over one generation.

    Args:
        backend: A fresh backend; it is built here. It is left empty for an index without rows.
        source: What is searched; may be without rows.
        max_norm: Upper bound of the norm of a row.
    """

    def __init__(self, backend: Backend, source: Source, max_norm: float) -> None:
        self._backend, self._ids = backend, source.ids
        self._vectors: Rows = source.rows
        # The worst that a float32 inner product of D components, and the rounding of the score itself, can be off for a
        # query of norm 1 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 3.5).
        rounding = (self._vectors.shape[1] + 2) * 2.0**-24
        self._error = max_norm * rounding / (1.0 - rounding) + _TINY
        self._more = _MORE_ROWS
        self._is_proven = True
        if len(self._ids):
            backend.build(source)
            self._is_proven = backend.slack is not None
            # A rounded row may be longer than its own by the slack, so that the rounding above may grow by as much.
            self._error += (backend.slack or 0.0) * 1.001
            self._more += int(_MORE_A_SLACK * (backend.slack or 0.0))

    def rows(self, queries: FloatArray, k: int) -> list[Ranking]:
        """The min(k, N) best rows for each query.

        Args:
            queries: float32 [Q, D], C order, finite.
            k: How many, 1 or more.
        """
        count = len(self._ids)
        k = min(k, count)
        answers: list[Ranking] = [_none()] * len(queries)
        if k == 0:
            return answers
        if not self._is_proven:
            return self._likely_rows(queries, k)
        asked, exact = queries, queries.astype(np.float64)
        error = self._errors(exact)
        open_queries, fetch = np.arange(len(queries)), k + self._more
        while len(open_queries) and fetch < count // 2:
            ids, proposed = self._backend.search(asked, fetch)
            best = self._best_of(exact, ids, proposed, k, error)
            # Rows that were not proposed score `lowest + error` at most.
            highest = (proposed[:, -1] + error).tolist()
            unsure = [at for at, (_, scores) in enumerate(best) if highest[at] >= scores[-1]]
            for at, ranking in zip(open_queries, best, strict=True):
                answers[at] = ranking
            open_queries, fetch = open_queries[unsure], fetch * 4
            asked, exact, error = asked[unsure], exact[unsure], error[unsure]
        for number, off in zip(open_queries, error, strict=True):
            answers[number] = self._best_of_all(queries[number], k, off)
        return answers

    def subjects_by_best_row(self, queries: FloatArray, k: int, subjects: npt.NDArray[np.int64]) -> list[Ranking]:
        """The best row of each of the k best subjects (fewer where there are fewer), by that row's score.

        Args:
            queries: float32 [Q, D], C order, finite.
            k: How many subjects, 1 or more.
            subjects: int64 [N], the subject of each row as a code.
        """
        k = min(k, len(np.unique(subjects)))
        answers: list[Ranking] = [_none()] * len(queries)
        open_queries, fetch = np.arange(len(queries) if k else 0), 2 * k
        while len(open_queries):
            unsure = []
            rankings = self.rows(queries[open_queries], fetch)
            for number, (positions, scores) in zip(open_queries, rankings, strict=True):
                _, first = np.unique(subjects[positions], return_index=True)
                if len(first) < k:
                    unsure.append(number)
                first = np.sort(first)[:k]
                answers[number] = positions[first], scores[first]
            open_queries, fetch = np.array(unsure, np.int64), fetch * 4
        return answers

    def subjects_by_mean(self, queries: FloatArray, k: int, subjects: npt.NDArray[np.int64]) -> list[Ranking]:
        """The best row of each of the k best subjects, by the mean score over all rows of the subject.

        Args and result as `subjects_by_best_row`; the scores are the means.
        """
        order = np.argsort(subjects, kind="stable")
        _, starts, counts = np.unique(subjects[order], return_index=True, return_counts=True)
        k = min(k, len(starts))
        if k == 0:
            return [_none()] * len(queries)
        error = self._errors(queries.astype(np.float64))
        answers = []
        slab = max(1, _SCORES_AT_ONCE // len(self._ids))
        for begin in range(0, len(queries), slab):
            scores = products(queries[begin : begin + slab], self._vectors)
            means = np.add.reduceat(scores[:, order], starts, axis=1, dtype=np.float64) / counts
            for number, mean in enumerate(means, start=begin):
                threshold = np.partition(mean, -k)[-k] - 2.0 * error[number]
                candidates = np.flatnonzero(mean >= threshold)
                rows = [np.sort(order[starts[code] : starts[code] + counts[code]]) for code in candidates]
                answers.append(self._best_means(queries[number], rows, k))
        return answers

    def _likely_rows(self, queries: FloatArray, k: int) -> list[Ranking]:
        """The k best of what the backend proposes; of all rows, where it would have to propose half of them."""
        exact = queries.astype(np.float64)
        error = self._errors(exact)
        fetch = max(k, _LEAST_WANTED) * self._backend.overfetch
        if 2 * fetch < len(self._ids) and len(queries):
            ids, scores = self._backend.search(queries, fetch)
            if ids.shape[1] >= k:  # a GPU selects so many and no more
                answers = self._best_of(exact, ids, scores, k, error)
                # A graph or a partition may run dry: a short answer would pass for a small index.
                for number in np.flatnonzero(ids[:, k - 1] < 0):
                    answers[number] = self._best_of_all(queries[number], k, error[number])
                return answers
        return [self._best_of_all(query, k, off) for query, off in zip(queries, error, strict=True)]

    def _best_means(self, query: FloatArray, subjects: list[npt.NDArray[np.int64]], k: int) -> Ranking:
        best, means = [], []
        for positions in subjects:
            scores = self._scores_of_one(query, positions)
            best.append(positions[np.argmax(scores.astype(np.float32))])
            means.append(scores.mean())
        return _sorted(np.array(best), np.array(means).astype(np.float32), k)

    def _best_of(
        self,
        queries: npt.NDArray[np.float64],
        ids: npt.NDArray[np.int64],
        rough: FloatArray,
        k: int,
        error: npt.NDArray[np.float64],
    ) -> list[Ranking]:
        """The k best of the rows `ids` [Q, F] with scores known within `error` [Q]; F ≥ k.

        Only rows near the k-th best are scored in float64, those of all queries together.
        """
        lowest = np.partition(rough, rough.shape[1] - k, axis=1)[:, rough.shape[1] - k]
        asked, places = np.nonzero(rough >= (lowest - 2.0 * error)[:, None])
        rows = np.searchsorted(self._ids, ids[asked, places])
        scores = exact_products(self._vectors, rows, queries, asked).astype(np.float32)
        order = np.lexsort((rows, -scores, asked))
        firsts = np.searchsorted(asked, np.arange(len(queries))).tolist()
        rows, scores = rows[order], scores[order]
        return [(rows[first : first + k], scores[first : first + k]) for first in firsts]

    def _best_of_all(self, query: FloatArray, k: int, error: float) -> Ranking:
        rough = products(query[None], self._vectors)[0]
        lowest = float(np.partition(rough, len(rough) - k)[len(rough) - k])
        positions = np.flatnonzero(rough >= lowest - 2.0 * error)
        scores = self._scores_of_one(query, positions)
        return _sorted(positions, scores.astype(np.float32), k)

    def _scores_of_one(self, query: FloatArray, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return exact_products(self._vectors, rows, query[None].astype(np.float64), np.zeros(len(rows), np.int64))

    def _errors(self, queries: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        errors: npt.NDArray[np.float64] = np.sqrt(np.einsum("qd,qd->q", queries, queries)) * self._error + _TINY
        return errors


def check_queries(queries: FloatArray, k: int, dim: int) -> FloatArray:
    """The queries in C order.

    Args:
        queries: float32 [Q, dim].
        k: How many answers are wanted.
        dim: Components of a row.

    Raises:
        BadVectorError: They are not finite, or of another shape or type.
        IndexerError: k is below 1.
    """
    if k < 1:
        raise IndexerError("k", found=str(k), expected="1 or more")
    if queries.ndim != 2 or queries.shape[1] != dim or queries.dtype != np.float32:
        raise BadVectorError("queries", found=f"{queries.dtype} {queries.shape}", expected=f"float32 [Q, {dim}]")
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(np.linalg.norm(queries, axis=1))
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise BadVectorError(f"query {row}", found="NaN, Inf or an overflowing norm", expected="finite numbers")
    return np.ascontiguousarray(queries)


def _sorted(positions: npt.NDArray[np.int64], scores: FloatArray, k: int) -> Ranking:
    order = np.lexsort((positions, -scores))[:k]
    return positions[order], scores[order]


def _none() -> Ranking:
    return np.empty(0, np.int64), np.empty(0, np.float32)
