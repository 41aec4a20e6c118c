"""The faces of rows without a crop, cut once more from the photos of their gallery.

An index does not know where its gallery lies, only what each photo was called and which bytes it had. So a photo is
known by its bytes, whatever it is called now; one that is not there, or has other bytes under its name, gives nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer import Row
from tgfr_search.data.records import read_records
from tgfr_search.data.rows import Problem
from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.align import align
from tgfr_search.faces.decode import read_bytes
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.photo import Photo
from tgfr_search.faces.schemes import in_scheme
from tgfr_search.names import canonical_path
from tgfr_search.types import ByteArray, Record


@dataclass(frozen=True, slots=True)
class Lost:
    """A row whose face could not be cut again.

    Attributes:
        row_id: Its id.
        image: Its name.
        reason: Stable code.
        detail: What exactly was found, for a person.
    """

    row_id: int
    image: str
    reason: str
    detail: str


class PhotosAgain:
    """A gallery in which photos are looked for that were enrolled from it.

    Args:
        gallery: As `index` takes it. Every photo in it is read, and nothing else is done with those of other rows.
        finder: With the chip that the model expects and the detector of the index.
        subject_level: Of a folder; see `read_records`.

    Raises:
        InputError, NothingUsableError: The gallery is not what it should be.
    """

    def __init__(self, gallery: Path, finder: FaceFinder, subject_level: int | None = None) -> None:
        self.gallery, self.finder, self.problems = gallery, finder, list[Problem]()
        self.records = read_records(
            gallery, need_subject=False, subject_level=subject_level, on_problem=self.problems.append
        )

    def faces(self, rows: Sequence[Row]) -> Iterator[tuple[Row, ByteArray] | Lost]:
        """The chip of each row, or why there is none, in the order in which the gallery gives the photos; once.

        The face is where the row says; of a row that does not say, the detector is asked as `index` asks it.

        Args:
            rows: Of the index, in any number.

        Yields:
            (row, uint8 [S, S, 3]), or `Lost`; every row once.
        """
        wanted, unread, seen = dict[str, list[Row]](), dict[str, FaceError](), set[str]()
        for row in rows:
            wanted.setdefault(row.image_sha256, []).append(row)
        for record in self.records if wanted else ():
            try:
                data = record.data if record.data is not None else read_bytes(str(record.path))
            except FaceError as error:
                unread[record.name] = error
                continue
            seen.add(record.name)
            yield from _cut(wanted.pop(hashlib.sha256(data).hexdigest(), []), record, data, self.finder)
        for problem in self.problems:
            unread.setdefault(problem.name, FaceError(problem.reason, problem.detail))
        for row in (row for own in wanted.values() for row in own):
            yield _lost(row, _why(canonical_path(row.image), unread, seen, self.gallery))


def _cut(
    rows: Sequence[Row], record: Record, data: bytes, finder: FaceFinder
) -> Iterator[tuple[Row, ByteArray] | Lost]:
    """The rows of one photo."""
    photo: Photo | None = None
    for row in rows:
        try:
            photo = photo or finder.load(data)
            yield row, _chip(row, record, photo, finder)
        except FaceError as error:
            yield _lost(row, error)


def _chip(row: Row, record: Record, photo: Photo, finder: FaceFinder) -> ByteArray:
    if row.face is None:
        return finder.cut(photo, finder.meant(record)).pixels
    points = photo.in_pixels(np.array(row.face.points, np.float32))
    return align(photo.pixels, points, in_scheme(finder.options.alignment, row.face.scheme))


def _why(name: str, unread: dict[str, FaceError], seen: set[str], gallery: Path) -> FaceError:
    if name in unread:
        return unread[name]
    if name in seen:
        return FaceError(Reason.CHANGED_IMAGE, "the photo of this name has other bytes than the one that was enrolled")
    return FaceError(Reason.MISSING_IMAGE, f"neither its name nor its bytes are in {gallery}")


def _lost(row: Row, error: FaceError) -> Lost:
    return Lost(row.row_id, row.image, error.reason.value, error.detail)
