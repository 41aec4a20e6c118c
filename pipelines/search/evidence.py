"""What the scores of a search are worth: the calibration in force, and what it says of each candidate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Store
from indexer.milvus import MilvusStore
from pipelines.enrol.index import contract_of
from pipelines.search.answers.typical import Typical
from tgfr_search.errors import InputError
from tgfr_search.forensic.calibration import Binding, Calibration, read_calibration
from tgfr_search.forensic.evidence import Declared, evidence, mode_key
from tgfr_search.forensic.pairs import Floats
from tgfr_search.forensic.statement import propositions
from tgfr_search.model.cohort import Cohort, read_cohort
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes
from tgfr_search.pages.sentences import known, note
from tgfr_search.types import QueryResult

FILE, COHORT = "calibration.json", "cohort.safetensors"
"""In the folder of a model: the calibration that comes with it, and the cohort that it was fitted with."""


def binding_of(model: FaceTextModel, detector: str, cohort: Cohort | None = None) -> Binding:
    """What a calibration of a model's scores belongs to: its contract with an index, and its score weights.

    Args:
        model: Whose scores.
        detector: That finds the faces.
        cohort: Of typicality; None where the scores are not corrected.
    """
    contract = contract_of(model, detector)
    told = {"fields": dict(contract.fields), "scoring": model.scoring.as_dict()}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Binding(digest, model.model_id, "" if cohort is None else cohort.sha256)


PICTURE_ALONE = "picture_alone"
"""The note that the words only rank: the ratios are the picture's."""


