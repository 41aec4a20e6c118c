"""SFace (Zhong et al., 2021; OpenCV Zoo's file of December 2021) in torch: 128-d vector and regional maps.

A MobileNet-v1 at full width on 112×112 pixels, its first layer without a stride. The weights that come with the package
are the published int8 numbers, block by block with their scales, unchanged (`weights/sface/NOTICE.md`); they are
multiplied out when they are loaded, and every batch norm is folded into its convolution, which is exact.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tgfr_search.encoders.mapped import Mapped, MappedEncoder, Pair
from tgfr_search.encoders.pixels import ARCFACE_ALIGNMENT, SFACE_PIXELS
from tgfr_search.errors import CheckpointError
from tgfr_search.shipped import DIGEST, Arrays, read_shipped
from tgfr_search.types import ByteArray, FloatArray

NAME = "sface-2021"
INPUT_SIZE = 112
DIM = 128
STEM = 32
BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""(channels, stride) of each depthwise-separable block."""
REGION_MAPS = {"512x14x14": 10, "1024x7x7": 12}  # map name → index of the block whose output it is
MAPPED = Mapped(NAME, ARCFACE_ALIGNMENT, INPUT_SIZE, DIM, REGION_MAPS)
MEAN, SCALE = 127.5, 1 / 128
"""The network's own first two operations: (x − 127.5) / 128 on raw 0–255 pixels."""
WIDE_BLOCKS = 5
"""The first blocks, whose maps are the large ones: 28 cells a side and more."""
AT_ONCE = 4
"""Faces a thread whose large maps a CPU makes at once: those of 32 leave its caches, and take twice as long."""
UNIT_EPS, HEAD_EPS = 1e-3, 2e-5
BLOCK_AXIS = 1


class _Unit(nn.Module):
    """Convolution (its batch norm folded in) → PReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups)
        self.prelu = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.prelu(self.conv(x))
        return y


class SFaceNet(nn.Module):
    """The network alone: raw pixels in, vector and one regional map out. Convolutions carry their batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Unit(3, STEM, 3)
        blocks, inputs = [], STEM
        for outputs, stride in BLOCKS:
            blocks.append(nn.Sequential(_Unit(inputs, inputs, 3, stride, groups=inputs), _Unit(inputs, outputs, 1)))
            inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(inputs * 7 * 7, DIM)

    def forward(self, x: Tensor, region_block: int = 10) -> tuple[Tensor, Tensor]:
        """Args: x: [B, 3, 112, 112], 0–255. Returns: ([B, 128], the map after `region_block`)."""
        return self.rest(self.trunk(x, WIDE_BLOCKS), WIDE_BLOCKS, region_block)

    def trunk(self, x: Tensor, blocks: int) -> Tensor:
        """The stem and the first `blocks` blocks, of x as `forward` takes it."""
        some = AT_ONCE * torch.get_num_threads() if x.device.type == "cpu" else len(x)
        if len(x) > some:
            return torch.cat([self.trunk(few, blocks) for few in x.split(some)])
        x = self.stem((x - MEAN) * SCALE)
        for block in self.blocks[:blocks]:
            x = block(x)
        return x

    def rest(self, x: Tensor, blocks: int, region_block: int) -> tuple[Tensor, Tensor]:
        """`forward` from behind the first `blocks` blocks on; `region_block` is not among them."""
        regions = x
        for index, block in enumerate(self.blocks[blocks:], blocks):
            x = block(x)
            if index == region_block:
                regions = x
        return self.head(x.contiguous().flatten(1)), regions


class OverOneTrunk(Pair):
    """A frozen net and its adapted copy, whose stem and first `blocks` blocks are the frozen net's: they run once."""

    frozen: SFaceNet
    adapted: SFaceNet

    def __init__(self, frozen: nn.Module, adapted: nn.Module, blocks: int) -> None:
        super().__init__(frozen, adapted)
        self.blocks = blocks

    def forward(self, x: Tensor, *at: int) -> tuple[Tensor, Tensor]:
        """As `Pair`; `at` is the block whose output is the map."""
        (region_block,) = at
        blocks = min(self.blocks, region_block)
        x = self.frozen.trunk(x, blocks)
        vector, _ = self.frozen.rest(x, blocks, region_block)
        adapted, regions = self.adapted.rest(x, blocks, region_block)
        return torch.cat([vector, adapted], dim=1), regions


