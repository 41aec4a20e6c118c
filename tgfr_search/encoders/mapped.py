"""What the face nets rebuilt here share: the mirror average, and a frozen encoder of a net with several maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tgfr_search.encoders.base import FaceFeatures, FaceSpec, prepare
from tgfr_search.types import ByteArray


def both_ways(net: nn.Module, x: Tensor, flip: bool, *at: int) -> FaceFeatures:
    """One pass, or the average over the picture and its mirror image; the mirrored map is turned back.

    Args:
        net: x and `at` in, vector [B, D] and map [B, C, h, w] out.
        x: [B, 3, S, S], as the net reads it.
        flip: Whether to average.
        at: Which map, where the net has several.
    """
    vector, regions = net(x, *at)
    if flip:
        mirrored, mirrored_regions = net(x.flip(3), *at)
        vector, regions = (vector + mirrored) / 2, (regions + mirrored_regions.flip(3)) / 2
    return FaceFeatures(vector.float(), regions.float().contiguous())


@dataclass(frozen=True, slots=True)
class Mapped:
    """A face net with several maps.

    Attributes:
        name: In the contract.
        alignment: Name of the chip that it reads.
        input_size: Side of that chip.
        dim: D of its vector.
        maps: `CxHxW` → index of the layer whose output it is.
    """

    name: str
    alignment: str
    input_size: int
    dim: int
    maps: Mapping[str, int]


class Pair(nn.Module):
    """A frozen net and its adapted copy as one net: their vectors side by side, the copy's map.

    Args:
        frozen: As it is published.
        adapted: Of the same architecture.
    """

    def __init__(self, frozen: nn.Module, adapted: nn.Module) -> None:
        super().__init__()
        self.frozen, self.adapted = frozen, adapted

    def forward(self, x: Tensor, *at: int) -> tuple[Tensor, Tensor]:
        """Args: x and `at` as either net takes them. Returns: [B, 2D], [B, C, h, w]."""
        vector, _ = self.frozen(x, *at)
        adapted, regions = self.adapted(x, *at)
        return torch.cat([vector, adapted], dim=1), regions


class MappedEncoder(ABC):
    """A frozen `FaceEncoder` that can be the half of an adapted one (`AdaptableEncoder`).

    Args:
        net: With its weights; it is made ready for inference.
        of: Which.
        preprocessing: What `pixels` does, for the contract.
        sha256: Of the weights.
        device: Where it runs.
        dtype: Of its arithmetic.
        flip: Average the vector and the map over the chip and its mirror image (twice the cost).
        regions: Which map to give.
    """

    def __init__(
        self,
        net: nn.Module,
        of: Mapped,
        preprocessing: str,
        sha256: str,
        device: torch.device | str,
        dtype: torch.dtype,
        *,
        flip: bool,
        regions: str,
    ) -> None:
        self.net, self.device, self.dtype, self.flip = net, torch.device(device), dtype, flip
        prepare(net, self.device, dtype)
        self.at = of.maps[regions]
        channels, height, width = (int(part) for part in regions.split("x"))
        self._spec = FaceSpec(
            name=of.name,
            alignment=of.alignment,
            input_size=of.input_size,
            dim=of.dim,
            regions=(channels, height, width),
            preprocessing=preprocessing,
            sha256=sha256,
        )

    @property
    def spec(self) -> FaceSpec:
        """What identifies this encoder in a contract."""
        return self._spec

    @torch.inference_mode()
    def encode(self, chips: ByteArray) -> FaceFeatures:
        """Encodes uint8 [B, S, S, 3] RGB chips of its alignment.

        Returns:
            float32 vectors [B, D], not normalised, and the regional map.

        Raises:
            ValueError: The chips have another shape or type.
        """
        return self.through(self.net, self.pixels(chips))

    def through(self, net: nn.Module, x: Tensor) -> FaceFeatures:
        """What a net of this architecture makes of `pixels`, in this encoder's settings."""
        return both_ways(net, x, self.flip, self.at)

    @abstractmethod
    def pixels(self, chips: ByteArray) -> Tensor:
        """Chips as the net reads them, on its device."""

    @abstractmethod
    def blank(self) -> nn.Module:
        """A net of this architecture that an adapted copy's weights go into."""

    def pair(self, adapted: nn.Module) -> Pair:
        """The frozen net and its copy as one, for `through`."""
        return Pair(self.net, adapted)
