"""A gallery under another model: its rows are encoded from the crops that it kept, while the space before answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Row, Store
from indexer.io import need_space
from indexer.spaces import add_space
from pipelines.enrol.embed import BATCH, net_threads
from pipelines.enrol.index import COMMIT_ROWS, COMMIT_SECONDS, Progress, contract_of, detector_of
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import Journal, change, index_of
from tgfr_search.errors import InputError
from tgfr_search.faces.align import ALIGNMENTS
from tgfr_search.faces.margin import chip_of
from tgfr_search.model.checkpoint import FaceTextModel
from tgfr_search.types import FloatArray


@dataclass(frozen=True, slots=True)
class SpaceSummary:
    """What `add` did.

    Attributes:
        index: Directory.
        id: Of the space.
        model: Id of its model.
        encoded: Rows encoded by this run.
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

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def add(
    path: Path,
    model: FaceTextModel,
    *,
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
        progress: Called after every batch with (rows done, rows to do).
        journal: Where the run is told, before it begins and when it has ended; None is nowhere.

    Raises:
        InputError: A row has no crop; nothing is changed then.
        IndexerError: There is no index, it is locked, damaged, or the disk is full.
    """
    started = time.monotonic()
    before = Store.open(path)
    contract = contract_of(model, detector_of(before))
    _need_crops(before)
    need_space(path, 4 * contract.dim * len(before))
    with change(journal, Act.SPACE, index_of(before)) as told:
        store = add_space(before, contract)
        with store.writer() as writer, net_threads(0):
            missing, committed = store.without_vectors(), time.monotonic()
            for start in range(0, len(missing), BATCH):
                part = missing[start : start + BATCH]
                writer.fill(part, encoded(store.rows(part, chips=False, crops=True), model))
                done = start + len(part)
                if done % COMMIT_ROWS == 0 or time.monotonic() - committed > COMMIT_SECONDS:
                    writer.commit()
                    committed = time.monotonic()
                progress(done, len(missing))
            writer.commit()
        told |= {"space": contract.space_id, "rows": len(missing), "generation": store.generation}
    default = store.manifest.default in ("", contract.space_id)
    seconds = round(time.monotonic() - started, 2)
    rows, made = len(store) - len(store.without_vectors()), len(missing)
    return SpaceSummary(str(path), contract.space_id, model.model_id, made, rows, default, store.generation, seconds)


def encoded(rows: Sequence[Row], model: FaceTextModel) -> dict[str, FloatArray]:
    """Blocks of rows by a model, from their crops and captions: name → float32 [N, D_block].

    Args:
        rows: With crops; at most `BATCH` of them.
        model: What encodes.
    """
    alignment, chips = ALIGNMENTS[model.face_encoder.spec.alignment], []
    for row in rows:
        face = row.face
        assert face is not None
        assert face.crop is not None
        chips.append(chip_of(face.crop, np.array(face.crop_points, np.float32), face.scheme, alignment))
    features = model.face_encoder.encode(np.stack(chips))
    return dict(model.tgfr.embed(features, [row.captions for row in rows]).templates.blocks)


def _need_crops(store: Store) -> None:
    """Refuse an index of which a row has no crop, before anything is encoded."""
    without = store.without_crop()
    if len(without):
        names = ", ".join(repr(row.image) for row in store.rows(without[:3], chips=False))
        raise InputError(
            f"space add {store.path}",
            found=f"{len(without):,} of {len(store):,} rows without a crop, {names} among them",
            expected="a crop of every row: they were enrolled before crops were kept, or with --no-crops",
            do="enrol the gallery again into a new index, by any model, without --no-crops",
        )