def dequantise(arrays: Arrays, name: str) -> npt.NDArray[np.float64]:
    """One array of the published file, as float64: int8 blocks (q − zero) · scale, or as it stands.

    A block of `ceil(length / scales)` numbers along the second axis (the only one of a bias) shares one scale.
    """
    if f"{name}_quantized" not in arrays:
        return np.asarray(arrays[name], np.float64)
    q = arrays[f"{name}_quantized"].astype(np.float64)
    scale, zero = arrays[f"{name}_scales"].astype(np.float64), arrays[f"{name}_zero_point"].astype(np.float64)
    axis = min(BLOCK_AXIS, q.ndim - 1)
    length = q.shape[axis]
    block = -(-length // scale.shape[axis])
    each = np.arange(length) // block
    values = (q - zero.take(each, axis)) * scale.take(each, axis)
    rounded = np.asarray(values, np.float32)  # the runtime multiplies in float32, and this is to equal it
    return np.asarray(rounded.reshape(arrays[f"{name}_shape"]), np.float64)


def _norm(arrays: Arrays, name: str, eps: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A batch norm as y = gain · x + shift."""
    gamma, beta, mean, var = (
        arrays[f"{name}_{part}"].astype(np.float64) for part in ("gamma", "beta", "moving_mean", "moving_var")
    )
    gain = gamma / np.sqrt(var + eps)
    return gain, beta - mean * gain


def fold(arrays: Arrays) -> dict[str, Tensor]:
    """The published arrays as a state dict of `SFaceNet`, every batch norm folded into what stands before or after it.

    Args:
        arrays: By the published file's own names: `conv_1_conv2d_weight`, `conv_2_dw_batchnorm_gamma` and so on.

    Raises:
        CheckpointError: They are not this network's.
    """
    units = {"stem": "conv_1"}
    for index in range(len(BLOCKS)):
        units |= {f"blocks.{index}.0": f"conv_{index + 2}_dw", f"blocks.{index}.1": f"conv_{index + 2}"}
    state: dict[str, FloatArray | npt.NDArray[Any]] = {}
    try:
        for ours, theirs in units.items():
            gain, shift = _norm(arrays, f"{theirs}_batchnorm", UNIT_EPS)
            weight = dequantise(arrays, f"{theirs}_conv2d_weight")
            state[f"{ours}.conv.weight"] = weight * gain[:, None, None, None]
            state[f"{ours}.conv.bias"] = shift
            state[f"{ours}.prelu.weight"] = arrays[f"{theirs}_relu_gamma"].ravel()
        # norm → flatten → linear → norm, all linear: one matrix.
        before, after = _norm(arrays, "bn1", HEAD_EPS), _norm(arrays, "fc1", HEAD_EPS)
        cells = 7 * 7
        weight, bias = dequantise(arrays, "pre_fc1_weight"), dequantise(arrays, "pre_fc1_bias")
        bias = bias + weight @ np.repeat(before[1], cells)
        state["head.weight"] = after[0][:, None] * weight * np.repeat(before[0], cells)
        state["head.bias"] = after[0] * bias + after[1]
        out = {name: torch.from_numpy(np.ascontiguousarray(array, np.float32)) for name, array in state.items()}
        with torch.device("meta"):
            net = SFaceNet()
        net.load_state_dict(out, assign=True)
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError("SFace weights", found=str(error), expected="the arrays of SFace 2021dec") from error
    return out


@cache
def load_weights() -> tuple[dict[str, Tensor], str]:
    """The folded weights that come with the package, and the SHA-256 of the published numbers.

    Raises:
        CheckpointError: The file is damaged.
    """
    arrays, told = read_shipped("sface")
    return fold(arrays), told[DIGEST]


def make_net() -> SFaceNet:
    """The network with its published weights, float32 on the CPU, its parameters its own."""
    net = SFaceNet()
    net.load_state_dict(load_weights()[0])
    return net


class SFaceEncoder(MappedEncoder):
    """SFace as a frozen `FaceEncoder`.

    Args:
        device: Where it runs.
        dtype: float32, or bfloat16 where the hardware gains from it.
        flip: Average the vector and the map over the chip and its mirror image (twice the cost).
        regions: Which map to give: `512x14x14` (as local as the paper's) or `1024x7x7`.
    """

    def __init__(
        self,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        flip: bool = False,
        regions: str = "512x14x14",
    ) -> None:
        super().__init__(
            make_net(),
            MAPPED,
            SFACE_PIXELS.describe(flip),
            load_weights()[1],
            device,
            dtype,
            flip=flip,
            regions=regions,
        )

    def pixels(self, chips: ByteArray) -> Tensor:
        """Chips as the net reads them, on its device."""
        # Whole numbers up to 255, and their halves, are exact in bfloat16.
        return SFACE_PIXELS(chips, self.device).to(self.dtype)

    def blank(self) -> SFaceNet:
        """A net of this architecture that an adapted copy's weights go into."""
        return SFaceNet()

    def pair(self, adapted: nn.Module) -> Pair:
        """The frozen net and its copy as one; what was left frozen in the copy too is run once."""
        if not isinstance(adapted, SFaceNet) or not _left_frozen(adapted, "stem."):
            return super().pair(adapted)
        blocks = next((at for at in range(len(BLOCKS)) if not _left_frozen(adapted, f"blocks.{at}.")), len(BLOCKS))
        return OverOneTrunk(self.net, adapted, blocks)


def _left_frozen(adapted: SFaceNet, unit: str) -> bool:
    """Whether a part of a copy is the published net's, rounded to the float16 of the copy's file.

    The rounding is the file's and not the training's, so the published weights are what the copy was trained with.
    """
    published, own = load_weights()[0], adapted.state_dict()
    return all(torch.equal(own[name].half(), published[name].half()) for name in own if name.startswith(unit))
