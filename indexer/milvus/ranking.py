"""Exact ranks over rows that another machine holds: it proposes, and sends the vectors that scores are computed from.

The rules are those of `indexer.ranking`; what differs is that rows are fetched instead of looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.checks import UNIT_TOLERANCE
from indexer.contract import Contract
from indexer.milvus.connect import Server
from indexer.milvus.layout import subject_key
from indexer.products import exact_products
from indexer.rows import FloatArray, IdArray

MORE_ROWS = 16
MAX_FETCH = 16_384
"""Milvus's own limit of one search; beyond it every row is looked at, which is slow and right."""

_SUBJECTS_AT_ONCE = 500
_PAGE = 1000
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Ranking:
    """Rows in order: best first, equal scores by smaller row id.

    Attributes:
        ids: int64 [n].
        scores: float32 [n].
        subjects: n subject ids.
        whole: Whether there are no other rows.
    """

    ids: IdArray
    scores: FloatArray
    subjects: list[str]
    whole: bool

    def hits(self) -> Iterator[tuple[str, int, float]]:
        """Subject, row id and score of each."""
        return zip(self.subjects, self.ids.tolist(), self.scores.tolist(), strict=True)

    def take(self, places: list[int], *, whole: bool) -> Ranking:
        """Some of the rows."""
        return Ranking(self.ids[places], self.scores[places], [self.subjects[i] for i in places], whole)


class Remote:
    """The rows of a collection.

    Args:
        server: Where.
        client: Connected to it.
        collection: Which.
        contract: What its vectors are.
    """

    def __init__(self, server: Server, client: Any, collection: str, contract: Contract) -> None:
        self._server, self._client, self._collection, self.dim = server, client, collection, contract.dim
        norm = float(np.sqrt(len(contract.blocks)) * (1.0 + UNIT_TOLERANCE))
        rounding = (contract.dim + 2) * 2.0**-24  # see `indexer.ranking.Ranker`
        self._error = norm * rounding / (1.0 - rounding) + _TINY

    def error(self, query: FloatArray) -> float:
        """The most by which a score that Milvus tells is off."""
        return float(np.linalg.norm(query.astype(np.float64))) * self._error + _TINY

    def search(self, query: FloatArray, fetch: int, where: str) -> tuple[Ranking, float]:
        """The best `fetch` rows, scored and sorted here, and the lowest score that Milvus told."""
        with self._server.errors("searching"):
            hits = self._client.search(
                self._collection,
                data=[query.tolist()],
                anns_field="vector",
                limit=fetch,
                filter=where,
                output_fields=["subject_id", "vector"],
                search_params={"metric_type": "IP"},
                timeout=self._server.timeout,
            )[0]
        rows = [{"row_id": hit["row_id"], **hit["entity"]} for hit in hits]
        lowest = min((hit["distance"] for hit in hits), default=-np.inf)
        return self.ranked(query, rows, whole=len(hits) < fetch), float(lowest)

    def query(self, where: str, fields: list[str]) -> list[dict[str, Any]]:
        """All rows for which an expression is true, some of their fields."""
        with self._server.errors("reading rows"):
            pages = self._client.query_iterator(
                self._collection,
                batch_size=_PAGE,
                filter=where,
                output_fields=["row_id", *fields],
                timeout=self._server.timeout,
            )
            rows: list[dict[str, Any]] = []
            while page := pages.next():
                rows += page
            pages.close()
        return rows

    def ranked(self, query: FloatArray, rows: list[dict[str, Any]], *, whole: bool) -> Ranking:
        """Rows with their vectors, scored and sorted."""
        scores = self.exact(query, rows).astype(np.float32)
        ids = np.array([row["row_id"] for row in rows], np.int64)
        order = np.lexsort((ids, -scores))
        return Ranking(ids[order], scores[order], [rows[i]["subject_id"] for i in order], whole)

    def exact(self, query: FloatArray, rows: list[dict[str, Any]]) -> npt.NDArray[np.float64]:
        """Inner products, float64 [n]: those that `indexer.ranking` tells of the same rows."""
        vectors = np.array([row["vector"] for row in rows], np.float32).reshape(len(rows), self.dim)
        asked = np.zeros(len(rows), np.int64)
        return exact_products(vectors, np.arange(len(rows)), query[None].astype(np.float64), asked)


