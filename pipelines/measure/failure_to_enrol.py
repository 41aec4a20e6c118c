"""Failure to enrol: how many photos give no face once the whole photo is degraded (docs/protocol.md 6)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.faces.aligned import Progress, source_sha256
from pipelines.faces.find import find_faces
from pipelines.measure.data import BenchOptions
from tgfr_search.data.degrade import LADDER, degrade_photo
from tgfr_search.data.records import read_records
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.schemes import EYES_OVER_CORNERS, corner_eyes_px
from tgfr_search.files import cache_key, replace_text
from tgfr_search.types import AlignedFace, Record

Outcome = list[tuple[str, bool]]
"""(subject, failed) of every photo."""


@dataclass(frozen=True, slots=True)
class DegradingFinder(FaceFinder):
    """Finds the face, degrades the whole photo so that its chip has the level's size, and finds it again.

    Attributes:
        level: Of the quality ladder.
        seed: Of the noise.
        eyes_over_corners: What the size of a face is measured by, part of what is cached.
    """

    level: str = "normal"
    seed: int = 0
    eyes_over_corners: float = field(default=EYES_OVER_CORNERS, init=False)

    def find(self, source: Record | str | Path | bytes) -> AlignedFace:
        """The face of the degraded photo; a photo whose face is not found undegraded fails here already."""
        photo, choice = self.load(source), self.meant(source)
        face = self.cut(photo, choice)
        if self.level == "normal":
            return face
        eyes = corner_eyes_px(face.quality.inter_eye_px, face.scheme)
        worse = degrade_photo(photo.pixels, eyes, self.level, key=photo.sha256, seed=self.seed)
        return self.cut(replace(photo, pixels=worse, there=None), choice)


def failures_to_enrol(
    options: BenchOptions, level: str, finder: FaceFinder, cache: Path, workers: int | None, progress: Progress
) -> Outcome | None:
    """What became of every photo of a data set at one level, kept in `cache` once measured; None of ready crops.

    Args:
        options: Of the benchmark.
        level: Of the quality ladder.
        finder: How photos become faces.
        cache: Folder of what was measured.
        workers: Processes that find faces.
        progress: Called as the work goes on.
    """
    if finder.options.aligned:
        return None
    source, split, seed = options.probes, options.split, options.seed
    worse = DegradingFinder(finder.options, level, seed)
    key = cache_key(data=source_sha256(source), split=split, level=LADDER[level], finder=worse)
    path = cache / f"fte-{key}.json"
    if not path.is_file():
        records = read_records(source, captions=options.captions_file, split=split, on_problem=lambda problem: None)
        outcome = []
        for record, face in find_faces(records, worse, workers):
            outcome.append([str(record.subject_id), not isinstance(face, AlignedFace)])
            if len(outcome) % 100 == 0:
                progress(f"failure to enrol, {level}", len(outcome), records.estimate)
        replace_text(path, json.dumps(outcome))
    return [(subject, failed) for subject, failed in json.loads(path.read_text())]
