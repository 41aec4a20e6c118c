"""Failure to enrol: how many photos give no face once the whole photo is degraded (docs/protocol.md 6)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.faces.aligned import Progress, source_sha256
from pipelines.faces.find import find_faces
from tgfr_search.data.degrade import LADDER, degrade_photo
from tgfr_search.data.records import read_records
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import cache_key, replace_text
from tgfr_search.types import AlignedFace, Record


@dataclass(frozen=True, slots=True)
class DegradingFinder(FaceFinder):
    """Finds the face, degrades the whole photo so that its chip has the level's size, and finds it again.

    Attributes:
        level: Of the quality ladder.
        seed: Of the noise.
    """

    level: str = "normal"
    seed: int = 0

    def find(self, source: Record | str | Path | bytes) -> AlignedFace:
        """The face of the degraded photo; a photo whose face is not found undegraded fails here already."""
        photo = self.load(source)
        face = self.cut(photo)
        if self.level == "normal":
            return face
        worse = degrade_photo(photo.pixels, face.quality.inter_eye_px, self.level, key=photo.sha256, seed=self.seed)
        return self.cut(replace(photo, pixels=worse, there=None))


def failures_to_enrol(
    source: Path,
    captions: Path | None,
    split: str | None,
    level: str,
    seed: int,
    finder: FaceFinder,
    cache: Path,
    workers: int | None,
    progress: Progress,
) -> list[tuple[str, bool]]:
    """(subject, failed) of every photo of a data set at one level; kept in `cache` once measured."""
    data = source_sha256(source)
    path = cache / f"fte-{cache_key(data=data, split=split, level=LADDER[level], seed=seed, finder=finder)}.json"
    if not path.is_file():
        records = read_records(source, captions=captions, split=split, on_problem=lambda problem: None)
        worse = DegradingFinder(finder.options, level, seed)
        outcome = []
        for record, face in find_faces(records, worse, workers):
            outcome.append([str(record.subject_id), not isinstance(face, AlignedFace)])
            if len(outcome) % 100 == 0:
                progress(f"failure to enrol, {level}", len(outcome), records.estimate)
        replace_text(path, json.dumps(outcome))
    return [(subject, failed) for subject, failed in json.loads(path.read_text())]
