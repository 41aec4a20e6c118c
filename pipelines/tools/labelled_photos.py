"""The photos of a labelled data set that have a face, with its points: found once, decoded when they are asked for."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.train.step0.photos import FacePhotos
from tgfr_search.data.records import read_records
from tgfr_search.errors import FaceError, InputError, NothingUsableError
from tgfr_search.faces.align import ARCFACE_CHIP
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.faces.schemes import EYES_NOSE_MOUTH, eye_centres, in_scheme
from tgfr_search.files import cache_key, replace_text
from tgfr_search.types import ByteArray, Record

FINDER = FaceFinder(FaceOptions(alignment=ARCFACE_CHIP, detector="retinaface"))
KEPT_BYTES = 512 << 20
"""Of decoded photos."""
SAVE_ROWS = 500
"""Photos after which what was found so far is written."""


class PhotoCache:
    """Decoded photos by their rows, the latest kept as long as they fit.

    Args:
        records: Of photos that have a face.
        sha256: What each was when its face was found.
        limit: Bytes of pixels that are kept; one photo is kept whatever its size.
    """

    def __init__(self, records: Sequence[Record], sha256: Sequence[str], limit: int = KEPT_BYTES) -> None:
        self.records, self.sha256, self.limit = records, sha256, limit
        self.kept: OrderedDict[int, ByteArray] = OrderedDict()
        self.bytes = 0

    def __getitem__(self, row: int, /) -> ByteArray:
        """uint8 [H, W, 3], RGB.

        Raises:
            InputError: The photo is no longer what it was.
        """
        if row in self.kept:
            self.kept.move_to_end(row)
            return self.kept[row]
        pixels = self._read(row)
        self.kept[row] = pixels
        self.bytes += pixels.nbytes
        while self.bytes > self.limit and len(self.kept) > 1:
            self.bytes -= self.kept.popitem(last=False)[1].nbytes
        return pixels

    def _read(self, row: int) -> ByteArray:
        record = self.records[row]
        try:
            photo = FINDER.load(record)
            found = f"SHA-256 {photo.sha256}"
        except FaceError as error:
            photo, found = None, str(error)
        if photo is None or photo.sha256 != self.sha256[row]:
            raise InputError(
                record.name,
                found=found,
                expected=f"the photo whose face was found, SHA-256 {self.sha256[row]}",
                do="put it back, or begin again with another --out",
            )
        return photo.pixels


def labelled_photos(data: Path, split: str | None, found: Path, left_out: Counter[str]) -> FacePhotos:
    """The labelled photos of a data set that have a face.

    Args:
        data: Data set in any form that `index` takes.
        split: Which split of it; None takes all.
        found: File of what was found, written as it goes; a killed run goes on from it.
        left_out: Reason → rows that are left out; counted here.

    Raises:
        NothingUsableError: No photo has a subject and a face.
    """
    records = list(read_records(data, split=split, on_problem=lambda problem: left_out.update([problem.reason.value])))
    rows = _find(records, found)
    left_out.update(row["reason"] for row in rows if "reason" in row)
    used = [(record, row) for record, row in zip(records, rows, strict=True) if "reason" not in row]
    if not used:
        told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "no photo"
        raise NothingUsableError(f"{data}", found=told, expected="labelled photographs of faces")
    sha256 = [row["sha256"] for _, row in used]
    points = np.array([row["points"] for _, row in used], np.float32)
    return FacePhotos(
        pixels=PhotoCache([record for record, _ in used], sha256),
        points=points,
        eyes=np.stack([eye_centres(five, EYES_NOSE_MOUTH) for five in points]),
        subjects=np.unique([str(record.subject_id) for record, _ in used], return_inverse=True)[1].astype(np.int64),
        sha256=sha256,
        alignment=in_scheme(ARCFACE_CHIP, EYES_NOSE_MOUTH),
    )


def _find(records: Sequence[Record], path: Path) -> list[dict[str, Any]]:
    """`sha256` and `points` (in decoded pixels) of each photo, or the `reason` why it has none."""
    key = cache_key(names=[record.name for record in records], finder=FINDER)
    told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    rows: list[dict[str, Any]] = told["rows"] if told.get("key") == key else []
    for record in records[len(rows) :]:
        rows.append(_found(record))
        if len(rows) % SAVE_ROWS == 0 or len(rows) == len(records):
            replace_text(path, json.dumps({"key": key, "rows": rows}))
    return rows


def _found(record: Record) -> dict[str, Any]:
    try:
        photo = FINDER.load(record)
        face = FINDER.cut(photo)
    except FaceError as error:
        return {"reason": error.reason.value}
    # Landmarks are told in the file's pixels; a large JPEG was reduced while it was decoded.
    points = (face.landmarks + 0.5) / photo.reduced - 0.5
    return {"sha256": photo.sha256, "points": np.round(points, 4).tolist()}
