"""What step 0 is taught by and judged by: vectors of faces at every level of quality, and the searches of valid."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipelines.faces.aligned import Chips
from pipelines.faces.features import view
from tgfr_search.data.degrade import LADDER
from tgfr_search.data.sampling import IntArray
from tgfr_search.encoders.base import prepare
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder, DlibResNet, pixels
from tgfr_search.encoders.mapped import both_ways
from tgfr_search.evaluation.identification import mate_ranks, rank_k
from tgfr_search.files import replacing
from tgfr_search.types import FloatArray

ENCODE_BATCH = 64


def encode_all(net: nn.Module, chips: Chips, name: str, seed: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Vectors of all chips in one view, both orientations averaged: float32 [N, 128] on the CPU."""
    out = []
    with torch.inference_mode():
        for start in range(0, len(chips), ENCODE_BATCH):
            rows = range(start, min(start + ENCODE_BATCH, len(chips)))
            batch = np.stack([view(chips.pixels[i], name, chips.sha256[i], seed, None) for i in rows])
            out.append(both_ways(net, pixels(batch, device, dtype), True, 3).global_.cpu())
    return torch.cat(out)


def _rank1(gallery: FloatArray, probes: FloatArray, subjects: IntArray, first: IntArray, rest: IntArray) -> float:
    column = {int(subject): at for at, subject in enumerate(subjects[first])}
    mate = np.array([column[int(s)] for s in subjects[rest]])
    ranks = mate_ranks(probes[rest] @ gallery[first].T, mate, np.arange(len(first)))
    return float(rank_k(ranks, 1).value or 0.0)


def judge(
    net: DlibResNet, valid: Chips, teacher: FloatArray, seed: int, device: torch.device, dtype: torch.dtype
) -> dict[str, float]:
    """Rank-1 of valid at every level, by the adapted vector alone and by the mean of both cosines."""
    still = copy.deepcopy(net)
    prepare(still, device, dtype)
    subjects = np.unique(valid.subjects, return_inverse=True)[1].astype(np.int64)
    order = np.array(sorted(range(len(valid)), key=valid.names.__getitem__))
    first = order[np.unique(subjects[order], return_index=True)[1]]
    rest = np.setdiff1d(order, first)
    views = ("original", *tuple(LADDER)[1:])
    vectors = [F.normalize(encode_all(still, valid, name, seed, device, dtype), dim=1).numpy() for name in views]
    out = {name: _rank1(vectors[0], one, subjects, first, rest) for name, one in zip(views, vectors, strict=True)}
    both = [np.concatenate([vectors[at], teacher[at]], axis=1) for at in range(len(views))]
    return out | {
        f"{name}+frozen": _rank1(both[0], one, subjects, first, rest) for name, one in zip(views, both, strict=True)
    }


def teacher_of(frozen: DlibFaceEncoder, valid: Chips, mean: Tensor, seed: int, folder: Path) -> FloatArray:
    """The frozen encoder's centred unit vectors of valid at every level: float32 [levels, N, 128]."""
    views = ("original", *tuple(LADDER)[1:])

    def make() -> Tensor:
        each = [encode_all(frozen.net, valid, name, seed, frozen.device, frozen.dtype) for name in views]
        return F.normalize(torch.stack(each) - mean, dim=2)

    out: FloatArray = kept(folder / "teacher-valid.safetensors", make).numpy()
    return out


def kept(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """A tensor from its file, made where there is none."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            save_file({"vectors": make().contiguous()}, temporary)
    return load_file(path)["vectors"]
