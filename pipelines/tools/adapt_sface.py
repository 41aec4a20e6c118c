"""Fine-tunes SFace on poor pictures of a labelled data set, and writes the adapted half beside its frozen one.

    python -m pipelines.tools.adapt_sface DATA --out FOLDER [--split train] [--steps 1900] [--threads 2]

Run it again to go on where it was; with more `--steps` a finished run goes on too. Photos are decoded and their points
found, by RetinaFace, when they are first drawn. FOLDER/face is what a configuration's `face_encoder` takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from pipelines.adapt_photos import FacePhotos, adapt_photos
from tgfr_search.data.manifest import read_records
from tgfr_search.encoders import sface
from tgfr_search.encoders.adapted import AdaptedFaceEncoder, save_adapted
from tgfr_search.errors import FaceError, NothingUsableError
from tgfr_search.faces.detectors.retinaface import RetinaFace
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.schemes import ARCFACE_CHIP
from tgfr_search.model.checkpoint import machine
from tgfr_search.options import AdaptOptions
from tgfr_search.types import ByteArray, FloatArray, Record

RECIPE = AdaptOptions(
    batch=16, lr=3e-4, warmup=0.02, distil=2.0, contrastive=1.0, tau=0.06, clean=0.15, decay=0.3, frozen_blocks=5
)
KEPT_PHOTOS = 512


class Photos:
    """Photos and points of records, made when they are asked for; a photo without a face shows its middle."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.points: dict[int, FloatArray] = {}
        self.detector = RetinaFace()
        self.photo = lru_cache(maxsize=KEPT_PHOTOS)(self._photo)

    def _photo(self, row: int) -> ByteArray:
        try:
            return FaceFinder().load(self.records[row]).pixels
        except FaceError:
            return np.zeros((112, 112, 3), np.uint8)

    def points_of(self, row: int) -> FloatArray:
        """float32 [5, 2]."""
        if row not in self.points:
            photo = self.photo(row)
            found = self.detector.find(photo)
            scale = min(photo.shape[:2]) / ARCFACE_CHIP.size
            self.points[row] = found[0].points if found else ARCFACE_CHIP.points * np.float32(scale)
        return self.points[row]

    def eyes_of(self, row: int) -> FloatArray:
        """float32 [2, 2]."""
        return self.points_of(row)[:2]


@dataclasses.dataclass(frozen=True)
class _Column:
    """One function of a row as something that is indexed by rows."""

    of: Any

    def __getitem__(self, at: Any) -> Any:
        return self.of(int(at[0]))[at[1:]] if isinstance(at, tuple) else self.of(int(at))


def photos_of(data: Path, split: str | None) -> FacePhotos:
    """The labelled photos of a data set.

    Raises:
        NothingUsableError: None has a subject.
    """
    records = [r for r in read_records(data, split=split, on_problem=lambda problem: None) if r.subject_id is not None]
    if not records:
        raise NothingUsableError(f"{data}", found="no photo with a subject", expected="labelled photographs")
    photos = Photos(records)
    pixels: Any = _Column(photos.photo)
    points: Any = _Column(photos.points_of)
    eyes: Any = _Column(photos.eyes_of)
    subjects = np.unique([str(r.subject_id) for r in records], return_inverse=True)[1].astype(np.int64)
    keys = [hashlib.sha256(r.data if r.data is not None else str(r.path).encode()).hexdigest() for r in records]
    return FacePhotos(pixels, points, eyes, subjects, [r.name for r in records], keys, ARCFACE_CHIP)


def _start(folder: Path) -> sface.SFaceNet:
    """The net of an adapted half, ready to be trained.

    Raises:
        CheckpointError: It is damaged, or was not made from SFace.
    """
    encoder = AdaptedFaceEncoder(folder, "cpu", torch.float32, flip=False, regions=next(iter(sface.REGION_MAPS)))
    assert isinstance(encoder.net, sface.SFaceNet)
    return encoder.net.train().requires_grad_(True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default=None, help="part of the data that is trained on")
    parser.add_argument("--steps", type=int, default=1900)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", type=Path, default=None, help="adapted half that the student begins as")
    parser.add_argument("--licence", default="not told: ask whoever the data are from")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    options = dataclasses.replace(RECIPE, steps=given.steps)
    given.out.mkdir(parents=True, exist_ok=True)
    lines = given.out / "log.jsonl"

    def log(name: str, step: int, values: dict[str, float]) -> None:
        with lines.open("a") as file:
            file.write(json.dumps({"time": round(time.time(), 1), "step": name, "at": step, **values}) + "\n")

    photos = photos_of(given.data, given.split)
    net = adapt_photos(
        photos, options, given.seed, given.out, log, None if given.start is None else _start(given.start)
    )
    provenance = {
        "options": dataclasses.asdict(options), "seed": given.seed, "data": f"{given.data.name}, split {given.split}",
        "licence": given.licence, "machine": machine(),
    }  # fmt: skip
    save_adapted(given.out / "face", net, sface.load_weights()[1], provenance, sface.NAME)
    print(given.out / "face")


if __name__ == "__main__":
    main()