@dataclass(frozen=True)
class Judge:
    """Says what scores are worth.

    Attributes:
        model: Whose scores.
        binding: Of its scores.
        calibration: In force; None where there is none, and every answer is a reason code.
        declared: What the user says of the probe.
        cohort: That the calibration was fitted with; None where it has none.
        fpir: Of an identification: candidates below the threshold for it are no answer; None leaves the list whole.
    """

    model: FaceTextModel
    binding: Binding
    calibration: Calibration | None
    declared: Declared = Declared()  # noqa: RUF009 - frozen
    cohort: Cohort | None = None
    fpir: float | None = None

    @staticmethod
    def of(
        model: FaceTextModel,
        detector: str,
        path: Path | None = None,
        declared: Declared | None = None,
        cohort: Path | None = None,
    ) -> Judge:
        """With the calibration at `path` and the cohort at `cohort`, or those that come with the model.

        A calibration that was fitted without a cohort is used without one.

        Raises:
            InputError: A file is none of its kind, or of another model or detector; or the calibration is of another
                cohort.
        """
        found, said = None, declared or Declared()
        if path is not None:
            found = read_calibration(path)
        elif (shipped := model.folder / FILE).is_file():
            found = _shipped(shipped, shipped.stat().st_mtime_ns)
        own = None
        if cohort is not None or (found is not None and found.binding.cohort_sha256):
            own = cohort_of(model, detector, cohort)
        binding = binding_of(model, detector, own)
        if found is not None and (path is not None or cohort is not None):
            found.require(binding, f"{path or model.folder / FILE}")
        return Judge(model, binding, found, said, own)

    @cached_property
    def typical(self) -> Typical | None:
        """Scores the head of a search again; None where the calibration is not of these scores, or has no cohort."""
        if self.calibration is None or self.cohort is None or self.calibration.binding != self.binding:
            return None
        return Typical.of(self.calibration, self.cohort)

    def results(
        self,
        store: Store | MilvusStore,
        results: Sequence[QueryResult],
        lines: Sequence[Sequence[str]],
        comparison: str = "max",
        made: Probes | None = None,
    ) -> list[QueryResult]:
        """The answers with what each candidate is worth.

        Args:
            store: The index at the generation that was searched.
            results: Of `answers`.
            lines: What was said of each probe.
            comparison: `max` is one picture against a subject's best row; nothing else is calibrated.
            made: The probes, where that is what was compared.
        """
        return [
            self._judged(store, one, own, comparison, None if made is None else made.take(np.array([at])))
            for at, (one, own) in enumerate(zip(results, lines, strict=True))
        ]

    def of_scores(
        self,
        mode: str,
        lines: Sequence[str],
        scores: Floats,
        image_scores: Floats,
        quality: float | None,
        searched: int,
    ) -> tuple[list[dict[str, Any]], list[float | None]]:
        """`lr` and `expected_strangers` of each score; see `tgfr_search.forensic.evidence.evidence`."""
        found = evidence(
            self.calibration,
            self.binding,
            mode=mode,
            lines=len(lines),
            scores=scores,
            image_scores=image_scores,
            quality=quality,
            searched=searched,
            declared=self.declared,
            familiar=self.familiar(mode, lines),
        )
        return [each.lr() for each in found], [each.expected_strangers for each in found]

    def reads_words(self, mode: str, lines: int) -> bool:
        """Whether a search needs the picture's scores beside its own."""
        return mode != "image" and self.calibration is not None and mode_key(mode, lines) in self.calibration.modes

    def familiar(self, mode: str, lines: Sequence[str]) -> bool:
        """Whether a description beside a picture is put as those that a calibration is fitted on."""
        own = self.model.directions
        return own is None or mode != "fused" or not self.model.states(mode) or not own.unfamiliar(lines)

    def told(self) -> dict[str, Any] | None:
        """What stands beside the numbers."""
        if self.calibration is None:
            return None
        return {
            "sha256": self.calibration.sha256,
            **({"cohort_sha256": self.cohort.sha256} if self.typical is not None and self.cohort else {}),
            "population": self.calibration.population.name,
            "people": self.calibration.population.people,
            "sampling": self.calibration.population.sampling,
            "propositions": list(propositions(self.calibration.population)),
        }

    def image_scores(self, made: Probes, rows: Floats) -> Floats:
        """Scores of the picture of one probe alone, [N]."""
        probe = made.alone()
        scores = np.asarray(rows @ probe.queries[0].astype(np.float64) + probe.offsets[0])
        return scores if self.typical is None else scores + self.typical.added(probe, 0, rows.astype(np.float32), 0)

    def _judged(
        self,
        store: Store | MilvusStore,
        result: QueryResult,
        lines: Sequence[str],
        comparison: str,
        made: Probes | None,
    ) -> QueryResult:
        mode = result.mode if comparison == "max" else comparison
        scores = np.array([hit.score for hit in result.candidates], np.float64)
        alone = scores
        if self.reads_words(mode, len(lines)) and made is not None and result.face is not None and len(scores):
            vectors = store.vectors([hit.row_id for hit in result.candidates])
            alone = self.image_scores(made, vectors.astype(np.float64))
        quality = (result.probe["quality"] or {}).get("predicted")
        searched = store.searched(result.where)
        found, strangers = self.of_scores(mode, lines, scores, alone, quality, searched)
        hits = tuple(
            replace(hit, lr=lr, expected_strangers=expected)
            for hit, lr, expected in zip(result.candidates, found, strangers, strict=True)
        )
        worth = replace(result, candidates=hits, calibration=self.told(), searched=searched)
        if self.reads_words(mode, len(lines)) and not self.familiar(mode, lines):
            worth = replace(worth, notes=(*worth.notes, note(PICTURE_ALONE)))
        if self.fpir is None:
            return worth
        key = mode_key(mode, len(lines)) if self.familiar(mode, lines) else "words put in another way"
        return self._identified(worth, key, searched)

    def _identified(self, result: QueryResult, mode: str, searched: int) -> QueryResult:
        """The answer of an identification: who reaches the threshold, perhaps nobody.

        Raises:
            InputError: The calibration is not of these scores or has not this mode, or shows no such rate.
        """
        own = None if self.calibration is None else self.calibration.modes.get(mode)
        if own is None or self.calibration is None or self.calibration.binding != self.binding or self.fpir is None:
            raise InputError(
                "--mode-of-search identification", found=f"no threshold for {mode}",
                expected="a calibration of this model and mode", do="take investigation, a list of fixed length",
            )  # fmt: skip
        told = own.strangers.threshold(self.fpir, max(searched, 1))
        kept = tuple(hit for hit in result.candidates if hit.score >= told.score)
        notes = [note("identification", score=f"{told.score:.3f}", fpir=f"{told.fpir:g}", count=f"{searched:,}")]
        notes += [known(told.warning)] if told.warning else []
        notes += [] if kept else [note("nobody")]
        limit = {"score": told.score, "fpir": told.fpir, "warning": told.warning}
        return replace(result, candidates=kept, notes=(*result.notes, *notes), threshold=limit)


def cohort_of(model: FaceTextModel, detector: str, path: Path | None = None) -> Cohort | None:
    """The cohort at `path`, or the one that comes with the model, if one does.

    Raises:
        InputError: It is none, or of another model or detector.
    """
    contract = binding_of(model, detector).contract_sha256
    if path is not None:
        return read_cohort(path, model, contract)
    shipped = model.folder / COHORT
    return read_cohort(shipped, model, contract) if shipped.is_file() else None


@lru_cache(maxsize=4)
def _shipped(path: Path, changed: int) -> Calibration:
    """A model's own calibration; a changed file is read again."""
    return read_calibration(path)