def best_rows(remote: Remote, queries: FloatArray, k: int, where: str) -> Iterator[Ranking]:
    """The k best rows for each query, fewer where there are fewer."""
    for query in queries:
        yield _best(remote, query, k, where)


def best_subjects(remote: Remote, queries: FloatArray, k: int, where: str) -> Iterator[Ranking]:
    """The best row of each of the k best subjects, by that row's score."""
    for query in queries:
        fetch = 2 * k
        while True:
            ranking = _best(remote, query, fetch, where)
            first = _first(ranking)
            if len(first) >= k or ranking.whole:
                yield ranking.take(first[:k], whole=ranking.whole)
                break
            fetch *= 4


def best_subjects_by_mean(remote: Remote, queries: FloatArray, k: int, where: str) -> Iterator[Ranking]:
    """The best row of each of the k best subjects, by the mean over all rows of the subject.

    A subject's mean is at most its best row's score: once the k-th mean is above the best row of every subject not yet
    seen, no other can come in.
    """
    for query in queries:
        fetch, known = 4 * k, dict[str, tuple[float, int]]()
        while True:
            ranking = _best(remote, query, fetch, where)
            seen = [ranking.subjects[place] for place in _first(ranking)]
            known.update(_means(remote, query, [each for each in seen if each not in known], where))
            order = sorted(known, key=lambda subject: (-known[subject][0], known[subject][1]))[:k]
            if ranking.whole or (len(order) == k and known[order[-1]][0] > float(ranking.scores[-1])):
                yield Ranking(
                    np.array([known[each][1] for each in order], np.int64),
                    np.array([known[each][0] for each in order], np.float32),
                    order,
                    ranking.whole,
                )
                break
            fetch *= 4


def _best(remote: Remote, query: FloatArray, k: int, where: str) -> Ranking:
    fetch, error = k + MORE_ROWS, remote.error(query)
    while fetch <= MAX_FETCH:
        ranking, lowest = remote.search(query, fetch, where)
        # Rows that were not proposed score `lowest + error` at most.
        if ranking.whole or lowest + error < ranking.scores[k - 1]:
            return _cut(ranking, k)
        fetch *= 4
    rows = remote.query(where, ["subject_id", "vector"])
    return _cut(remote.ranked(query, rows, whole=True), k)


def _cut(ranking: Ranking, k: int) -> Ranking:
    """The first k rows: those that are certain."""
    if len(ranking.ids) <= k:
        return ranking
    return ranking.take(list(range(k)), whole=False)


def _first(ranking: Ranking) -> list[int]:
    """Where each subject stands first."""
    places: dict[str, int] = {}
    for place, subject in enumerate(ranking.subjects):
        places.setdefault(subject, place)
    return list(places.values())


def _means(remote: Remote, query: FloatArray, subjects: list[str], where: str) -> dict[str, tuple[float, int]]:
    """Subject → the mean over its rows, as float32 rounds it, and its best row."""
    out: dict[str, tuple[float, int]] = {}
    for start in range(0, len(subjects), _SUBJECTS_AT_ONCE):
        part = subjects[start : start + _SUBJECTS_AT_ONCE]
        keys = ", ".join(str(subject_key(subject)) for subject in part)
        rows = remote.query(f"{where} and subject_key in [{keys}]", ["subject_id", "vector"])
        for subject in part:
            own = sorted((row for row in rows if row["subject_id"] == subject), key=lambda row: int(row["row_id"]))
            scores = remote.exact(query, own)
            best = int(np.argmax(scores.astype(np.float32)))
            out[subject] = float(np.float32(scores.mean())), int(own[best]["row_id"])
    return out
