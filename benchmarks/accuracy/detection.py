"""Faces found in whole photos, by detector: the quality ladder, turned, small and painted-out photos, points, time.

    python -m benchmarks.accuracy.detection [--shared ../shared] [--photos 300]

On the VALID split of MM-CelebA-HQ, on which the rules of `faces/detectors/retinaface.py` were set: nothing here is a
figure for the test set. All detectors see the same pictures in one run, alternating photo by photo; a time is CPU
seconds of this process a photo, so that other programs on the machine do not enter it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from benchmarks.results import write_result
from tgfr_search.data.degrade import LADDER, degrade_photo
from tgfr_search.faces.decode import decode
from tgfr_search.faces.detectors.base import Detection
from tgfr_search.faces.detectors.registry import DETECTORS, make_detector
from tgfr_search.faces.schemes import eye_centres
from tgfr_search.types import ByteArray, FloatArray

SEED = 0
TURNS = (30, 60, 90, 180)
SIDES = (48, 32)
RIGHT = 0.25
"""A face is the right one where both eyes are nearer than this to their place, in distances between the eyes."""
PAINTED = 1.5
"""Side of the painted patch over the face's box."""


@dataclass
class Tally:
    """What one detector did with the pictures of one condition."""

    photos: int = 0
    missed: int = 0
    right: int = 0
    extra: int = 0
    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def add(self, found: list[Detection], seconds: float, eyes: FloatArray | None) -> None:
        """Counts one picture; `eyes` is where they are, None in a picture without a face."""
        self.photos += 1
        self.missed += not found
        self.extra += max(0, len(found) - 1)
        self.seconds.append(seconds)
        if found and eyes is not None:
            seen = eye_centres(found[0].points, found[0].scheme)
            error = float(np.linalg.norm(seen - eyes, axis=1).max() / np.linalg.norm(eyes[1] - eyes[0]))
            self.right += error <= RIGHT
            self.errors.append(error)

    def as_dict(self, face: bool) -> dict[str, Any]:
        """JSON values; where the pictures have no face, what was found is false."""
        times = 1000 * np.array(self.seconds)
        out: dict[str, Any] = {"photos": self.photos, "ms": round(float(times.mean()), 1)}
        out["ms_p95"] = round(float(np.quantile(times, 0.95)), 1)
        if not face:
            return {**out, "false": self.photos - self.missed}
        good = [error for error in self.errors if error <= RIGHT]
        quantiles = [round(100 * float(q), 1) for q in np.quantile(good, [0.5, 0.95])] if good else None
        return {
            **out, "missed": self.missed, "right": self.right, "extra_boxes": self.extra,
            "eye_error_percent": quantiles,
        }  # fmt: skip


def pictures(photo: ByteArray, clean: Detection, key: str) -> Iterator[tuple[str, ByteArray, FloatArray | None]]:
    """(condition, picture, where its eyes are) of one photo, whose face was found as it is."""
    eyes = np.asarray(eye_centres(clean.points, clean.scheme), np.float32)
    distance = float(np.linalg.norm(eyes[1] - eyes[0]))
    for level in LADDER:
        yield level, degrade_photo(photo, distance, level, key=key, seed=SEED), eyes
    height, width = photo.shape[:2]
    for angle in TURNS:
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
        turned = cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        yield f"turned {angle}°", np.asarray(turned, np.uint8), np.asarray(eyes @ matrix[:, :2].T + matrix[:, 2])
    for side in SIDES:
        small = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
        yield f"{side} px", np.asarray(small, np.uint8), (eyes + 0.5) * side / width - 0.5
    yield "painted out", _painted(photo, clean), None


def _painted(photo: ByteArray, face: Detection) -> ByteArray:
    """The photo with a patch of its own mean colour over the head."""
    left, top, right, bottom = face.box
    reach = np.array([right - left, bottom - top]) * PAINTED / 2
    middle = np.array([left + right, top + bottom]) / 2
    low, high = (np.rint(np.clip(middle + sign * reach, 0, None)).astype(int) for sign in (-1, 1))
    out = photo.copy()
    out[low[1] : high[1], low[0] : high[0]] = photo.mean(axis=(0, 1)).astype(np.uint8)
    return out


def measure(photos: list[bytes], keys: list[str], few: int) -> dict[str, Any]:
    """Every detector over every condition; conditions beside the ladder on the first `few` photos.

    The eyes' places are RetinaFace's in the clean photo, so its error at `normal` is nought by construction.
    """
    detectors = {name: make_detector(name) for name in DETECTORS}
    tallies: dict[str, dict[str, Tally]] = {}
    without = 0
    for at, (data, key) in enumerate(zip(photos, keys, strict=True)):
        photo = decode(data)
        clean = detectors["retinaface"].find(photo)
        if not clean:
            without += 1
            continue
        for condition, picture, eyes in pictures(photo, clean[0], key):
            if condition not in LADDER and at >= few:
                continue
            for name, detector in detectors.items():
                started = time.process_time()
                found = detector.find(picture)
                seconds = time.process_time() - started
                tallies.setdefault(condition, {}).setdefault(name, Tally()).add(found, seconds, eyes)
    return {
        "without_a_place_to_compare": without,
        "conditions": {
            condition: {name: tally.as_dict(condition != "painted out") for name, tally in own.items()}
            for condition, own in tallies.items()
        },
    }


def main() -> None:
    """Measures and writes benchmarks/results/detection.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--photos", type=int, default=300)
    arguments = parser.parse_args()
    path = arguments.shared / "data/mmceleba_hq.parquet"
    table = pq.read_table(path, columns=["file", "image"], filters=[("split", "=", "valid")]).to_pydict()
    chosen = np.random.default_rng(SEED).permutation(len(table["file"]))[: arguments.photos]
    found = measure(
        [table["image"][row] for row in chosen], [table["file"][row] for row in chosen], arguments.photos // 3
    )
    values = {"split": "valid", "seed": SEED, "photos": len(chosen), **found}
    print(write_result("detection", values))
    for condition, own in values["conditions"].items():
        print(condition, own)


if __name__ == "__main__":
    main()
