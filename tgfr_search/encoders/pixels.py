"""From a face chip to the numbers a network reads: channel order, mean, scale. Part of an index's contract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tgfr_search.types import ByteArray

ARCFACE_ALIGNMENT = "arcface-112-dlib5"
"""Name of `faces.align.ARCFACE_CHIP`, which every 112×112 network here expects."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """x = (chip − minus) / divide, in the network's channel order.

    Attributes:
        order: `rgb` or `bgr`.
        minus: On the 0–255 scale, the same for all channels.
        divide: On the 0–255 scale.
        size: Side of the chip.
    """

    order: str
    minus: float
    divide: float
    size: int = 112

    def describe(self, flip: bool) -> str:
        """The text of the contract."""
        return f"{self.order};minus{self.minus:g};div{self.divide:g}{'+mirror' if flip else ''}"

    def __call__(self, chips: ByteArray, device: torch.device) -> Tensor:
        """Args: chips: uint8 [B, size, size, 3], RGB. Returns: float32 [B, 3, size, size], channels_last.

        Raises:
            ValueError: The chips have another shape or type.
        """
        if chips.dtype != np.uint8 or chips.ndim != 4 or chips.shape[1:] != (self.size, self.size, 3):
            raise ValueError(
                f"chips: found {chips.dtype} {chips.shape}, expected uint8 [B, {self.size}, {self.size}, 3]"
            )
        ordered = np.ascontiguousarray(chips if self.order == "rgb" else chips[..., ::-1])
        pixels = torch.from_numpy(ordered).to(device).permute(0, 3, 1, 2)
        return (pixels.float() - self.minus) / self.divide


ARCFACE_PIXELS = Pixels("rgb", 127.5, 127.5)
"""insightface, `arcface_torch/inference.py` and `model_zoo/arcface_onnx.py`: (x/255 − 0.5)/0.5."""
ADAFACE_PIXELS = Pixels("bgr", 127.5, 127.5)
"""AdaFace, `inference.py:to_input`: as ArcFace, in BGR."""
MAGFACE_PIXELS = Pixels("bgr", 0.0, 255.0)
"""MagFace, `inference/gen_feat.py` and `dataloader/dataloader.py`: cv2's BGR and x/255, nothing subtracted."""
SFACE_PIXELS = Pixels("rgb", 0.0, 1.0)
"""OpenCV, `objdetect/src/face_recognize.cpp`: raw 0–255; the network scales by itself."""
