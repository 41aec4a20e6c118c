"""Maps of frozen face nets over the whole wide chip."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.train.attributes.map_parts import Arrays, Read
from tgfr_search.encoders import attribute_reader, dlib_resnet, sface
from tgfr_search.encoders.base import AdaptableEncoder
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.encoders.pixels import SFACE_PIXELS
from tgfr_search.encoders.sface import SFaceEncoder
from tgfr_search.faces.wide import cut
from tgfr_search.types import ByteArray

READERS = {
    "sface, wide at 112": (sface.NAME, 112),
    "sface, its own chip": (sface.NAME, None),
    "dlib, wide at 150": (dlib_resnet.MAPPED.name, 150),
}
"""Net, and the side that the wide chip is brought to; None cuts the net's own chip out of it, whose maps are there for
nothing: what they tell is no gain of the wider view."""
MAPS = {own.name: tuple(own.maps) for own in (sface.MAPPED, dlib_resnet.MAPPED)}
"""Net → its maps, by their sizes where the net reads its own chip."""


def averaged(regions: Tensor) -> npt.NDArray[np.float16]:
    """A map in 4 × 4 averages, for a cache: [B, C, h, w] to float16 [B, C·16]."""
    return np.asarray(attribute_reader.averaged(regions).half().numpy())


def map_reader(net: str, side: int | None) -> Read:
    """What gives the averaged maps of wide chips: map → float16 [B, C·16].

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


def milliseconds(read: Read, chips: ByteArray) -> float:
    """Time to read one chip in this process, median of three passes over all of them."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        read(chips)
        took.append((time.perf_counter() - started) / len(chips) * 1000)
    return float(np.median(took))
