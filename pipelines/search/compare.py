"""One picture against one: the commonest question of an examiner, answered as a search of a single record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.search.evidence import PICTURE_ALONE, Judge
from pipelines.search.probes.probe import Caption, Image, probe_face, require_english, said_lines
from tgfr_search.audit.entries import Act, Entry, canonical
from tgfr_search.audit.journal import Journal
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.evidence import Declared
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import make_probes_of_faces, rows_of, score
from tgfr_search.pages.sentences import note
from tgfr_search.terms import LEAD_NOTICE
from tgfr_search.types import AlignedFace, Note


@dataclass(frozen=True)
class Comparison:
    """What two pictures say.

    Attributes:
        probe: Of the questioned picture: `sha256`, `quality` (predicted), `inter_eye_px`.
        record: Of the picture it is compared with, likewise.
        mode: `image`, or `fused` where something was said.
        score: It orders comparisons and is not a probability.
        lr: As a candidate's in `QueryResult`.
        calibration: As in `QueryResult`.
        model_id: What encoded both.
        notes: What a reader would want to know.
        notice: What the numbers mean.
    """

    probe: dict[str, Any]
    record: dict[str, Any]
    mode: str
    score: float
    lr: dict[str, Any]
    calibration: dict[str, Any] | None
    model_id: str
    notes: tuple[Note, ...] = ()
    notice: str = LEAD_NOTICE

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def compare(
    model: FaceTextModel, finder: FaceFinder, judge: Judge, probe: Image, record: Image, caption: Caption = ()
) -> Comparison:
    """Compares two pictures; the description speaks of the person in the first.

    The pictures play different parts: the first is the trace, whose quality decides how its parts are weighed, the
    second is the reference, as a gallery has it. Give the better picture second.

    Args:
        model: What encodes.
        finder: How photos become faces.
        judge: Says what the score is worth.
        probe: The questioned picture.
        record: The picture of a known person.
        caption: What a witness said of the person in the first.

    Raises:
        FaceError: A picture gives no usable face.
        InputError: The description is in another language.
    """
    lines = said_lines(caption)
    if lines:
        require_english(lines)
    mode = "fused" if lines else "image"
    first, second = probe_face(finder, probe), probe_face(finder, record)
    made = make_probes_of_faces(model, [first.pixels], [lines], [mode])
    other = model.embed(np.stack([second.pixels]), [()])
    row = rows_of(other.templates, model.tgfr.layout)
    value = score(made, row)[0]
    if judge.typical is not None:
        value = value + judge.typical.added(made, 0, row, len(lines))
    alone = judge.image_scores(made, row.astype(np.float64)) if judge.reads_words(mode, len(lines)) else value
    (lr,), _ = judge.of_scores(mode, lines, value, alone, round(float(made.quality[0]), 4), 1)
    return Comparison(
        _seen(first, float(made.quality[0])),
        _seen(second, float(other.quality[0])),
        mode,
        float(value[0]),
        lr,
        judge.told(),
        model.model_id,
        () if judge.familiar(mode, lines) else (note(PICTURE_ALONE),),
    )


def compared_entry(
    journal: Journal, told: Comparison, *, started: str, lines: Sequence[str], declared: Declared
) -> Entry:
    """What a comparison is in the log: commitments to both pictures, what was said and the answer, and the ratio.

    Args:
        journal: Makes the commitments.
        told: The answer.
        started: When it began, as `entries.now` writes it.
        lines: What was said.
        declared: Of the probe.
    """
    calibration, lr = told.calibration or {}, told.lr
    worth = {"refused": str(lr["refused"])} if lr["log10"] is None else {"lr": lr["log10"], "bounded": lr["bounded"]}
    return Entry(
        Act.COMPARE,
        started=started,
        probe_hmac=journal.commitment(str(told.probe["sha256"])),
        words_hmac=tuple(journal.commitment(line) for line in lines),
        words_origin=str(declared.origin) if lines else "",
        contract={"model_id": told.model_id},
        calibration=str(calibration.get("sha256", "")),
        cohort=str(calibration.get("cohort_sha256", "")),
        result_hmac=journal.commitment(canonical(told.as_dict())),
        details={"record_hmac": journal.commitment(str(told.record["sha256"])), "mode": told.mode, **worth},
    )


def _seen(face: AlignedFace, quality: float) -> dict[str, Any]:
    inter_eye = face.quality.inter_eye_px
    return {"sha256": face.source_sha256, "quality": round(quality, 4), "inter_eye_px": inter_eye}
