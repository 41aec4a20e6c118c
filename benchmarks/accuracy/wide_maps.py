"""Maps of frozen face nets over the whole wide chip, and the linear head that reads attributes off them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.linalg import solve
from torch import Tensor, nn

from pipelines.faces.aligned import Chips, Progress
from pipelines.faces.features import view
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders import dlib_resnet, sface
from tgfr_search.encoders.base import AdaptableEncoder
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.encoders.pixels import SFACE_PIXELS
from tgfr_search.encoders.sface import SFaceEncoder
from tgfr_search.evaluation.verification import Floats
from tgfr_search.faces.align import WIDE_CHIP
from tgfr_search.faces.wide import cut
from tgfr_search.files import cache_key, replacing
from tgfr_search.types import ByteArray, FloatArray

GRID = 4
"""Cells a side that maps are averaged over."""
SEED, SLICE, BATCH, FOLDS = 0, 512, 32, 4
ALPHAS = (1.0, 3.0, 10.0)
"""Of the ridge over standardised columns that are divided by the root of their number."""
READERS = {
    "sface, wide at 112": (sface.NAME, 112),
    "sface, its own chip": (sface.NAME, None),
    "dlib, wide at 150": (dlib_resnet.MAPPED.name, 150),
}
"""Net, and the side that the wide chip is brought to; None cuts the net's own chip out of it, whose maps are there for
nothing: what they tell is no gain of the wider view."""
MAPS = {own.name: tuple(own.maps) for own in (sface.MAPPED, dlib_resnet.MAPPED)}
"""Net → its maps, by their sizes where the net reads its own chip."""
LEAST_SPREAD = 1e-3

Arrays = dict[str, npt.NDArray[Any]]
Read = Callable[[ByteArray], Arrays]


def averaged(regions: Tensor) -> npt.NDArray[np.float16]:
    """A map in `GRID` × `GRID` averages: [B, C, h, w] to [B, C·GRID²]."""
    return np.asarray(F.adaptive_avg_pool2d(regions, GRID).flatten(1).half().numpy())


def map_reader(net: str, side: int | None) -> Read:
    """What gives the averaged maps of wide chips: map → float16 [B, C·GRID²].

    Args:
        net: A key of `MAPS`.
        side: As `READERS` has it; the nets are convolutional and read any.
    """
    is_sface = net == sface.NAME
    encoder: AdaptableEncoder = SFaceEncoder() if is_sface else DlibFaceEncoder()
    places = (sface.MAPPED if is_sface else dlib_resnet.MAPPED).maps
    layers: Any = getattr(encoder.net, "blocks" if is_sface else "stages")
    kept: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: Any, out: Tensor) -> None:
        kept[name] = out

    encoder.net.head = nn.Identity()  # it wants a map of one size
    for name, at in places.items():
        layers[at].register_forward_hook(partial(keep, name))

    @torch.inference_mode()
    def read(chips: ByteArray) -> Arrays:
        if side is None:
            own = cut(chips, encoder.spec.alignment)
        else:
            own = np.stack([cv2.resize(chip, (side, side), interpolation=cv2.INTER_AREA) for chip in chips])
        pixels = replace(SFACE_PIXELS, size=own.shape[1])(own, encoder.device) if is_sface else encoder.pixels(own)
        encoder.net(pixels)
        return {name: averaged(kept[name]) for name in places}

    return read


def in_parts(folder: Path, name: str, read: Read, chips: Chips, views: Sequence[str], progress: Progress) -> Arrays:
    """What is read of one view of each face, kept in parts: a run that was cut off goes on where it was.

    Args:
        folder: Of caches.
        name: Of what reads, for the cache.
        read: Chips in, arrays out, one row a chip.
        chips: N wide chips.
        views: N names, as `pipelines.faces.features.view` has them.
        progress: Called as the work goes on.
    """
    key = cache_key(chips=chips.folder.name, name=name, views=list(views), ladder=dict(LADDER), seed=SEED, grid=GRID)
    own = folder / f"wide-{key}"
    own.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, len(chips), SLICE):
        path, stop = own / f"{start:06d}.npz", min(start + SLICE, len(chips))
        if not path.is_file():
            made = []
            for first in range(start, stop, BATCH):
                rows = range(first, min(first + BATCH, stop))
                side = WIDE_CHIP.ladder_side
                seen = np.stack([view(chips.pixels[i], views[i], chips.sha256[i], SEED, side) for i in rows])
                made.append(read(seen))
                progress(f"{name}: faces read", rows.stop, len(chips))
            with replacing(path) as temporary:
                np.savez(temporary, **_joined(made))  # type: ignore[arg-type]
        with np.load(path) as file:
            parts.append({name: file[name] for name in file.files})
    return _joined(parts)


def milliseconds(read: Read, chips: ByteArray) -> float:
    """Time to read one chip in this process, median of three passes over all of them."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        read(chips)
        took.append((time.perf_counter() - started) / len(chips) * 1000)
    return float(np.median(took))


def _joined(parts: Sequence[Mapping[str, npt.NDArray[Any]]]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Head:
    """A ridge on standardised columns, to labels in units of their spread.

    Attributes:
        alpha: Chosen by folds of people.
        held_out: float64 [N, A], of each train face by the fold that has not seen the person.
        mean: [P] of the columns.
        spread: [P], times the root of P.
        weights: [P, A].
    """

    alpha: float
    held_out: Floats
    mean: FloatArray
    spread: FloatArray
    weights: FloatArray

    def __call__(self, columns: Sequence[npt.NDArray[Any]]) -> Floats:
        """Outputs [M, A] of other faces, from the same columns in the same order."""
        x = np.concatenate(columns, axis=1).astype(np.float32)
        return np.asarray(((x - self.mean) / self.spread) @ self.weights, np.float64)


def fit_head(
    columns: Sequence[npt.NDArray[Any]], labels: Floats, subjects: Sequence[str], judge: Callable[[Floats], float]
) -> Head:
    """Fits a head on train faces; of `ALPHAS` the one that is best on faces of people whom the fold has not seen.

    Args:
        columns: Arrays of N rows, side by side.
        labels: [N, A] of 0 and 1.
        subjects: N people.
        judge: How good outputs [N, A] are; higher is better.
    """
    x = np.concatenate(columns, axis=1).astype(np.float32)
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), LEAST_SPREAD) * np.float32(np.sqrt(x.shape[1]))
    x -= mean
    x /= spread
    gram = x @ x.T
    share = labels.mean(axis=0)
    wanted = ((labels - share) / np.sqrt(np.maximum(share * (1 - share), LEAST_SPREAD))).astype(np.float32)
    people = np.unique(np.asarray(subjects), return_inverse=True)[1]
    fold = np.random.default_rng([SEED, 41]).integers(FOLDS, size=people.max() + 1)[people]
    held: dict[float, Floats] = {}
    for alpha in ALPHAS:
        held[alpha] = np.empty(labels.shape)
        for own in range(FOLDS):
            there, out = fold != own, fold == own
            held[alpha][out] = gram[np.ix_(out, there)] @ _solved(gram[np.ix_(there, there)], alpha, wanted[there])
    best = max(ALPHAS, key=lambda alpha: judge(held[alpha]))
    return Head(best, held[best], mean, spread, x.T @ _solved(gram, best, wanted))


def _solved(gram: FloatArray, alpha: float, wanted: FloatArray) -> FloatArray:
    raised = gram + np.float32(alpha) * np.eye(len(gram), dtype=np.float32)
    return np.asarray(solve(raised, wanted, assume_a="pos", overwrite_a=True, check_finite=False), np.float32)
