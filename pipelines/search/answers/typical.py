"""Typicality in a search: the head of the list is scored again, with how probe and records stand to a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer import Store, SubjectHit
from indexer.milvus import MilvusStore
from tgfr_search.forensic.calibration import Calibration
from tgfr_search.forensic.correction import Correction
from tgfr_search.forensic.evidence import mode_key
from tgfr_search.forensic.pairs import Floats
from tgfr_search.model.cohort import Cohort
from tgfr_search.model.probe import Probes
from tgfr_search.types import FloatArray

HEAD, HEAD_TIMES = 100, 2
"""Subjects of the list by inner product that are scored again: at least so many, and so many times those asked for."""


@dataclass(frozen=True)
class Typical:
    """What a calibration's corrections make of scores.

    Attributes:
        cohort: That it was fitted with.
        corrections: By mode of the calibration: `image`, `fused-1`.
    """

    cohort: Cohort
    corrections: Mapping[str, Correction]

    @staticmethod
    def of(calibration: Calibration, cohort: Cohort) -> Typical:
        """Those of a calibration's modes that were fitted with the cohort."""
        modes = calibration.modes.items()
        return Typical(cohort, {name: own.correction for name, own in modes if own.correction is not None})

    def head(self, top_k: int) -> int:
        """How many subjects are scored again for a list of so many."""
        return max(HEAD, HEAD_TIMES * top_k)

    def correction(self, mode: str, lines: int) -> Correction | None:
        """The correction of a mode; for a number of lines that has none of its own, that of the nearest below."""
        if mode == "image":
            return self.corrections.get("image")
        own = [key for count in range(lines, 0, -1) if (key := mode_key(mode, count)) in self.corrections]
        return self.corrections[own[0]] if own else None

    def rescored(
        self, store: Store | MilvusStore, made: Probes, at: int, hits: Sequence[SubjectHit], lines: int, top_k: int
    ) -> tuple[list[SubjectHit], Floats]:
        """The first of a list whose head was scored again, and what that added to each.

        Args:
            store: That was searched.
            made: Probes.
            at: Which of them.
            hits: Its list by inner product, `head` long.
            lines: Of its description.
            top_k: Candidates asked for.
        """
        added = self.added(made, at, store.vectors([hit.row_id for hit in hits]), lines)
        scores = np.array([hit.score for hit in hits]) + added
        first = np.argsort(-scores, kind="stable")[:top_k]
        return [replace(hits[one], score=float(scores[one])) for one in first], added[first]

    def added(self, made: Probes, at: int, rows: FloatArray, lines: int) -> Floats:
        """What the scores of one probe against G records are raised by, [G].

        Args:
            made: Probes.
            at: Which of them.
            rows: float32 [G, D], in the order of the index.
            lines: Of its description.
        """
        mode = made.modes[at]
        correction = self.correction(mode, lines)
        if correction is None or not len(rows):
            return np.zeros(len(rows))
        one = made.take(np.array([at]))
        return np.asarray(self.cohort.standing(one, rows, mode).added(correction, one.quality.astype(np.float64))[0])
