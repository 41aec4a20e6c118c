"""iResNet ("IR") face networks as ArcFace, AdaFace and MagFace define them: 512-d vector, 256×14×14 regions.

One network stands for the three: it has insightface's names, and `official.py` brings the other layouts to them.
Sources: insightface `recognition/arcface_torch/backbones/iresnet.py`, AdaFace `net.py`, MagFace `models/iresnet.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tgfr_search.encoders.base import FaceFeatures, FaceSpec
from tgfr_search.encoders.mapped import both_ways
from tgfr_search.encoders.pixels import ADAFACE_PIXELS, ARCFACE_ALIGNMENT, ARCFACE_PIXELS, MAGFACE_PIXELS, Pixels
from tgfr_search.types import ByteArray

DIM = 512
REGIONS = (256, 14, 14)
CHANNELS = (64, 128, 256, 512)
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Depth → residual blocks of the four stages. AdaFace calls the last one 101."""
COUNTER = ".num_batches_tracked"
"""Training's count of batches in every batch norm: nothing reads it in eval, so it is not stored."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One published network.

    Attributes:
        name: Of `model add --arch`.
        family: `arcface`, `adaface` or `magface`.
        blocks: Residual blocks of the four stages.
        pixels: Its input.
        eps: Of its batch norms.
        pooled_shortcut: The first shortcut, 64 → 64 channels, only subsamples (AdaFace) and has no weights.
        affine_output: The last batch norm has weight and bias (all but AdaFace).
    """

    name: str
    family: str
    blocks: tuple[int, int, int, int]
    pixels: Pixels
    eps: float = 1e-5
    pooled_shortcut: bool = False
    affine_output: bool = True


def _architectures() -> Iterator[Architecture]:
    for depth, blocks in BLOCKS.items():
        yield Architecture(f"arcface-r{depth}", "arcface", blocks, ARCFACE_PIXELS)
    for depth, blocks in BLOCKS.items():
        name = f"adaface-ir{101 if depth == 100 else depth}"
        yield Architecture(name, "adaface", blocks, ADAFACE_PIXELS, pooled_shortcut=True, affine_output=False)
    for depth, blocks in BLOCKS.items():
        yield Architecture(f"magface-r{depth}", "magface", blocks, MAGFACE_PIXELS, eps=2e-5)


ARCHITECTURES = {architecture.name: architecture for architecture in _architectures()}


class _Block(nn.Module):
    """norm → 3×3 conv → norm → PReLU → 3×3 conv (stride) → norm, plus the shortcut; nothing after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int, eps: float, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, eps)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


class IResNet(nn.Module):
    """The network alone: normalised pixels in, 512-d vector and the third stage's map out."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        eps = architecture.eps
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64, eps)
        self.prelu = nn.PReLU(64)
        stages, inputs = [], 64
        for channels, count in zip(CHANNELS, architecture.blocks, strict=True):
            shortcut: nn.Module
            if architecture.pooled_shortcut and inputs == channels:
                shortcut = nn.MaxPool2d(1, 2)
            else:
                shortcut = nn.Sequential(nn.Conv2d(inputs, channels, 1, 2, bias=False), nn.BatchNorm2d(channels, eps))
            first = _Block(inputs, channels, 2, eps, shortcut)
            stages.append(nn.Sequential(first, *(_Block(channels, channels, 1, eps, None) for _ in range(count - 1))))
            inputs = channels
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = nn.BatchNorm2d(512, eps)
        self.fc = nn.Linear(512 * 7 * 7, DIM)
        self.features = nn.BatchNorm1d(DIM, eps, affine=architecture.affine_output)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Args: x: [B, 3, 112, 112]. Returns: ([B, 512], [B, 256, 14, 14]), the vector not normalised."""
        x = self.prelu(self.bn1(self.conv1(x)))
        regions = self.layer3(self.layer2(self.layer1(x)))
        x = self.bn2(self.layer4(regions))
        return self.features(self.fc(x.flatten(1))), regions


class IResNetFaceEncoder:
    """An iResNet as a frozen `FaceEncoder`.

    Args:
        name: In the contract.
        architecture: Which published network.
        state: Its weights, in insightface's names (`official.canonical`).
        sha256: Of the weights.
        device: Where it runs.
        dtype: Of convolutions and the last linear layer; batch norms stay in float32, which costs nothing and keeps
            their running statistics exact.
        flip: Average vector and map over the chip and its mirror image (twice the cost).
    """

    def __init__(
        self,
        name: str,
        architecture: Architecture,
        state: Mapping[str, Tensor],
        sha256: str,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        flip: bool = False,
    ) -> None:
        self.architecture, self.device, self.dtype, self.flip = architecture, torch.device(device), dtype, flip
        with torch.device("meta"):  # no weights are drawn that would be thrown away
            self.net = IResNet(architecture)
        counters = {k: torch.zeros((), dtype=torch.int64) for k in self.net.state_dict() if k.endswith(COUNTER)}
        self.net.load_state_dict({**counters, **state}, assign=True)
        self.net.eval().requires_grad_(False)
        self.net.to(device=self.device, dtype=dtype)
        for module in self.net.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.float()
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._spec = FaceSpec(
            name=name,
            alignment=ARCFACE_ALIGNMENT,
            input_size=architecture.pixels.size,
            dim=DIM,
            regions=REGIONS,
            preprocessing=architecture.pixels.describe(flip),
            sha256=sha256,
        )

    @property
    def spec(self) -> FaceSpec:
        """What identifies this encoder in a contract."""
        return self._spec

    @torch.inference_mode()
    def encode(self, chips: ByteArray) -> FaceFeatures:
        """Encodes uint8 [B, 112, 112, 3] RGB chips of `ARCFACE_CHIP`.

        Returns:
            float32 vectors [B, 512], not normalised, and maps [B, 256, 14, 14].

        Raises:
            ValueError: The chips have another shape or type.
        """
        x = self.architecture.pixels(chips, self.device).to(self.dtype)
        return both_ways(self.net, x, self.flip)
