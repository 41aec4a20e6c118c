"""What goes into an index and what comes out: frozen types that check themselves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.checks import check_text, check_unit, to_json
from indexer.errors import BadRowError, BadVectorError
from indexer.faces import EnrolledFace

FloatArray = npt.NDArray[np.float32]
IdArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class RowBatch:
    """N rows to add. All sequences have N entries.

    Attributes:
        subject_ids: Whose face each row is.
        images: Row names, the path below the gallery folder or the data set's own name.
        source_keys: Content keys by which an interrupted run knows what is enrolled already.
        image_sha256s: Hex SHA-256 of each photo's bytes.
        captions: What was said of each photo, its lines in order; an empty tuple where nothing was.
        blocks: Name → float32 [N, D_block]; each row of a block a unit vector or, where absent, all zero.
        metadata: Further columns of each row, JSON values.
        quality: What was measured of each face, JSON values.
        chips: The aligned face as an encoded picture, or None.
        caption_sources: Id of the model that wrote a row's captions, or that found nothing to say; None where a person
            wrote them, or nobody. None for all rows.
        faces: Where each face was in its photo, and a crop of it; None where nobody knows. None for all rows.

    Raises:
        BadVectorError: Names block and row of a vector that is not finite, not of unit norm, or of a wrong shape, and
            a row in which every block is absent.
        BadRowError: Names the row and the field that is not what it should be.
    """

    subject_ids: Sequence[str]
    images: Sequence[str]
    source_keys: Sequence[str]
    image_sha256s: Sequence[str]
    captions: Sequence[Sequence[str]]
    blocks: Mapping[str, FloatArray]
    metadata: Sequence[Mapping[str, Any]]
    quality: Sequence[Mapping[str, Any]]
    chips: Sequence[bytes | None]
    caption_sources: Sequence[str | None] | None = None
    faces: Sequence[EnrolledFace | None] | None = None

    def __post_init__(self) -> None:
        columns = ("images", "source_keys", "image_sha256s", "captions", "metadata", "quality", "chips")
        given = (name for name in ("caption_sources", "faces") if getattr(self, name) is not None)
        for name in (*columns, *given):
            if len(getattr(self, name)) != len(self):
                found = f"{len(getattr(self, name))} entries"
                raise BadRowError(f"{name} of a batch", found=found, expected=f"{len(self)}, as subject_ids")
        for row in range(len(self)):
            self._check_row(row)
        present = np.zeros(len(self), bool)
        for name, block in self.blocks.items():
            if block.shape[:1] != (len(self),):
                raise BadVectorError(f"block {name!r}", found=f"shape {block.shape}", expected=f"[{len(self)}, D]")
            check_unit(name, block, self.images)
            present |= block.any(axis=1)
        if not present.all():
            row = int(np.flatnonzero(~present)[0])
            raise BadVectorError(
                f"row {row} ({self.images[row]})", found="no block with a vector", expected="one at least"
            )

    def __len__(self) -> int:
        return len(self.subject_ids)

    def _check_row(self, row: int) -> None:
        name = f"row {row} ({self.images[row]!r})"
        texts = {"subject_id": self.subject_ids[row], "image": self.images[row], "source_key": self.source_keys[row]}
        for column, text in texts.items():
            check_text(f"{column} of {name}", text)
        sha256 = self.image_sha256s[row]
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise BadRowError(f"image_sha256 of {name}", found=repr(sha256), expected="64 lower-case hex digits")
        if isinstance(self.captions[row], str):
            raise BadRowError(f"captions of {name}", found="one text", expected="a sequence of lines")
        for line in self.captions[row]:
            check_text(f"caption of {name}", line)
        chip = self.chips[row]
        if not (chip is None or isinstance(chip, bytes)):
            raise BadRowError(f"chip of {name}", found=type(chip).__name__, expected="bytes or None")
        if self.caption_sources is not None and self.caption_sources[row] is not None:
            check_text(f"caption_source of {name}", str(self.caption_sources[row]))
        to_json(f"metadata of {name}", self.metadata[row])
        to_json(f"quality of {name}", self.quality[row])


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """A photo that was not enrolled, and why.

    Attributes:
        image: Row name, as it would have been enrolled.
        reason: Stable code, for instance `no_face`.
        detail: What exactly was found, for a person.
        source_key: Content key, so that a second run need not read the photo again.

    Raises:
        BadRowError: A text is empty (`detail` and `source_key` may be) or cannot be stored as UTF-8.
    """

    image: str
    reason: str
    detail: str
    source_key: str

    def __post_init__(self) -> None:
        check_text("image of a quarantine record", self.image)
        check_text(f"reason of the quarantine record of {self.image!r}", self.reason)
        check_text(f"detail of the quarantine record of {self.image!r}", self.detail, may_be_empty=True)
        check_text(f"source_key of the quarantine record of {self.image!r}", self.source_key, may_be_empty=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One enrolled row, without its vectors.

    Attributes:
        row_id: Its id, never reused.
        subject_id: Whose face it is.
        image: Row name.
        source_key: Content key.
        image_sha256: Hex SHA-256 of the photo's bytes.
        captions: The enrolled caption lines.
        metadata: Further columns, JSON values.
        quality: What was measured of the face.
        chip: The aligned face as an encoded picture; None where none was stored or none was asked for.
        caption_source: Id of the model that wrote the captions, or that found nothing to say; None where a person wrote
            them, or nobody.
        face: Where the face was in its photo; None of a row of before format 4.
    """

    row_id: int
    subject_id: str
    image: str
    source_key: str
    image_sha256: str
    captions: tuple[str, ...]
    metadata: Mapping[str, Any]
    quality: Mapping[str, Any]
    chip: bytes | None = field(repr=False)
    caption_source: str | None = None
    face: EnrolledFace | None = None


@dataclass(frozen=True, slots=True)
class SubjectHit:
    """One subject that a search found.

    Attributes:
        subject_id: Whose it is.
        row_id: The subject's best row; of equal ones the smallest id.
        score: The best row's inner product with the query, or the mean over all rows of the subject.
    """

    subject_id: str
    row_id: int
    score: float


_DESCRIBED = re.compile(r"([0-9a-f]{64})\+(.+)", re.DOTALL)


def split_key(key: str) -> tuple[str, str | None]:
    """Content key and caption source of a row of before format 4, whose key ended in `+` and the source."""
    match = _DESCRIBED.fullmatch(key)
    return (key, None) if match is None else (match[1], match[2])


def removed_key(photo: str, subject_id: str) -> str:
    """What the list of removed photos has for a photo of which another subject keeps a row: a digest of both.

    Args:
        photo: Hex SHA-256 of its bytes.
        subject_id: Whose row was deleted.
    """
    return hashlib.sha256(f"{photo}\0{subject_id}".encode("utf-8", "surrogatepass")).hexdigest()
