"""Photos and captions → a stream of templates; shared by indexing, querying and evaluation."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from pipelines.enrol.auto_captions import Describer
from pipelines.faces.find import Found, find_faces, worker_count
from tgfr_search.encoders.base import FaceEncoder, FaceFeatures
from tgfr_search.errors import FaceError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import AlignedFace, FloatArray, Record, Templates

BATCH = 32
"""Records of a batch."""

AT_A_TIME = 32
"""Faces that are encoded together: of a batch whose photos give several, in more than one go."""


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
        Batches of `BATCH` records at most, in order; one may have no face at all (`templates` None), or more faces than
        records where photos give several.
    """
    with net_threads(workers):
        yield from embed_found(find_faces(records, finder, workers), model, describer)


@contextmanager
def net_threads(workers: int | None) -> Iterator[None]:
    """One thread for the net beside few processes that find faces, a third as many beside many.

    Finding a face costs about twice what encoding it does; more threads than cores slow both down. Few threads are also
    the same number on every small machine, and the last bits of a template depend on it.

    Args:
        workers: As `embed_records`.
    """
    former = torch.get_num_threads()
    _in_this_thread(max(1, worker_count(workers) // 3), former)
    try:
        yield
    finally:
        torch.set_num_threads(former)


def _in_this_thread(count: int, others: int) -> None:
    """Changes how many threads torch uses for what this thread computes.

    The call says it for this thread and for all that have not computed yet; from another thread, which then ends, it
    gives these back what they had: whoever queries meanwhile is not slowed down.
    """
    torch.set_num_threads(count)
    helper = threading.Thread(target=torch.set_num_threads, args=(others,))
    helper.start()
    helper.join()


def embed_found(
    stream: Iterable[Found], model: FaceTextModel, describer: Describer | None = None
) -> Iterator[EmbeddedBatch]:
    """The encoding half of `embed_records`; a template's last bits depend on the batch it was encoded in.

    Args:
        stream: Records with their face, or the reason why there is none.
        model: What encodes.
        describer: As `embed_records`.

    Yields:
        As `embed_records`.
    """
    found: list[tuple[Record, AlignedFace]] = []
    failed: list[tuple[Record, FaceError]] = []

    def batch() -> EmbeddedBatch:
        faces = [face for _, face in found]
        owners = [record for record, _ in found]
        if not found:
            return EmbeddedBatch((), (), None, np.empty(0, np.float32), 0, tuple(failed))
        features = _encoded(faces, model.face_encoder)
        if describer is not None:
            owners = describer.fill(owners, faces, features)
        out = model.tgfr.embed(features, [record.captions for record in owners])
        return EmbeddedBatch(owners, faces, out.templates, out.quality, out.truncated, tuple(failed))

    last, count = None, 0
    for record, face in stream:
        if record.name != last:  # the faces of one photo stay together
            if count == BATCH:
                yield batch()
                found, failed, count = [], [], 0
            last, count = record.name, count + 1
        if isinstance(face, AlignedFace):
            found.append((record, face))
        else:
            failed.append((record, face))
    if found or failed:
        yield batch()


def _encoded(faces: Sequence[AlignedFace], encoder: FaceEncoder) -> FaceFeatures:
    """Some faces at a time: photos of crowds must not need the memory of a crowd."""
    pixels = [face.pixels for face in faces]
    parts = [encoder.encode(np.stack(pixels[at : at + AT_A_TIME])) for at in range(0, len(faces), AT_A_TIME)]
    return FaceFeatures(*(torch.cat([getattr(part, name) for part in parts]) for name in FaceFeatures._fields))
