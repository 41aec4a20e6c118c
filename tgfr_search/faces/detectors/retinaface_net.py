"""RetinaFace with a MobileNet of a quarter of the width (Deng et al., CVPR 2020), in torch: pixels to raw faces.

Weights and their source: `weights/retinaface/NOTICE.md`; batch norms are folded in already.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tgfr_search import forked as forked
from tgfr_search.shipped import read_shipped
from tgfr_search.types import ByteArray, FloatArray

BGR_MEAN = (104.0, 117.0, 127.0)
STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))
"""Sides of the two anchors in each cell of a level."""
CENTRE, SIZE = 0.1, 0.2
"""Variances of the regression (SSD's)."""
SLOPE = 0.1
TWICE_AS_COARSE = ("stage1.0", "stage1.2", "stage1.4", "stage2.0", "stage3.0")
BODY = (("stage1", 6), ("stage2", 6), ("stage3", 2))
OVERLAP = 0.4


class Raw(NamedTuple):
    """Faces of one picture, the surest first.

    Attributes:
        boxes: float32 [N, 4]: left, top, right, bottom.
        points: float32 [N, 5, 2].
        scores: float32 [N], 0 to 1.
    """

    boxes: FloatArray
    points: FloatArray
    scores: FloatArray


@cache
def _weights() -> dict[str, Tensor]:
    arrays, _ = read_shipped("retinaface")
    out = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {n: t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for n, t in out.items()}


def _conv(x: Tensor, name: str, stride: int = 1, active: bool = True) -> Tensor:
    weight, bias = _weights()[f"{name}.weight"], _weights()[f"{name}.bias"]
    groups = x.shape[1] // weight.shape[1]
    x = F.conv2d(x, weight, bias, stride, weight.shape[2] // 2, groups=groups)
    return F.leaky_relu_(x, SLOPE) if active else x


def _body(x: Tensor) -> list[Tensor]:
    maps = []
    for stage, count in BODY:
        for index in range(count):
            name = f"{stage}.{index}"
            stride = 2 if name in TWICE_AS_COARSE else 1
            if name == "stage1.0":
                x = _conv(x, f"fx.{name}.0", stride)
            else:
                x = _conv(_conv(x, f"fx.{name}.0.0", stride), f"fx.{name}.1.0")
        maps.append(x)
    return maps


def _pyramid(maps: list[Tensor]) -> list[Tensor]:
    fine, middle, coarse = (_conv(x, f"fpn.output{level}.0") for level, x in enumerate(maps, start=1))
    middle = _conv(middle + F.interpolate(coarse, size=middle.shape[2:]), "fpn.merge2.0")
    fine = _conv(fine + F.interpolate(middle, size=fine.shape[2:]), "fpn.merge1.0")
    return [fine, middle, coarse]


def _context(x: Tensor, level: int) -> Tensor:
    """The SSH head: three receptive fields side by side."""
    name = f"ssh{level}"
    narrow = _conv(x, f"{name}.conv3X3.0", active=False)
    shared = _conv(x, f"{name}.conv5X5_1.0")
    wide = _conv(shared, f"{name}.conv5X5_2.0", active=False)
    widest = _conv(_conv(shared, f"{name}.conv7X7_2.0"), f"{name}.conv7x7_3.0", active=False)
    return F.relu_(torch.cat([narrow, wide, widest], dim=1))


def _anchors(height: int, width: int) -> FloatArray:
    """(x, y, side) of all anchors of a picture: float32 [A, 3]."""
    out = []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, side = (
            part.ravel() for part in np.meshgrid(np.arange(rows), np.arange(columns), np.array(sizes), indexing="ij")
        )
        out.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, side], axis=1))
    return np.concatenate(out).astype(np.float32)


@torch.inference_mode()
def outputs(picture: ByteArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The network's own outputs.

    Args:
        picture: uint8 [H, W, 3], RGB.

    Returns:
        Box regression [A, 4], score [A], point regression [A, 10], float32, A anchors.
    """
    bgr = np.ascontiguousarray(picture[..., ::-1]).astype(np.float32) - np.array(BGR_MEAN, np.float32)
    x = torch.from_numpy(bgr)[None].permute(0, 3, 1, 2)  # channels_last as it lies
    levels = [_context(x, level) for level, x in enumerate(_pyramid(_body(x)), start=1)]
    found: dict[str, list[Tensor]] = {"bbox_head": [], "class_head": [], "landmark_head": []}
    for (level, x), head in product(enumerate(levels), found):
        raw = _conv(x, f"{head}.{head}.{level}", active=False).permute(0, 2, 3, 1)
        found[head].append(raw.reshape(-1, raw.shape[3] // 2))
    boxes, classes, points = (torch.cat(parts) for parts in found.values())
    return boxes.numpy(), classes.softmax(dim=1)[:, 1].numpy(), points.numpy()


def look(picture: ByteArray, threshold: float) -> Raw:
    """Faces in one picture as it is, overlapping ones thinned out.

    Args:
        picture: uint8 [H, W, 3], RGB.
        threshold: Least score.
    """
    regression, scores, shifts = outputs(picture)
    sure = scores >= threshold
    regression, scores, shifts = regression[sure], scores[sure], shifts[sure]
    anchors = _anchors(*picture.shape[:2])[sure]
    side = anchors[:, 2:]
    centre = anchors[:, :2] + side * CENTRE * regression[:, :2]
    half = side * np.exp(SIZE * regression[:, 2:]) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    points = anchors[:, None, :2] + side[:, None] * CENTRE * shifts.reshape(-1, 5, 2)
    corner_size = np.concatenate([boxes[:, :2], 2 * half], axis=1)
    kept = np.asarray(cv2.dnn.NMSBoxes(corner_size.tolist(), scores.tolist(), threshold, OVERLAP), np.int64).ravel()
    return Raw(boxes[kept], points[kept], scores[kept])
