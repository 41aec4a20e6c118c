"""Faces of the frames of a clip → the people in it: one track each, by where a face is and how much it looks alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from tgfr_search.types import FloatArray

OVERLAP = 0.3
"""Intersection over union of two boxes in neighbouring frames from which on they may be one face that moved."""
RECENT = 5
"""Faces of a track that a new one is compared with: the last ones."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """How alike two faces must be, as cosines.

    Attributes:
        near: Where one lies over the other in neighbouring frames: another person may have taken the place.
        far: Anywhere in the clip.
    """

    near: float
    far: float


def find_tracks(frames: Ints, boxes: Floats, vectors: FloatArray, limits: Limits) -> list[Ints]:
    """Puts the faces of one person together.

    In each frame every face goes to at most one track, and every track gets at most one face: the pairing with the most
    overlap and likeness in sum. Tracks that never share a frame and are alike are one person who came back.

    Args:
        frames: int64 [N], rising: the place of the frame among those looked at.
        boxes: [N, 4], left, top, right, bottom.
        vectors: float32 [N, D], unit.
        limits: What counts as alike.

    Returns:
        Faces of each track in order of time; the longest track first, of equal ones that with the larger faces.
    """
    tracks: list[list[int]] = []
    for frame in np.unique(frames):
        here = np.flatnonzero(frames == frame).tolist()
        gain = np.array([[_gain(track, face, frames, boxes, vectors, limits) for track in tracks] for face in here])
        pairs = zip(*linear_sum_assignment(-gain), strict=True) if tracks else ()
        taken = set[int]()
        for row, column in pairs:
            if gain[row, column] > 0:
                tracks[column].append(here[row])
                taken.add(here[row])
        tracks += [[face] for face in here if face not in taken]
    whole = _joined(tracks, frames, vectors, limits.far)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    whole.sort(key=lambda track: (-len(track), -float(areas[track].mean())))
    return [np.array(track, np.int64) for track in whole]


def _gain(track: list[int], face: int, frames: Ints, boxes: Floats, vectors: FloatArray, limits: Limits) -> float:
    """What speaks for a face being the track's, above 0; 0 where it cannot be."""
    alike = float((vectors[track[-RECENT:]] @ vectors[face]).max())
    over = _overlap(boxes[track[-1]], boxes[face]) if frames[face] - frames[track[-1]] == 1 else 0.0
    allowed = alike >= limits.far or (over >= OVERLAP and alike >= limits.near)
    return 2.0 + alike + over if allowed else 0.0


def _overlap(a: Floats, b: Floats) -> float:
    """Intersection over union."""
    sides = np.maximum(0.0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]))
    both = float(sides.prod())
    return both / max(1e-9, float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - both)


def _joined(tracks: list[list[int]], frames: Ints, vectors: FloatArray, limit: float) -> list[list[int]]:
    """Tracks of which two alike ones that share no frame are one, the most alike first."""
    tracks = [list(track) for track in tracks]
    while True:
        means = [vectors[track].mean(axis=0) for track in tracks]
        units = [mean / max(1e-9, float(np.linalg.norm(mean))) for mean in means]
        best, pair = limit, None
        for a in range(len(tracks)):
            for b in range(a + 1, len(tracks)):
                alike = float(units[a] @ units[b])
                if alike >= best and not set(frames[tracks[a]]) & set(frames[tracks[b]]):
                    best, pair = alike, (a, b)
        if pair is None:
            return tracks
        tracks[pair[0]] = sorted(tracks[pair[0]] + tracks.pop(pair[1]))
