"""A gallery under another model: its rows are encoded from the crops that it kept, while the space before answers.

Rows that kept no crop are encoded from their photos, where the gallery is given.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Row, Store, Writer
from indexer.io import need_space
from indexer.rows import IdArray
from indexer.spaces import add_space
from pipelines.enrol.embed import BATCH, net_threads
from pipelines.enrol.index import COMMIT_ROWS, COMMIT_SECONDS, Progress, contract_of, detector_of
from pipelines.enrol.near_duplicates import SHOWN
from pipelines.enrol.spaces.photos import Lost, PhotosAgain
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import Journal, change, index_of
from tgfr_search.errors import InputError
from tgfr_search.faces.align import ALIGNMENTS
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.margin import chip_of
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import ByteArray


@dataclass(frozen=True, slots=True)
class SpaceSummary:
    """What `add` did.

    Attributes:
        index: Directory.
        id: Of the space.
        model: Id of its model.
        encoded: Rows encoded by this run.
        from_photos: How many of these from their photos, for want of a crop.
        lost: Reason code → rows that have neither a crop nor, any more, the photo that they were enrolled from. They
            have no vectors in this space, and the next run looks for their photos again.
        lost_rows: The first of them, with what exactly was found.
        rows: Rows that have vectors in the space now.
        default: Whether it is searched where nobody says which.
        generation: Commits behind the index now.
        seconds: Wall time of the run.
    """

    index: str
    id: str
    model: str
    encoded: int
    rows: int
    default: bool
    generation: int
    seconds: float
    from_photos: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    lost_rows: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def add(
    path: Path,
    model: FaceTextModel,
    *,
    photos: Path | None = None,
    subject_level: int | None = None,
    progress: Progress = lambda done, expected: None,
    journal: Journal | None = None,
) -> SpaceSummary:
    """Gives an index the space of another model, or what rows lack in one that it has.

    Faces are cut anew from the crops, so that no photo is read. Rows are committed every few hundred; a kill loses at
    most what was not committed, and the next run goes on there: the same batches, and so the same vectors. Readers
    search the space they were opened with all the while.

    Args:
        path: Index directory.
        model: What encodes.
        photos: The gallery, as `index` takes it, for rows without a crop; None: there are none such.
        subject_level: Of a folder of photos; see `read_records`.
        progress: Called after every batch with (rows done, rows to do).
        journal: Where the run is told, before it begins and when it has ended; None is nowhere.

    Raises:
        InputError: A row has no crop, and no photos are given, or these are not what they should be; nothing is
            changed then.
        IndexerError: There is no index, it is locked, damaged, or the disk is full.
    """
    started = time.monotonic()
    before = Store.open(path)
    contract = contract_of(model, detector_of(before))
    if photos is None:
        _need_crops(before)
    again = None if photos is None else PhotosAgain(photos, _finder(before, model), subject_level)
    need_space(path, 4 * contract.dim * len(before))
    with change(journal, Act.SPACE, index_of(before)) as told:
        store = add_space(before, contract)
        with store.writer() as writer, net_threads(0):
            run = _Run(writer, model, len(store.without_vectors()), progress)
            bare = np.intersect1d(store.without_vectors(), store.without_crop())
            run.fill(_from_crops(store, np.setdiff1d(store.without_vectors(), bare), model))
            from_crops = run.encoded
            if again is not None:
                run.fill(run.found(again.faces(store.rows(bare, chips=False))))
            writer.commit()
        told |= {"space": contract.space_id, "rows": run.encoded, "lost": len(run.lost), "generation": store.generation}
    return SpaceSummary(
        str(path),
        contract.space_id,
        model.model_id,
        run.encoded,
        len(store) - len(store.without_vectors()),
        store.manifest.default in ("", contract.space_id),
        store.generation,
        round(time.monotonic() - started, 2),
        run.encoded - from_crops,
        dict(Counter(each.reason for each in run.lost)),
        [asdict(each) for each in run.lost[:SHOWN]],
    )


class _Run:
    """One run of `add`: faces come in, and every batch of them goes into the index.

    Args:
        writer: Of the space.
        model: What encodes.
        expected: Rows to do.
        progress: Called after every batch.
    """

    def __init__(self, writer: Writer, model: FaceTextModel, expected: int, progress: Progress) -> None:
        self.writer, self.model, self.expected, self.progress = writer, model, expected, progress
        self.lost, self.encoded, self.pending, self.committed = list[Lost](), 0, 0, time.monotonic()

    def fill(self, faces: Iterable[tuple[Row, ByteArray]]) -> None:
        """Encodes rows by their chips, `BATCH` at a time; a template's last bits depend on its batch."""
        stream = iter(faces)
        while batch := list(islice(stream, BATCH)):
            batch.sort(key=lambda each: each[0].row_id)
            rows = [row for row, _ in batch]
            features = self.model.face_encoder.encode(np.stack([chip for _, chip in batch]))
            templates = self.model.tgfr.embed(features, [row.captions for row in rows]).templates
            self.writer.fill(np.array([row.row_id for row in rows], np.int64), dict(templates.blocks))
            self.encoded, self.pending = self.encoded + len(rows), self.pending + len(rows)
            if self.pending >= COMMIT_ROWS or time.monotonic() - self.committed > COMMIT_SECONDS:
                self.writer.commit()
                self.pending, self.committed = 0, time.monotonic()
            self.progress(self.encoded + len(self.lost), self.expected)

    def found(self, faces: Iterable[tuple[Row, ByteArray] | Lost]) -> Iterator[tuple[Row, ByteArray]]:
        """The rows with a face; those without are kept as lost."""
        for each in faces:
            if isinstance(each, Lost):
                self.lost.append(each)
            else:
                yield each


def _from_crops(store: Store, ids: IdArray, model: FaceTextModel) -> Iterator[tuple[Row, ByteArray]]:
    """Rows with the chips that are cut from their crops."""
    alignment = ALIGNMENTS[model.face_encoder.spec.alignment]
    for start in range(0, len(ids), BATCH):
        for row in store.rows(ids[start : start + BATCH], chips=False, crops=True):
            face = row.face
            assert face is not None
            assert face.crop is not None
            yield row, chip_of(face.crop, np.array(face.crop_points, np.float32), face.scheme, alignment)


def _finder(store: Store, model: FaceTextModel) -> FaceFinder:
    """The finder that gives the model's chips of the faces that the index has."""
    return FaceFinder().for_alignment(model.face_encoder.spec.alignment).for_detector(detector_of(store))


def _need_crops(store: Store) -> None:
    """Refuse an index of which a row has no crop, before anything is encoded."""
    without = store.without_crop()
    if len(without):
        names = ", ".join(repr(row.image) for row in store.rows(without[:3], chips=False))
        raise InputError(
            f"space add {store.path}",
            found=f"{len(without):,} of {len(store):,} rows without a crop, {names} among them",
            expected="a crop of every row: they were enrolled before crops were kept, or with --no-crops",
            do="give the gallery too, --photos GALLERY; without its photos, enrol again without --no-crops",
        )
