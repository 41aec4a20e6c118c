"""Landmarks → an upright face chip of fixed size, by a least-squares similarity (docs/paper-notes.md, "alignment")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tgfr_search.errors import FaceError, Reason
from tgfr_search.types import ByteArray, FloatArray

SMALLEST_CHIP = 8
"""Pixels a side: half of what the worst level of the benchmark leaves of a face."""
SQUARE_TOLERANCE = 1.10
"""How far from square a ready chip may be, longer side over shorter: more than that and the face is squeezed."""
LEAST_SPREAD = 2.0
"""Standard deviation of the luma (0–255) below which a ready chip shows nothing; faces in the dark have 5 and more."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where a face lies in its chip. Hashable and of plain values, so that a contract can store and compare it.

    Attributes:
        name: Goes into the index contract, and so does `digest`: a template that is changed under its name is noticed.
        size: Side of the square chip in pixels.
        template: Where dlib's five points (`AlignedFace.landmarks`) lie in the chip: five (x, y), pixel centres.
        used: Which of the five points the similarity is fitted to.
    """

    name: str
    size: int
    template: tuple[tuple[float, float], ...]
    used: tuple[int, ...] = (0, 1, 2, 3, 4)

    @property
    def points(self) -> FloatArray:
        """The template as float32 [5, 2]."""
        return np.array(self.template, np.float32)

    @property
    def digest(self) -> str:
        """SHA-256 over size, template and points used, hex; of the template in steps of a thousandth of a pixel."""
        places = [f"{x:.3f},{y:.3f}" for x, y in self.template]
        return hashlib.sha256(";".join([str(self.size), *places, str(self.used)]).encode()).hexdigest()

    @property
    def ladder_side(self) -> float:
        """Side of dlib's 25 %-padded chip of the same face in this chip: what the quality ladder's sides count."""
        ours, mean = (
            np.linalg.norm(points[:2].mean(axis=0) - points[2:4].mean(axis=0))
            for points in (np.array(self.template), np.array(MEAN_SHAPE))
        )
        padded = 1.5  # of the mean face's side
        return round(float(padded * ours / mean), 3)


MEAN_SHAPE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""The mean face of dlib's 5-point model (`get_face_chip_details`), in the order of `AlignedFace.landmarks`."""


def _dlib_chip(size: int, padding: float) -> Alignment:
    """The mean face with `padding` around it on each side.

    dlib counts the chip from its edge, a warp from the centre of the first pixel: hence the half pixel. Without it the
    chips differ from dlib's own four times as much.
    """
    scale = size / (2 * padding + 1)
    template = tuple(((padding + x) * scale - 0.5, (padding + y) * scale - 0.5) for x, y in MEAN_SHAPE)
    return Alignment(f"dlib-{size}", size, template)


DLIB_CHIP = _dlib_chip(150, 0.25)
"""What dlib's face network was trained on: 150×150, a quarter of padding."""

WIDE_MARGIN = 38
"""Pixels of `WIDE_CHIP` above and to the left of dlib's chip; below and to the right there is one less."""


