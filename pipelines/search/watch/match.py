"""Matching what a run of `index` commits with the probes that are kept; a score is the one that `query` gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer import Store, watches
from indexer.watch_file import Hit, Watch
from pipelines.enrol.index import contract_of, detector_of, opened
from pipelines.search.evidence import binding_of, cohort_of
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.journal import Journal, index_of
from tgfr_search.errors import InputError
from tgfr_search.forensic.correction import Correction
from tgfr_search.model.cohort import Cohort
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes
from tgfr_search.model.statements import Stated
from tgfr_search.types import FloatArray


@dataclass
class Watching:
    """Matches what a run of `index` commits: to be handed to `index_gallery` as `committed`.

    Attributes:
        model: That encodes the rows.
        journal: Where hits are told before they are written; None is nowhere.
        found: Name of a watch → its new hits and the rows that were matched.
        problems: Of watches that were added since the run began and do not fit it: their rows wait.
    """

    model: FaceTextModel
    journal: Journal | None = None
    found: dict[str, tuple[int, int]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    _cohorts: dict[Path | None, Cohort | None] = field(default_factory=dict)

    @staticmethod
    def of(index: Path, model: FaceTextModel, journal: Journal | None = None) -> Watching:
        """For the watches of an index, which need not be there yet.

        Raises:
            InputError: A watch is of another model, space or cohort: its new rows would be passed over.
        """
        own = Watching(model, journal)
        for watch in watches.read_watches(index):
            own.scorer(watch, detector_of(opened(index)))
        return own

    def __call__(self, store: Store) -> None:
        """Matches the rows that are new to each watch."""
        scorers: dict[str, watches.Scorer] = {}
        before: dict[str, tuple[int, int]] = {}
        for watch in watches.read_watches(store.path):
            before[watch.name] = len(watch.hits), watch.rows
            try:
                scorers[watch.name] = self.scorer(watch, detector_of(store))
            except InputError as error:
                self.problems[watch.name] = str(error)
        if not scorers:
            return
        newest = store.pinned()
        newest.refresh()  # a store that is being written moves when its writer has ended
        for watch in watches.match(newest, scorers, partial(self._tell, newest)):
            hits, rows = before[watch.name]
            new, matched = self.found.get(watch.name, (0, 0))
            self.found[watch.name] = new + len(watch.hits) - hits, matched + watch.rows - rows

    def scorer(self, watch: Watch, detector: str) -> watches.Scorer:
        """What scores rows, whose faces `detector` found, as the watch's search did.

        Raises:
            InputError: The model, its score weights, the space or the cohort is another.
        """
        told, contract = watch.told, contract_of(self.model, detector)
        do = f"index with the model of the watch, or forget it: tgfr-search watch remove {watch.name}"
        if watch.space != contract.space_id:
            found = f"one of model {told['model_id']}, space {watch.space}"
            raise InputError(
                f"watch {watch.name}", found=found, expected=f"model {self.model.model_id}, space {contract.space_id}",
                do=do,
            )  # fmt: skip
        if told["contract_sha256"] != binding_of(self.model, detector).contract_sha256:
            raise InputError(
                f"watch {watch.name}", found="other score weights, or another detector",
                expected=f"those of model {self.model.model_id} today", do=do,
            )  # fmt: skip
        correction, cohort = None, None
        if told["correction"] is not None:
            correction = Correction(*(tuple(told["correction"][name]) for name in ("low", "high")))
            path = told["files"].get("cohort")
            cohort = self._cohort(None if path is None else Path(path), detector)
            if cohort is None or cohort.sha256 != told["cohort_sha256"]:
                raise InputError(
                    f"watch {watch.name}: cohort", found="none" if cohort is None else cohort.sha256[:12],
                    expected=told["cohort_sha256"][:12], do=do,
                )  # fmt: skip
        return partial(_scores, _probe(watch, self.model), cohort, correction)

    def as_list(self) -> list[dict[str, Any]]:
        """What was matched, as plain JSON values."""
        found = [{"watch": name, "hits": hits, "rows": rows} for name, (hits, rows) in self.found.items()]
        return found + [{"watch": name, "problem": text} for name, text in self.problems.items()]

    def _cohort(self, path: Path | None, detector: str) -> Cohort | None:
        if path not in self._cohorts:
            self._cohorts[path] = cohort_of(self.model, detector, path)
        return self._cohorts[path]

    def _tell(self, store: Store, watch: Watch, hits: list[Hit]) -> None:
        if self.journal is not None:
            rows = tuple({"row": hit.row_id} for hit in hits)
            details = {"watch": watch.name, "threshold": watch.threshold}
            self.journal.record(Entry(Act.WATCH_HIT, index=index_of(store), candidates=rows, details=details))


def _probe(watch: Watch, model: FaceTextModel) -> Probes:
    told = watch.told
    queries = watch.query[None]
    quality, offsets = np.array([told["quality"]], np.float32), np.array([told["offset"]])
    none = Stated.nothing(*queries.shape)
    return Probes((told["mode"],), quality, queries, offsets, model.scoring, none, np.empty((1, 0)))


def _scores(
    probe: Probes, cohort: Cohort | None, correction: Correction | None, rows: FloatArray
) -> npt.NDArray[np.float64]:
    """Scores of rows float32 [n, D], as a search has them."""
    out = rows.astype(np.float64) @ probe.queries[0].astype(np.float64) + probe.offsets[0]
    if cohort is None or correction is None or not len(rows):
        return np.asarray(out)
    standing = cohort.standing(probe, rows, probe.modes[0])
    return np.asarray(out + standing.added(correction, probe.quality.astype(np.float64))[0])
