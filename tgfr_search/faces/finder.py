"""Photo → `AlignedFace`, or a `FaceError` with the reason why not: joins decode, detect, align and quality."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, get_args

from tgfr_search.errors import FaceError, InputError, OptionsError, Reason
from tgfr_search.faces.align import ALIGNMENTS, DLIB_CHIP, Alignment, align, fit_chip
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.container import decoders
from tgfr_search.faces.decode import MAX_BYTES, MAX_PIXELS, PILLOW_PIXELS, decode_photo, read_bytes
from tgfr_search.faces.detectors.base import Detection
from tgfr_search.faces.detectors.registry import DEFAULT, make_detector
from tgfr_search.faces.margin import face_crop
from tgfr_search.faces.meant import chosen_face, faces_of
from tgfr_search.faces.photo import Photo
from tgfr_search.faces.quality import inter_eye_px, measure
from tgfr_search.faces.schemes import EYE_CORNERS_NOSE, in_scheme
from tgfr_search.types import AlignedFace, Record

OnMultiple = Literal["largest", "error", "all"]
REVISION = 2
"""Raised whenever the same options may give another answer: photos refused before are then looked at once more, and
cached faces are found anew."""


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """How photos become faces.

    Attributes:
        on_multiple: A photo with several faces gives the `largest`, is an `error`, or gives `all` to who takes several
            (`find_all`).
        aligned: The input are chips that are aligned already; no detector runs.
        min_inter_eye_px: A detected face whose eyes are closer together is refused. A ready chip is not held to it:
            whoever aligned it has found the eyes.
        max_bytes: Largest file read.
        max_pixels: Largest width × height decoded.
        alignment: The chip that the face encoder expects.
        detector: Name of the detector; empty leaves it to the index that is searched or added to, else to the model,
            else dlib's.
        revision: `REVISION`, so that whatever is keyed by the options is keyed by how they are carried out, too.

    Raises:
        OptionsError: A value is out of range.
    """

    on_multiple: OnMultiple = "largest"
    aligned: bool = False
    min_inter_eye_px: float = 10.0
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    alignment: Alignment = DLIB_CHIP
    detector: str = ""
    revision: int = field(default=REVISION, init=False)

    def __post_init__(self) -> None:
        if self.on_multiple not in get_args(OnMultiple):
            raise OptionsError("on_multiple", found=repr(self.on_multiple), expected="'largest', 'error' or 'all'")
        if self.min_inter_eye_px < 0:
            raise OptionsError("min_inter_eye_px", found=str(self.min_inter_eye_px), expected="0 or more")
        if self.max_bytes < 1:
            raise OptionsError("max_bytes", found=str(self.max_bytes), expected="1 or more")
        if not 1 <= self.max_pixels <= PILLOW_PIXELS:
            raise OptionsError("max_pixels", found=str(self.max_pixels), expected=f"1 to {PILLOW_PIXELS:,}")
        if self.detector:
            make_detector(self.detector)  # an unknown name is told before the first photo


@dataclass(frozen=True, slots=True)
class FaceFinder:
    """Finds the face of a photo. It holds only options, so a pool may pickle it; detectors are made on first use.

    Any number of threads may use one finder, and any process forked from one that did.

    Attributes:
        options: How photos become faces.
        crops: Give each face its crop with a margin, too.
    """

    options: FaceOptions = FaceOptions()
    crops: bool = field(default=False, kw_only=True)

    def for_alignment(self, name: str) -> Self:
        """This finder with the chip that a face encoder expects: `name` is its `FaceSpec.alignment`."""
        return replace(self, options=replace(self.options, alignment=ALIGNMENTS[name]))

    def for_detector(self, own: str) -> Self:
        """This finder with the detector that an index was made with, unless it has one of its own."""
        return replace(self, options=replace(self.options, detector=self.options.detector or own))

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return self.options.detector or DEFAULT

    @property
    def identity(self) -> str:
        """All that an answer depends on beside the photo, as text: options, detector, what decodes photos here."""
        detector = "none" if self.options.aligned else make_detector(self.detector).spec.sha256
        return f"{self.options}; detector {detector}; {decoders()}"

    def find(self, source: Record | str | Path | bytes) -> AlignedFace:
        """The aligned face of one photo; of a gallery's record the one that its table means, where it says so.

        Args:
            source: A record, a path, or the encoded bytes.

        Raises:
            FaceError: The photo gives no usable face; `reason` is the stable code.
            MissingPartError: The detector or its model is not installed.
        """
        choice = self.meant(source)
        return self.cut(self.load(source), choice)

    def find_all(self, source: Record | str | Path | bytes) -> list[AlignedFace]:
        """The faces that a gallery enrols of one photo: all where the options say so and its table means none of them.

        Returns:
            One or more, the largest last.

        Raises:
            FaceError, MissingPartError: As `find`.
        """
        if self.options.on_multiple != "all" or self.meant(source) is not None:
            return [self.find(source)]
        return self.cut_all(self.load(source))[::-1]

    def meant(self, source: Record | str | Path | bytes) -> FaceChoice | None:
        """The face that a gallery's table means; None where it says nothing, and of a ready chip.

        Raises:
            FaceError: BAD_POINTS: what it says cannot be meant.
        """
        return FaceChoice.of_row(source.metadata) if isinstance(source, Record) and not self.options.aligned else None

    def load(self, source: Record | str | Path | bytes) -> Photo:
        """Read and decode one photo: the first half of `find`, apart so that its time can be told."""
        if isinstance(source, Record):
            source = source.data if source.data is not None else str(source.path)
        data = source if isinstance(source, bytes) else read_bytes(source, max_bytes=self.options.max_bytes)
        if len(data) > self.options.max_bytes:
            raise FaceError(Reason.TOO_MANY_BYTES, f"{len(data):,} bytes, the limit is {self.options.max_bytes:,}")
        decoded = decode_photo(data, max_pixels=self.options.max_pixels)
        return Photo(decoded.pixels, hashlib.sha256(data).hexdigest(), decoded.reduced, decoded.there)

    def cut(self, photo: Photo, choice: FaceChoice | None = None) -> AlignedFace:
        """Detect and align the face of a decoded photo: the second half of `find`.

        Args:
            photo: From `load`.
            choice: Which face is meant; None is the largest, as far as the options allow.
        """
        if self.options.aligned:
            return self._ready_chip(photo, choice)
        faces, at = self._faces(photo, choice)
        return self._aligned(photo, faces, at, choice is not None and choice.points is not None)

    def cut_all(self, photo: Photo) -> list[AlignedFace]:
        """All faces of a decoded photo that are not too small, the largest first.

        Raises:
            FaceError: There is none.
        """
        if self.options.aligned:
            return [self._ready_chip(photo, None)]
        faces, least = faces_of(photo, make_detector(self.detector)), self.options.min_inter_eye_px
        large = [at for at, face in enumerate(faces) if inter_eye_px(face.points, face.scheme) >= least]
        return [self._aligned(photo, faces, at, hand=False) for at in large or [0]]

    def _aligned(self, photo: Photo, faces: list[Detection], at: int, hand: bool) -> AlignedFace:
        """One of the faces of a photo; `hand` is whether its points were set by somebody."""
        face = faces[at]
        distance, least = inter_eye_px(face.points, face.scheme), self.options.min_inter_eye_px
        if distance < least:
            raise FaceError(
                Reason.FACE_TOO_SMALL,
                f"{distance:.1f} px between the eyes, the limit is {least:g}",
                do=f"--min-eyes {int(distance)} takes it; a scan or photo of more pixels is better",
            )
        chip = align(photo.pixels, face.points, in_scheme(self.options.alignment, face.scheme))
        quality = measure(chip, face.points, detector_score=None if hand else face.score, scheme=face.scheme)
        quality = replace(quality, truncated=photo.there is not None, by_hand=hand)
        seen = [photo.seen(each, chosen=each is face, by_hand=hand) for each in faces]
        x, y, width, height = seen[at].box
        points, box = photo.in_file(face.points), (x, y, x + width, y + height)
        crop = face_crop(photo.pixels, face.points, face.scheme, face.box) if self.crops else None
        return AlignedFace(chip, points, photo.sha256, quality, box, len(faces), face.scheme, tuple(seen), crop)

    def _ready_chip(self, photo: Photo, choice: FaceChoice | None) -> AlignedFace:
        if choice is not None:
            raise InputError("--aligned", found="a face that is meant", expected="one of both: a crop shows one face")
        if photo.there is not None:
            raise FaceError(Reason.TRUNCATED, "the file is cut off, and a ready crop is wanted whole")
        chip, points = fit_chip(photo.pixels, self.options.alignment)
        quality = measure(chip, points, detector_score=None)
        crop = face_crop(photo.pixels, points, EYE_CORNERS_NOSE, None) if self.crops else None
        return AlignedFace(chip, points, photo.sha256, quality, crop=crop)

    def _faces(self, photo: Photo, choice: FaceChoice | None) -> tuple[list[Detection], int]:
        """The faces of a photo, the largest first, and which of them is used."""
        detector = make_detector(self.detector)
        if choice is not None:
            return chosen_face(photo, detector, choice, self.options.alignment)
        faces = faces_of(photo, detector)
        if len(faces) > 1 and self.options.on_multiple == "error":
            do = "--on-multiple largest, --face N, or crop the photo to one face"
            raise FaceError(Reason.MULTIPLE_FACES, f"{len(faces)} faces in {photo.size}", do=do)
        return faces, 0
