"""What the scores of a search are worth: the calibration in force, and what it says of each candidate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Store
from indexer.milvus import MilvusStore
from pipelines.enrol.index import contract_of
from tgfr_search.forensic.calibration import Binding, Calibration, read_calibration
from tgfr_search.forensic.evidence import Declared, evidence, mode_key
from tgfr_search.forensic.pairs import Floats
from tgfr_search.forensic.statement import propositions
from tgfr_search.model.checkpoint import FaceTextModel
from tgfr_search.model.probe import make_probes_of_faces
from tgfr_search.types import AlignedFace, QueryResult

FILE = "calibration.json"
"""In the folder of a model: the calibration that comes with it."""


def binding_of(model: FaceTextModel, detector: str) -> Binding:
    """What a calibration of a model's scores belongs to: its contract with an index, and its score weights.

    Args:
        model: Whose scores.
        detector: That finds the faces.
    """
    contract = contract_of(model, detector)
    told = {"fields": dict(contract.fields), "scoring": model.scoring.as_dict()}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Binding(digest, model.model_id)


@dataclass(frozen=True)
class Judge:
    """Says what scores are worth.

    Attributes:
        model: Whose scores.
        binding: Of its scores.
        calibration: In force; None where there is none, and every answer is a reason code.
        declared: What the user says of the probe.
    """

    model: FaceTextModel
    binding: Binding
    calibration: Calibration | None
    declared: Declared = Declared()  # noqa: RUF009 - frozen

    @staticmethod
    def of(model: FaceTextModel, detector: str, path: Path | None = None, declared: Declared | None = None) -> Judge:
        """With the calibration at `path`, or the one that comes with the model.

        Raises:
            InputError: The file is no calibration, or of another model or detector.
        """
        binding = binding_of(model, detector)
        if path is not None:
            given = read_calibration(path)
            given.require(binding, f"{path}")
            return Judge(model, binding, given, declared or Declared())
        shipped = model.folder / FILE
        found = _shipped(shipped, shipped.stat().st_mtime_ns) if shipped.is_file() else None
        return Judge(model, binding, found, declared or Declared())

    def results(
        self,
        store: Store | MilvusStore,
        results: Sequence[QueryResult],
        lines: Sequence[Sequence[str]],
        comparison: str = "max",
    ) -> list[QueryResult]:
        """The answers with what each candidate is worth.

        Args:
            store: The index at the generation that was searched.
            results: Of `answers`.
            lines: What was said of each probe.
            comparison: `max` is one picture against a subject's best row; nothing else is calibrated.
        """
        return [self._judged(store, one, len(own), comparison) for one, own in zip(results, lines, strict=True)]

    def of_scores(
        self, mode: str, lines: int, scores: Floats, image_scores: Floats, quality: float | None, searched: int
    ) -> tuple[list[dict[str, Any]], list[float | None]]:
        """`lr` and `expected_strangers` of each score; see `tgfr_search.forensic.evidence.evidence`."""
        found = evidence(
            self.calibration,
            self.binding,
            mode=mode,
            lines=lines,
            scores=scores,
            image_scores=image_scores,
            quality=quality,
            searched=searched,
            declared=self.declared,
        )
        return [each.lr() for each in found], [each.expected_strangers for each in found]

    def reads_words(self, mode: str, lines: int) -> bool:
        """Whether a search needs the picture's scores beside its own."""
        return mode != "image" and self.calibration is not None and mode_key(mode, lines) in self.calibration.modes

    def told(self) -> dict[str, Any] | None:
        """What stands beside the numbers."""
        if self.calibration is None:
            return None
        return {
            "sha256": self.calibration.sha256,
            "population": self.calibration.population.name,
            "propositions": list(propositions(self.calibration.population)),
        }

    def image_scores(self, face: AlignedFace, rows: Floats) -> Floats:
        """Scores of a picture alone, [N]."""
        probe = make_probes_of_faces(self.model, [face.pixels], [()], ["image"])
        return np.asarray(rows @ probe.queries[0].astype(np.float64) + probe.offsets[0])

    def _judged(self, store: Store | MilvusStore, result: QueryResult, lines: int, comparison: str) -> QueryResult:
        mode = result.mode if comparison == "max" else comparison
        scores = np.array([hit.score for hit in result.candidates], np.float64)
        alone = scores
        if self.reads_words(mode, lines) and result.face is not None and len(scores):
            vectors = store.vectors([hit.row_id for hit in result.candidates])
            alone = self.image_scores(result.face, vectors.astype(np.float64))
        quality = (result.probe["quality"] or {}).get("predicted")
        searched = store.searched(result.where)
        found, strangers = self.of_scores(mode, lines, scores, alone, quality, searched)
        hits = tuple(
            replace(hit, lr=lr, expected_strangers=expected)
            for hit, lr, expected in zip(result.candidates, found, strangers, strict=True)
        )
        return replace(result, candidates=hits, calibration=self.told(), searched=searched)


@lru_cache(maxsize=4)
def _shipped(path: Path, changed: int) -> Calibration:
    """A model's own calibration; a changed file is read again."""
    return read_calibration(path)
