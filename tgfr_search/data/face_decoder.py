"""The demo model's decoder in NumPy: a code and its conditions → a face of 128×128 pixels. Trained by `benchmarks`.

code → linear → 4×4 → five blocks → 3×3 → twelve channels = 2×2 pixels RGB. A block = scale to mean square 1 → modulate
by the code → mix channels → add noise → enlarge ×2 (not the last) → 3×3 → leaky ReLU.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tgfr_search.types import ByteArray, FloatArray

START = 4
"""Side of the first map in pixels."""
SLOPE = 0.2
"""Of the leaky ReLU below 0."""
EPSILON = 1e-4
"""Added to the mean square before a map is divided by its root."""


class FaceDecoder:
    """The network.

    Args:
        tensors: Its weights: `start.{weight,bias}`, `block<i>.{style,mix,conv}.{weight,bias}`, `block<i>.noise` where
            the block has noise, `rgb.{weight,bias}`. Weights are [inputs, outputs]; a 3×3 has its nine taps, row by
            row, as 9·inputs.
    """

    def __init__(self, tensors: Mapping[str, FloatArray]) -> None:
        self._tensors = tensors
        self._blocks = sum(name.endswith(".conv.weight") for name in tensors)

    def __call__(self, code: FloatArray, noise: np.random.Generator) -> ByteArray:
        """Draw one face.

        Args:
            code: float32 [D], latent code and conditions side by side.
            noise: Where the texture (strands of hair, pores) is drawn from.

        Returns:
            uint8 [128, 128, 3], RGB.
        """
        x = _leaky(self._linear(code, "start")).reshape(START, START, -1)
        for index in range(self._blocks):
            x = self._block(x, code, f"block{index}", noise, enlarge=index < self._blocks - 1)
        height, width, _ = x.shape
        fine = np.tanh(self._conv(x, "rgb")).reshape(height, width, 3, 2, 2)
        pixels = fine.transpose(0, 3, 1, 4, 2).reshape(2 * height, 2 * width, 3)
        return np.clip(np.rint((pixels + 1) * 127.5), 0, 255).astype(np.uint8)

    def _block(
        self, x: FloatArray, code: FloatArray, name: str, noise: np.random.Generator, *, enlarge: bool
    ) -> FloatArray:
        scale, shift = np.split(self._linear(code, f"{name}.style"), 2)
        x = x / np.sqrt(np.mean(x**2) + EPSILON)
        x = self._linear(x * (1 + scale) + shift, f"{name}.mix")
        if (strength := self._tensors.get(f"{name}.noise")) is not None:
            x = x + noise.standard_normal((*x.shape[:2], 1), np.float32) * strength
        if enlarge:
            x = x.repeat(2, axis=0).repeat(2, axis=1)
        return _leaky(self._conv(x, f"{name}.conv"))

    def _linear(self, x: FloatArray, name: str) -> FloatArray:
        return np.asarray(x @ self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"], np.float32)

    def _conv(self, x: FloatArray, name: str) -> FloatArray:
        """3×3, zero-padded: one matrix product a tap, faster here than gathering the nine taps first."""
        height, width, channels = x.shape
        taps = self._tensors[f"{name}.weight"].reshape(9, channels, -1)
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        y = np.zeros((height * width, taps.shape[2]), np.float32)
        for tap, weight in enumerate(taps):
            row, column = divmod(tap, 3)
            y += padded[row : row + height, column : column + width].reshape(-1, channels) @ weight
        return np.asarray((y + self._tensors[f"{name}.bias"]).reshape(height, width, -1), np.float32)


def _leaky(x: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(x, SLOPE * x), np.float32)
