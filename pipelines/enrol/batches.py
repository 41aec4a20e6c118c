"""Photos → the rows that an index gets, wherever that is done: one interface for one machine and for many."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from PIL import Image

from indexer import EnrolledFace, RowBatch
from pipelines.enrol.auto_captions import Describer, described_by
from pipelines.enrol.embed import EmbeddedBatch, embed_records
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import AlignedFace, ByteArray, FloatArray, Record

CROP_QUALITY = 90


@dataclass(frozen=True)
class EnrolBatch:
    """What some records, in order, add to an index.

    Attributes:
        rows: Of those that gave a face; None where none did.
        failed: (row name, reason code, detail) of the others.
        truncated: Caption lines that were cut.
    """

    rows: RowBatch | None
    failed: tuple[tuple[str, str, str], ...]
    truncated: int


class Engine(Protocol):
    """Where photos become rows."""

    def enrol(
        self,
        records: Iterable[Record],
        model: FaceTextModel,
        finder: FaceFinder,
        keys: Mapping[str, str],
        *,
        crops: bool,
    ) -> Iterator[EnrolBatch]:
        """Finds, aligns and encodes a stream of records.

        Args:
            records: In any number.
            model: What encodes.
            finder: How photos become faces.
            keys: Row name → content key, filled in as `records` is read.
            crops: Keep the aligned face with its row.

        Yields:
            Batches that hold all records, in order.
        """

    def committed(self) -> None:
        """Everything yielded is part of the index now; what was kept to go on after a kill may go."""


@dataclass(frozen=True)
class LocalEngine:
    """This process encodes, others find faces.

    Attributes:
        workers: Processes that find faces; None is one a core, 0 none.
        describer: Gives words to photos that nobody described; None leaves them without.
    """

    workers: int | None = None
    describer: Describer | None = None

    def enrol(
        self,
        records: Iterable[Record],
        model: FaceTextModel,
        finder: FaceFinder,
        keys: Mapping[str, str],
        *,
        crops: bool,
    ) -> Iterator[EnrolBatch]:
        """See `Engine.enrol`."""
        finder, detector = replace(finder, crops=crops), finder_name(finder)
        for batch in embed_records(records, model, finder, self.workers, self.describer):
            yield enrol_batch(batch, keys, crops=crops, describer=self.describer, detector=detector)

    def committed(self) -> None:
        """Nothing was kept."""


def finder_name(finder: FaceFinder) -> str:
    """The detector that a row is told to be found by; empty where none runs."""
    return "" if finder.options.aligned else finder.detector


def enrol_batch(
    batch: EmbeddedBatch,
    keys: Mapping[str, str],
    *,
    crops: bool,
    describer: Describer | None = None,
    detector: str = "",
) -> EnrolBatch:
    """What an embedded batch adds to an index.

    Args:
        batch: From `embed_found`.
        keys: Row name → content key.
        crops: Keep the aligned face with its row.
        describer: What gave words to records without any.
        detector: What found the faces; empty of ready chips.
    """
    failed = tuple((record.name, error.reason.value, error.detail) for record, error in batch.failed)
    if batch.templates is None:
        return EnrolBatch(None, failed, 0)
    records = batch.records
    rows = RowBatch(
        subject_ids=[str(record.subject_id) for record in records],
        images=[record.name for record in records],
        source_keys=[keys[record.name] for record in records],
        image_sha256s=[face.source_sha256 for face in batch.faces],
        captions=[record.captions for record in records],
        blocks=batch.templates.blocks,
        metadata=[record.metadata for record in records],
        quality=[
            {**face.quality.as_dict(), "predicted": round(float(q), 4), "faces": face.faces_found, **number}
            for face, q, number in zip(batch.faces, batch.quality, _numbers(records), strict=True)
        ],
        chips=[encode_crop(face.pixels) if crops else None for face in batch.faces],
        faces=[_enrolled(face, detector) for face in batch.faces],
        caption_sources=[described_by(record, describer) for record in records],
    )
    return EnrolBatch(rows, failed, batch.truncated)


def _numbers(records: Sequence[Record]) -> list[dict[str, int]]:
    """`face`, 1 the largest, of rows of photos that have several in this batch: they come with the largest last."""
    left, numbers = Counter(record.name for record in records), list[dict[str, int]]()
    several = {name for name, count in left.items() if count > 1}
    for record in records:
        numbers.append({"face": left[record.name]} if record.name in several else {})
        left[record.name] -= 1
    return numbers


def _enrolled(face: AlignedFace, detector: str) -> EnrolledFace:
    """Where a face was in its photo, as its row keeps it."""

    def pairs(points: FloatArray) -> tuple[tuple[float, float], ...]:
        return tuple((float(x), float(y)) for x, y in points)

    found_by = "" if face.quality.by_hand else detector
    crop, places = (None, None) if face.crop is None else (face.crop.picture, pairs(face.crop.points))
    return EnrolledFace(face.box, pairs(face.landmarks), face.scheme, found_by, places, crop)


def encode_crop(chip: ByteArray) -> bytes:
    """An aligned face as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(chip).save(buffer, "JPEG", quality=CROP_QUALITY)
    return buffer.getvalue()
