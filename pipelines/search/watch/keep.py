"""Keeping a probe, and forgetting it.

What is kept is the probe's template, folded into one query as a search has it, and commitments to the photo and to the
words; neither the photo nor the words themselves.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Store, watches
from indexer.watch_file import Watch
from pipelines.search.evidence import Judge
from pipelines.search.gallery import Gallery
from pipelines.search.probes.probe import Caption, Image, load_probe, require_english, said_lines
from tgfr_search.audit.entries import Act, Entry, commitment
from tgfr_search.audit.journal import Journal, change, index_of
from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.forensic.evidence import evidence, mode_key
from tgfr_search.model.probe import make_probes_of_faces

OTHER_WORDS = "words_put_in_another_way"
"""Why nothing is expected of a description that no calibration has seen; the other codes are `forensic.refusals`'."""


@dataclass(frozen=True)
class Limit:
    """From which score on a row is a hit: a score, or a rate of false alarms.

    Attributes:
        threshold: The score; None where a rate is asked for.
        fpir: Of days of `rows_a_day` new strangers, the share on which one of them is a hit.
        rows_a_day: Rows that the gallery is expected to grow by; None is not known, and a rate is then that of the
            galleries that the calibration was made with.
    """

    threshold: float | None = None
    fpir: float | None = None
    rows_a_day: int | None = None

    def __post_init__(self) -> None:
        if (self.threshold is None) == (self.fpir is None):
            found = "neither" if self.fpir is None else "both"
            raise InputError("--threshold, --fpir", found=found, expected="one of both")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise InputError("--threshold", found=f"{self.threshold:g}", expected="a finite score")
        if self.rows_a_day is not None and self.rows_a_day < 1:
            raise InputError("--rows-a-day", found=f"{self.rows_a_day}", expected="1 or more")


def add_watch(
    gallery: Gallery,
    image: Image,
    caption: Caption = (),
    *,
    limit: Limit,
    face: FaceChoice | None = None,
    files: Mapping[str, Path | None] | None = None,
) -> tuple[Watch, str]:
    """Keeps a probe, to be matched with what is enrolled from now on; rows that are there are what `query` is for.

    Args:
        gallery: The index on disk, with the model and the calibration that scores and rates are of.
        image: The probe photo.
        caption: What a witness said.
        limit: From which score on a row is a hit.
        face: Which face of the photo is meant; None is the largest.
        files: `calibration` and `cohort`, where they are others than the model's own: `index` reads the cohort again.

    Returns:
        The watch, and what a reader must know of its threshold; empty where nothing.

    Raises:
        FaceError: The photo gives no usable face.
        InputError: The description is in another language; no calibration has the rate that is asked for.
    """
    store = gallery.store
    if not isinstance(store, Store):
        raise InputError("watch", found="another store than an index on disk", expected="an index directory")
    lines = said_lines(caption)
    if lines:
        require_english(lines)
    mode = "fused" if lines else "image"
    cut = gallery.finder.cut(load_probe(gallery.finder, image), face)
    made = make_probes_of_faces(gallery.model, [cut.pixels], [lines], [mode])
    judge, quality = gallery.judge, round(float(made.quality[0]), 4)
    threshold, warning = _threshold(judge, limit, mode, lines)
    key = secrets.token_bytes(32)
    told: dict[str, Any] = {
        "model_id": gallery.model.model_id,
        "contract_sha256": judge.binding.contract_sha256,
        "mode": mode,
        "lines": len(lines),
        "quality": float(made.quality[0]),
        "offset": float(made.offsets[0]),
        **_judged_by(judge, mode, lines),
        "files": {name: str(path.absolute()) for name, path in (files or {}).items() if path is not None},
        "fpir": limit.fpir,
        "rows_a_day": limit.rows_a_day,
        **_expected(judge, threshold, mode, lines, quality),
        "key": key.hex(),
        "probe_hmac": commitment(key, cut.source_sha256),
        "words_hmac": [commitment(key, line) for line in lines],
    }
    if gallery.journal is not None:
        _tell(gallery.journal, store, cut.source_sha256, lines, {"phase": "begun", "threshold": threshold})
    watch = watches.add(store, made.queries[0], threshold, told)
    if gallery.journal is not None:
        _tell(gallery.journal, store, cut.source_sha256, lines, {"phase": "done", "watch": watch.name})
    return watch, warning


def remove_watch(index: Path, name: str, journal: Journal | None = None) -> Watch:
    """Forgets a watch: template, commitments and hits leave the disk.

    Raises:
        IndexerError: There is none of that name, or no index.
    """
    store = Store.open(index)
    with change(journal, Act.WATCH, index_of(store)) as told:
        watch = watches.remove(index, name)
        told |= {"removed": name, "hits": len(watch.hits)}
    return watch


def _threshold(judge: Judge, limit: Limit, mode: str, lines: tuple[str, ...]) -> tuple[float, str]:
    if limit.threshold is not None:
        return limit.threshold, ""
    key = mode_key(mode, len(lines)) if judge.familiar(mode, lines) else "words put in another way"
    fits = judge.calibration is not None and judge.calibration.binding == judge.binding
    own = judge.calibration.modes.get(key) if fits and judge.calibration is not None else None
    if own is None or limit.fpir is None:
        raise InputError(
            "--fpir", found=f"no threshold for {key}", expected="a calibration of this model and mode",
            do="give --calibration FILE, or a score with --threshold",
        )  # fmt: skip
    told = own.strangers.threshold(limit.fpir, limit.rows_a_day)
    return told.score, told.warning


def _judged_by(judge: Judge, mode: str, lines: tuple[str, ...]) -> dict[str, Any]:
    """What corrects and rates the scores."""
    correction = None if judge.typical is None else judge.typical.correction(mode, len(lines))
    return {
        "correction": None if correction is None else asdict(correction),
        "cohort_sha256": "" if correction is None or judge.cohort is None else judge.cohort.sha256,
        "calibration_sha256": "" if judge.calibration is None else judge.calibration.sha256,
    }


def _expected(judge: Judge, threshold: float, mode: str, lines: tuple[str, ...], quality: float) -> dict[str, Any]:
    """How often a stranger's row reaches the threshold of a probe of this quality, or why nobody can say."""
    if not judge.familiar(mode, lines):
        return {"false_a_row": None, "extrapolated": False, "refused": OTHER_WORDS}
    score = np.array([threshold])
    (one,) = evidence(
        judge.calibration, judge.binding, mode=mode, lines=len(lines), scores=score, image_scores=score,
        quality=quality, searched=1,
    )  # fmt: skip
    return {"false_a_row": one.expected_strangers, "extrapolated": one.extrapolated, "refused": one.refused}


def _tell(journal: Journal, store: Store, sha256: str, lines: tuple[str, ...], details: Mapping[str, Any]) -> None:
    journal.record(
        Entry(
            Act.WATCH,
            index=index_of(store),
            probe_hmac=journal.commitment(sha256),
            words_hmac=tuple(journal.commitment(line) for line in lines),
            details=details,
        )
    )
