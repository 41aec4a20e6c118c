"""Photos and captions → a stream of templates; shared by indexing, querying and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.auto_captions import Describer
from pipelines.find import find_faces
from tgfr_search.errors import FaceError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.checkpoint import FaceTextModel
from tgfr_search.types import AlignedFace, FloatArray, Record, Templates

BATCH = 32


@dataclass(frozen=True)
class EmbeddedBatch:
    """Some records: those with a face embedded, those without named.

    Attributes:
        records: The B records that gave a face, in order.
        faces: Their faces.
        templates: Their templates.
        quality: float32 [B], predicted quality.
        truncated: Caption lines that were cut.
        failed: Records that gave none, and why.
    """

    records: Sequence[Record]
    faces: Sequence[AlignedFace]
    templates: Templates | None
    quality: FloatArray
    truncated: int
    failed: Sequence[tuple[Record, FaceError]]


def embed_records(
    records: Iterable[Record],
    model: FaceTextModel,
    finder: FaceFinder,
    workers: int | None = None,
    describer: Describer | None = None,
) -> Iterator[EmbeddedBatch]:
    """Finds, aligns and encodes a stream of records; processes find faces while this one encodes.

    Args:
        records: Any number; only a few batches are held at once.
        model: What encodes.
        finder: How photos become faces.
        workers: Processes that find faces; None is one a core, 0 none.
        describer: Gives words to records without any; None leaves them without.

    Yields:
        Batches of at most `BATCH` records, in order; the last may have no face at all (`templates` None).
    """
    found: list[tuple[Record, AlignedFace]] = []
    failed: list[tuple[Record, FaceError]] = []

    def batch() -> EmbeddedBatch:
        faces = [face for _, face in found]
        owners = [record for record, _ in found]
        if not found:
            return EmbeddedBatch((), (), None, np.empty(0, np.float32), 0, tuple(failed))
        features = model.face_encoder.encode(np.stack([face.pixels for face in faces]))
        if describer is not None:
            owners = describer.fill(owners, faces, features)
        out = model.tgfr.embed(features, [record.captions for record in owners])
        return EmbeddedBatch(owners, faces, out.templates, out.quality, out.truncated, tuple(failed))

    for record, face in find_faces(records, finder, workers):
        if isinstance(face, AlignedFace):
            found.append((record, face))
        else:
            failed.append((record, face))
        if len(found) + len(failed) == BATCH:
            yield batch()
            found, failed = [], []
    if found or failed:
        yield batch()
