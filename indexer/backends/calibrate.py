"""The recall of an approximate backend, measured where it is built; one that is too low fails the build.

The sample's queries lie between two rows, near one (a good photo) or half-way (a poor one), and weigh the blocks
together and each alone, as queries of the several modes do. The exact answer to each comes from a scan of every row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from indexer.backends.base import Source
from indexer.backends.exact import ExactBackend
from indexer.errors import LowRecallError
from indexer.rows import FloatArray, IdArray

DEFAULT_RECALL = 0.999
_LOG = logging.getLogger(__name__)
_QUERIES_A_KIND = 64
_TOP = 10
_NEAR, _HALF_WAY = 0.2, 0.5
_NEW_ROWS, _BESIDE = 32, 0.3
Setting = TypeVar("Setting")
Propose = Callable[[FloatArray, int], tuple[IdArray, FloatArray]]


@dataclass(frozen=True)
class Recall:
    """What was measured.

    Attributes:
        at_1: Share of queries whose best row was proposed, or one of the same score.
        at_10: Share of the ten best rows.
        lowest_at_1: Of the kind of query (blocks weighed, distance) that fared worst.
        queries: How many.
    """

    at_1: float
    at_10: float
    lowest_at_1: float
    queries: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


class Sample:
    """Queries with exact answers.

    Args:
        source: What is searched.
        seed: Of the draw.
    """

    def __init__(self, source: Source, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        weighted = [dict.fromkeys(source.contract.slices, 1.0)]
        weighted += [{name: 1.0} for name in source.contract.slices] if len(source.contract.slices) > 1 else []
        kinds = []
        for weights in weighted:
            for share in (_NEAR, _HALF_WAY):
                kinds.append(_between(source, rng, share, weights))
        self.queries = np.vstack(kinds)
        self._source, self._kind = source, np.repeat(np.arange(len(kinds)), [len(kind) for kind in kinds])
        exact = ExactBackend()
        exact.build(source)
        self._top = min(_TOP, len(source.ids))
        self._ids, self._scores = exact.search(self.queries, self._top)

    def recall(self, propose: Propose, overfetch: int) -> Recall:
        """How many of the best rows are among `overfetch` times ten proposed ones."""
        found, _ = propose(self.queries, min(_TOP * overfetch, len(self._source.ids)))
        first, ten = np.zeros(len(found)), np.zeros(len(found))
        for number, row in enumerate(found):
            places = np.searchsorted(self._source.ids, row[row >= 0])
            scores = np.sort(self._source.vectors[places] @ self.queries[number])[::-1][: self._top]
            # A row of the same score is as good; what the order of addition moves is far below what codes move.
            near = 1e-5 * (1.0 + np.abs(self._scores[number]))
            good = scores >= self._scores[number][: len(scores)] - near[: len(scores)]
            first[number] = good[:1].sum()
            ten[number] = good.sum() / self._top
        lowest = min(first[self._kind == kind].mean() for kind in np.unique(self._kind))
        return Recall(float(first.mean()), float(ten.mean()), float(lowest), len(found))


def calibrate(
    name: str,
    source: Source,
    settings: Sequence[Setting],
    use: Callable[[Setting], int],
    propose: Propose,
    asked: float,
) -> Recall:
    """Take the first setting whose recall@1 on a sample reaches `asked`; the backend is left at that setting.

    Args:
        name: Of the backend, for the message.
        source: What is searched.
        settings: From the cheapest to the dearest.
        use: Puts a setting to use and returns its overfetch.
        propose: The backend's search.
        asked: Recall@1, 0 to 1.

    Raises:
        LowRecallError: No setting reaches it.
    """
    sample = Sample(source)
    best = Recall(0.0, 0.0, 0.0, 0)
    for setting in settings:
        overfetch = use(setting)
        recall = sample.recall(propose, overfetch)
        _LOG.info("%s at %s: recall@1 %.4f, recall@10 %.4f", name, setting, recall.at_1, recall.at_10)
        if recall.at_1 >= asked:
            return recall
        best = max(best, recall, key=lambda one: one.at_1)
    raise LowRecallError(
        f"search backend {name!r} over {len(source.ids)} rows",
        found=f"recall@1 of {best.at_1:.4f} on {best.queries} sampled queries (recall@10 {best.at_10:.4f})",
        expected=f"{asked:g} or more",
        do=f"choose 'flat', which is exact, or ask for less with '{name}@{max(0.0, best.at_1 - 0.005):.2f}'",
    )


def finds_new_rows(source: Source, new: IdArray, propose: Propose, overfetch: int) -> float:
    """The share of rows added to a finished structure that it finds, by what they are and by one block of theirs.

    One that was made without such rows may not tell them apart: rows with captions, for instance, where none had any.

    Args:
        source: What is searched.
        new: Places of the new rows.
        propose: The backend's search.
        overfetch: As the backend uses it.
    """
    rng = np.random.default_rng(0)
    rows = rng.permutation(new)[:_NEW_ROWS]
    own, others = source.vectors[rows], source.vectors[rng.integers(0, len(source.ids), len(rows))]
    asked, queries = [np.arange(len(rows))], [own]
    for where in source.contract.slices.values():
        present = np.flatnonzero(own[:, where].any(axis=1))
        for beside in (0.0, _BESIDE):  # the block alone, and with something of somebody else's others
            query = beside * others[present]
            query[:, where] = own[present, where]
            asked.append(present)
            queries.append(query)
    whose, every = np.concatenate(asked), np.vstack(queries)
    _, scores = propose(every, min(_TOP * overfetch, len(source.ids)))
    least = np.einsum("qd,qd->q", every, own[whose])
    return float((scores.max(axis=1) >= least - 1e-5 * (1.0 + np.abs(least))).mean())


def _between(source: Source, rng: np.random.Generator, share: float, weights: dict[str, float]) -> FloatArray:
    """Queries that are `share` of the way from one row to another: float32 [Q, D]."""
    count = min(_QUERIES_A_KIND, len(source.ids))
    queries = np.zeros((count, source.vectors.shape[1]), np.float32)
    one, other = (rng.integers(0, len(source.ids), count) for _ in range(2))
    for name, weight in weights.items():
        where = source.contract.slices[name]
        mixed = (1.0 - share) * source.vectors[one, where] + share * source.vectors[other, where]
        norms = np.linalg.norm(mixed, axis=1, keepdims=True)
        queries[:, where] = weight * mixed / np.where(norms > 0.0, norms, 1.0)
    return queries[queries.any(axis=1)]