def _wide_chip() -> Alignment:
    """The chip of dlib at its own scale with half as much again around it: hair, ears and collar are in it.

    Whole pixels of margin, so that dlib's chip is a slice of it; wide enough for ArcFace's, which reaches 35 pixels
    higher; and 3/2 of its side, so that the quality ladder's sides (28, 20, 14 of dlib's chip) are whole here, too.
    """
    template = tuple((x + WIDE_MARGIN, y + WIDE_MARGIN) for x, y in DLIB_CHIP.template)
    return Alignment("wide-225", DLIB_CHIP.size * 3 // 2, template)


WIDE_CHIP = _wide_chip()
"""225×225, of which several networks' chips are cut (`faces.wide`)."""


def similarity(source: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The rotation, scale and shift that takes `source` nearest to `target` in the least-squares sense.

    Points are read as complex numbers, where a similarity without reflection is w = a·z + b; the least squares of that
    has a closed form and is Umeyama's solution in two dimensions.

    Args:
        source: [K, 2], not all the same point.
        target: [K, 2].

    Returns:
        float64 [2, 3], to be applied to (x, y, 1).
    """
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (source.astype(np.float64), target.astype(np.float64)))
    centred = z - z.mean()
    a = (centred.conj() @ (w - w.mean())) / np.sum(np.abs(centred) ** 2)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


ARCFACE_EYES = ((73.5318, 51.5014), (38.2946, 51.6963))
"""Eye centres of insightface's 112×112 template, the one on the image's right first. Its other three points are the tip
of the nose (56.0252, 71.7366) and the corners of the mouth (70.7299, 92.2041) and (41.5493, 92.3655)."""


def _arcface_chip() -> Alignment:
    """Where dlib's five points lie in an ArcFace chip.

    The two sets share no point: dlib has four eye corners and the base of the nose, ArcFace two eye centres, the tip of
    the nose and two mouth corners. What they share is the eye centre, the middle of its two corners. So dlib's mean
    face is laid over the template by its two eye centres, and the five places where its points then fall are what a
    face is fitted to. The base of the nose falls 27 pixels below the eyes, between the template's tip of the nose (20)
    and mouth (41), where it is in a face.

    The limit of it: the mouth takes no part, so a face with a long or short lower half, or one turned far to a side,
    lies a little differently than by the landmarks the networks were trained with (MTCNN, RetinaFace).
    """
    shape = np.array(MEAN_SHAPE)
    eyes = np.stack([shape[:2].mean(axis=0), shape[2:4].mean(axis=0)])
    placed = np.column_stack([shape, np.ones(5)]) @ similarity(eyes, np.array(ARCFACE_EYES)).T
    return Alignment("arcface-112-dlib5", 112, tuple((float(x), float(y)) for x, y in placed))


ARCFACE_CHIP = _arcface_chip()
"""112×112 for ArcFace, AdaFace, MagFace and SFace, from dlib's landmarks."""

ALIGNMENTS = {alignment.name: alignment for alignment in (DLIB_CHIP, ARCFACE_CHIP, WIDE_CHIP)}
"""`FaceSpec.alignment` → the chip it means."""

FIRST_DIGESTS = {
    "dlib-150": "0825713c4466881c77198de007f528da4391d029c5cc572a2143b4a603a9f539",
    "arcface-112-dlib5": "9cb9438552904e6604cce618fcafcdd1c29b79d38e7cceaa250d920dfd6eb7f3",
}
"""What indexes that were made before digests were written are aligned with, whatever the names mean now."""


def align(photo: ByteArray, landmarks: FloatArray, alignment: Alignment = DLIB_CHIP) -> ByteArray:
    """Cut the face out of the photo, upright and at the chip's size; black where the chip reaches past the photo.

    A face more than twice as large as the chip is box-reduced by a whole factor first, since the bilinear warp alone
    would skip pixels and alias.

    Args:
        photo: uint8 [H, W, 3].
        landmarks: float [5, 2], pixels of the photo.
        alignment: The template.

    Returns:
        uint8 [size, size, 3].
    """
    used = list(alignment.used)
    to_photo = similarity(alignment.points[used], landmarks[used])  # chip → photo, as dlib fits it
    corners = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]) * [alignment.size, alignment.size, 1]
    reach = corners @ to_photo.T
    patch, factor, origin = reduced(photo, reach.min(axis=0) - 1, reach.max(axis=0) + 1, _scale(to_photo))
    to_photo[:, 2] -= origin
    to_patch = to_photo / factor
    to_patch[:, 2] += 0.5 / factor - 0.5  # the centre of a box of pixels is not the centre of its first pixel
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(patch, to_patch, (alignment.size, alignment.size), flags=flags), np.uint8)


def _scale(matrix: npt.NDArray[np.float64]) -> float:
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def reduced(
    photo: ByteArray, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], scale: float
) -> tuple[ByteArray, int, npt.NDArray[np.int64]]:
    """A window of the photo, box-reduced by the whole part of `scale` (never enlarged).

    Args:
        photo: uint8 [H, W, 3].
        low: Upper left corner of the window, (x, y); it is clipped to the photo.
        high: Lower right corner.
        scale: Pixels of the photo to one pixel that is wanted.

    Returns:
        The patch, the factor, and the patch's origin (x, y): the pixel p of the patch is at
        (p + 0.5)·factor − 0.5 + origin in the photo.
    """
    factor = max(1, int(scale))
    limit = np.array([photo.shape[1], photo.shape[0]])
    first = np.clip(np.floor(low), 0, limit - 1).astype(np.int64)
    size = np.clip(np.ceil(high), first + 1, limit).astype(np.int64) - first
    boxes = np.maximum(1, size // factor)
    if factor == 1:
        return photo[first[1] : first[1] + size[1], first[0] : first[0] + size[0]], 1, first
    window = photo[first[1] : first[1] + boxes[1] * factor, first[0] : first[0] + boxes[0] * factor]
    patch = cv2.resize(window, (int(boxes[0]), int(boxes[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, np.uint8), factor, first


def fit_chip(crop: ByteArray, alignment: Alignment = DLIB_CHIP) -> tuple[ByteArray, FloatArray]:
    """Bring a crop that is aligned already to the chip's size.

    Args:
        crop: uint8 [H, W, 3].
        alignment: The template that the crop was aligned to.

    Returns:
        The chip, uint8 [size, size, 3], and where the template's points lie in the crop, float32 [5, 2].

    Raises:
        FaceError: NOT_A_CHIP where the crop is not square within 10 %, or has fewer than 8 pixels a side; NO_DETAIL
            where it is of one colour.
    """
    height, width = crop.shape[:2]
    if min(height, width) < SMALLEST_CHIP:
        found = f"{width}×{height} pixels; no face can be seen in fewer than {SMALLEST_CHIP} a side"
        raise FaceError(Reason.NOT_A_CHIP, found)
    if max(height, width) > SQUARE_TOLERANCE * min(height, width):
        raise FaceError(Reason.NOT_A_CHIP, f"{width}×{height} pixels; an aligned crop is square (within 10 %)")
    spread = float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).std())
    if spread < LEAST_SPREAD:
        found = f"the aligned crop is of one colour (luma varies by {spread:.1f} of 255), so it shows no face"
        raise FaceError(Reason.NO_DETAIL, found, do="look at the file: it may be blank or damaged")
    size = alignment.size
    how = cv2.INTER_AREA if min(height, width) >= size else cv2.INTER_CUBIC
    chip = np.asarray(cv2.resize(crop, (size, size), interpolation=how), np.uint8)
    return chip, (alignment.points + 0.5) * np.array([width / size, height / size], np.float32) - 0.5
