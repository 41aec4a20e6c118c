"""The values that flow between the floors: frozen, shape-checked, NumPy only.

photo → `AlignedFace` → (encoders, model) → `Templates` → index rows → `SearchHit` → report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NewType

import numpy as np
import numpy.typing as npt

from tgfr_search.terms import LEAD_NOTICE as LEAD_NOTICE
from tgfr_search.terms import QUERY_MODES as QUERY_MODES
from tgfr_search.terms import QueryMode as QueryMode

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]

Note = NewType("Note", str)
"""A sentence of an answer, which the catalogue of pages has in every language: `tgfr_search.pages.sentences.note`."""

UNIT_TOLERANCE = 1e-4
"""How far from 1 the norm of a block may be. Blocks are normalised once, by the model; nobody rescales later."""


def _need(ok: bool, name: str, found: object, expected: str) -> None:
    if not ok:
        raise ValueError(f"{name}: found {found}, expected {expected}")


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """What was measured of one face, stored with its row.

    Attributes:
        inter_eye_px: Distance between the eye centres, in pixels of the photo as it was decoded (a JPEG may be reduced
            for its size).
        sharpness: Variance of the Laplacian of the chip's luma (0–255 scale); higher is sharper.
        exposure: Mean luma of the chip, 0 (black) to 1 (white).
        yaw: Degrees, positive when the nose points to the image's right; a coarse estimate from 5 points.
            None where no landmarks were measured (`--aligned`).
        pitch: Degrees, positive when the nose points down; coarse, None as above.
        roll: Degrees, positive when the head is turned clockwise in the image; None as above.
        detector_score: The detector's confidence, on its own scale (dlib about 0 to 3, RetinaFace 0 to 1); None where
            none ran.
        truncated: Whether the photo's file was cut off; the face itself lies in what is there.
        by_hand: Whether somebody set the points, and no detector.
    """

    inter_eye_px: float
    sharpness: float
    exposure: float
    yaw: float | None
    pitch: float | None
    roll: float | None
    detector_score: float | None
    truncated: bool = False
    by_hand: bool = False

    def as_dict(self) -> dict[str, float | bool | None]:
        """The record as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face that a photo shows, in pixels of the photo.

    Attributes:
        box: (x, y, width, height); it may reach past the photo's edge.
        points: Five (x, y).
        score: The detector's, on its own scale; None where the points were set by hand.
        chosen: Whether it is the one that is used.
    """

    box: tuple[int, int, int, int]
    points: tuple[tuple[float, float], ...]
    score: float | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """A face with room around it, as it lies in its photo: see `faces.margin`.

    Attributes:
        picture: JPEG.
        points: float32 [5, 2], where the face's points lie in it.
    """

    picture: bytes
    points: FloatArray


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """A face cut from a photo and turned upright by a similarity transform.

    Attributes:
        pixels: uint8 [H, W, 3], RGB.
        landmarks: float32 [5, 2], x and y in the source photo in pixels.
        source_sha256: Hex SHA-256 of the photo's bytes.
        quality: What was measured.
        box: (left, top, right, bottom) of the detection in the photo in pixels; None for a ready chip.
        faces_found: How many faces the detector saw in the photo (1 for a ready chip).
        scheme: What the landmarks are: see `faces.schemes`.
        seen: All faces of the photo, in the order of their numbers; empty of a ready chip, or where nobody asked.
        crop: The face with room around it; None where nobody asked.
    """

    pixels: ByteArray
    landmarks: FloatArray
    source_sha256: str
    quality: FaceQuality
    box: tuple[int, int, int, int] | None = None
    faces_found: int = 1
    scheme: str = "eye-corners-nose"
    seen: tuple[SeenFace, ...] = ()
    crop: FaceCrop | None = None

    def __post_init__(self) -> None:
        ok = self.pixels.dtype == np.uint8 and self.pixels.ndim == 3 and self.pixels.shape[2] == 3
        _need(ok, "AlignedFace.pixels", f"{self.pixels.dtype} {self.pixels.shape}", "uint8 [H, W, 3]")
        _need(self.landmarks.shape == (5, 2), "AlignedFace.landmarks", self.landmarks.shape, "[5, 2]")
        _need(len(self.source_sha256) == 64, "AlignedFace.source_sha256", self.source_sha256, "64 hex digits")


@dataclass(frozen=True, slots=True)
class Templates:
    """N templates: named blocks side by side, each row a unit vector or, where the block is absent, all zero.

    Attributes:
        blocks: Name → float32 [N, D_block]. All blocks have the same N.
    """

    blocks: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        _need(bool(self.blocks), "Templates.blocks", "no block", "at least one named block")
        count = len(next(iter(self.blocks.values())))
        for name, block in self.blocks.items():
            ok = block.dtype == np.float32 and block.ndim == 2 and len(block) == count
            _need(ok, f"Templates.blocks[{name!r}]", f"{block.dtype} {block.shape}", f"float32 [{count}, D]")
            norms = np.linalg.norm(block, axis=1)
            unit = (np.abs(norms - 1.0) <= UNIT_TOLERANCE) | (norms == 0.0)
            if not unit.all():
                row = int(np.flatnonzero(~unit)[0])
                _need(
                    False, f"Templates.blocks[{name!r}] row {row}", f"norm {norms[row]:.6f}", "a unit vector or zeros"
                )

    def __len__(self) -> int:
        return len(next(iter(self.blocks.values())))

    def present(self, name: str) -> npt.NDArray[np.bool_]:
        """Which rows have block `name`: bool [N]."""
        return np.asarray(np.any(self.blocks[name] != 0.0, axis=1))

    def take(self, rows: slice | npt.NDArray[np.int64]) -> Templates:
        """The templates of the given rows, in that order."""
        return Templates({name: block[rows] for name, block in self.blocks.items()})

    @staticmethod
    def concat(parts: list[Templates]) -> Templates:
        """The rows of all parts, one after another; every part must have the same blocks."""
        names = parts[0].blocks.keys()
        return Templates({name: np.concatenate([part.blocks[name] for part in parts]) for name in names})


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a data set, before anything is read: where its bytes are, whose it is, what was said of it.

    Attributes:
        name: Row name, unique in the data set: the path below the gallery folder, or the `file` column.
        subject_id: Whose face it is; None where the data do not say (a probe of unknown identity).
        path: File to read; None where `data` holds the bytes.
        data: The encoded image itself; None where `path` names it.
        captions: What was said of this image, in the given order; empty where nothing was.
        metadata: Every further column, JSON values only.
        split: Which part of the data set it belongs to; None where there are no parts.
    """

    name: str
    subject_id: str | None
    path: str | None = None
    data: bytes | None = None
    captions: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None

    def __post_init__(self) -> None:
        ok = (self.path is None) != (self.data is None)
        _need(ok, f"Record {self.name!r}", "both or neither of path and data", "exactly one of path and data")


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One candidate of a query.

    Attributes:
        rank: 1 is best.
        subject_id: Whose template it is.
        row_id: The best row of that subject.
        score: Weighted sum of block scores, the probe's offset and `typicality`; it orders candidates and is not a
            probability.
        blocks: Name → what that block adds to `score` (the rest is the result's `offset` and `typicality`);
            `statements` is the share of what the description states, where that moves the score by itself.
        image: The row's name in the gallery.
        caption: The enrolled caption lines, joined by a space; empty where none was enrolled.
        attributes: Attribute → calibrated probability that the enrolled face shows it; empty where no model tells.
        statements: Each thing that the description says of a face, with the probability `as_stated` that this one is so
            and the `verdict`: agrees, contradicts, cannot be seen.
        auto_caption: Id of the attribute model that wrote `caption`; None where a person did, or where there is none.
        lr: `log10`, `low`, `high` (90 % interval), `bounded`, `refused` (a reason code, and then no number), and
            `image_log10`, the picture's alone; None where nobody asked what the score is worth.
        expected_strangers: How many of the rows searched would reach this score if all were strangers'; None where
            refused.
        typicality: What is added to `score` for how the probe and this record stand to strangers, mostly below 0; 0
            where the calibration in force has no cohort.
    """

    rank: int
    subject_id: str
    row_id: int
    score: float
    blocks: Mapping[str, float]
    image: str
    caption: str
    auto_caption: str | None = None
    lr: Mapping[str, Any] | None = None
    expected_strangers: float | None = None
    attributes: Mapping[str, float] = field(default_factory=dict)
    statements: tuple[Mapping[str, Any], ...] = ()
    typicality: float = 0.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to one query, the same content as the command line's JSON.

    Attributes:
        candidates: Best first.
        probe: `sha256` and `quality` of the probe image; `faces` that it shows, each with `number`, `box` (x, y, width,
            height), `points`, `score` and whether it was `chosen`; `box` (left, top, right, bottom) of the one that was
            searched with; `attributes`, what its face shows, each with a calibrated probability;
            `captions_truncated`, lines longer than are read. Of several images also `pictures`, what
            each is and finds alone, and `alike`, the cosines of their faces; `sha256` is that of their digests, joined.
        mode: What was searched with: fused, image or caption.
        weights: Weights used for this probe, by term.
        offset: One number for this probe, part of every score: it makes scores of probes of any quality comparable.
        model_id: Which model encoded the probe.
        index_id: Which index, at which generation.
        index_sha256: Of that generation's manifest, which lists every file of it by its SHA-256; empty of a collection.
        timing_ms: Milliseconds spent in load, detect, encode and search.
        where: The filter that rows had to pass; None where all were ranked.
        notice: What the scores mean.
        notes: What else a reader must know: what was asked for and done otherwise, and what was left out.
        description: What of the words was understood: `statements` (each with its `attribute`, whether it `holds`, how
            `sure`, whether it is `denied`, its place and `words`, and what it `moves` the score by), `clashes`,
            `unread` words, `names`; None where no word was searched with.
        calibration: `sha256` of the calibration in force, `cohort_sha256` where it has a cohort, its `population`, the
            `propositions` that `lr` weighs; None where there is none.
        searched: Rows that were ranked, after the filter; None where nobody counted.
        threshold: Of an identification: `score` that every candidate reaches, the `fpir` it is for, and a
            `warning`; None of a list of fixed length.
        face: What was searched with, for whoever draws or explains the answer; not part of `as_dict`.
    """

    candidates: tuple[SearchHit, ...]
    probe: Mapping[str, Any]
    mode: str
    weights: Mapping[str, float]
    offset: float
    model_id: str
    index_id: str
    timing_ms: Mapping[str, float]
    where: str | None = None
    notice: str = LEAD_NOTICE
    notes: tuple[Note, ...] = ()
    calibration: Mapping[str, Any] | None = None
    searched: int | None = None
    face: AlignedFace | None = field(default=None, repr=False, compare=False)
    description: Mapping[str, Any] | None = None
    threshold: Mapping[str, Any] | None = None
    index_sha256: str = ""

    def __iter__(self) -> Iterator[SearchHit]:
        return iter(self.candidates)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        values = asdict(replace(self, face=None))
        del values["face"]
        return values

    def to_frame(self) -> pd.DataFrame:
        """The candidates as a table, one row each, best first.

        Returns:
            Columns `rank`, `subject_id`, `row_id`, `score`, one `block_NAME` for each block of the gallery,
            `image`, `caption`, `auto_caption`, `typicality`; no rows where there is no candidate. `score` is the sum of
            the `block_` columns, `typicality` and `offset`. What holds for all rows is in `attrs`: mode, offset, where,
            model_id, index_id, notice.
        """
        import pandas as pd  # half a second that nobody should wait for who does not ask for a table

        before, after = ("rank", "subject_id", "row_id", "score"), ("image", "caption", "auto_caption", "typicality")
        blocks = list(self.candidates[0].blocks) if self.candidates else []
        columns = {name: [getattr(hit, name) for hit in self.candidates] for name in before}
        columns |= {f"block_{name}": [hit.blocks[name] for hit in self.candidates] for name in blocks}
        columns |= {name: [getattr(hit, name) for hit in self.candidates] for name in after}
        frame = pd.DataFrame(columns)
        shared = ("mode", "offset", "where", "model_id", "index_id", "notice")
        frame.attrs.update({name: getattr(self, name) for name in shared})
        return frame
