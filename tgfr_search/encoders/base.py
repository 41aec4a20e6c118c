"""What the model asks of a face encoder and of a text encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tgfr_search import forked as forked
from tgfr_search.errors import InputError
from tgfr_search.types import ByteArray


class FaceFeatures(NamedTuple):
    """Frozen image features (paper §3.2).

    Attributes:
        global_: float32 [B, D], as the encoder gives it, not normalised.
        regions: float32 [B, C, h, w], the feature map of the encoder's declared intermediate stage.
    """

    global_: Tensor
    regions: Tensor


class TextFeatures(NamedTuple):
    """Contextual word embeddings (paper §3.2, W̄), special tokens excluded.

    Attributes:
        words: float [B, L, D]; positions where `mask` is False hold nothing to be read.
        mask: bool [B, L], True at words.
    """

    words: Tensor
    mask: Tensor


class TokenBatch(NamedTuple):
    """A tokenised batch of captions.

    Attributes:
        ids: int64 [B, L], special tokens included.
        attention: int64 [B, L], 1 at tokens, 0 at padding.
        words: bool [B, L], True at tokens that are words (neither special nor padding).
        truncated: How many of the captions were longer than the encoder reads.
    """

    ids: Tensor
    attention: Tensor
    words: Tensor
    truncated: int


@dataclass(frozen=True, slots=True)
class FaceSpec:
    """What of a face encoder is part of an index's contract.

    Attributes:
        name: Registry name.
        alignment: Name of the alignment its chips must have.
        input_size: Chip side in pixels.
        dim: D of the global vector.
        regions: (C, h, w) of the regional map.
        preprocessing: Channel order, means, scale, flip: everything between chip and net.
        sha256: Of the weights.
        parts: (block, dimension) of what the global vector is made of; each becomes a template block of its own.
    """

    name: str
    alignment: str
    input_size: int
    dim: int
    regions: tuple[int, int, int]
    preprocessing: str
    sha256: str
    parts: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.parts:
            object.__setattr__(self, "parts", (("face", self.dim),))

    @property
    def frozen(self) -> str:
        """Name of the frozen encoder, which an adapted one names before its own."""
        return self.name.partition("+")[0]

    @property
    def weights_key(self) -> str:
        """What its features depend on, whatever is averaged over the mirrored face."""
        return repr((self.name, self.sha256, self.alignment, self.regions))


class FaceEncoder(Protocol):
    """A frozen network: chips in, global vector and regional map out."""

    @property
    def spec(self) -> FaceSpec:
        """What identifies this encoder in a contract."""
        ...

    def encode(self, chips: ByteArray) -> FaceFeatures:
        """Encodes uint8 [B, H, W, 3] RGB chips of the encoder's alignment; float32 on the encoder's device."""
        ...


class AdaptableEncoder(FaceEncoder, Protocol):
    """A face encoder whose net can be fine-tuned, and the copy be used beside it (`encoders.adapted`)."""

    device: torch.device
    dtype: torch.dtype

    @property
    def net(self) -> nn.Module:
        """The frozen net."""
        ...

    def pixels(self, chips: ByteArray) -> Tensor:
        """Chips as the net reads them, on its device."""
        ...

    def through(self, net: nn.Module, x: Tensor) -> FaceFeatures:
        """What a net of this architecture makes of `pixels`, in this encoder's settings."""
        ...

    def blank(self) -> nn.Module:
        """A net of this architecture that an adapted copy's weights go into."""
        ...

    def pair(self, adapted: nn.Module) -> nn.Module:
        """The frozen net and its copy as one, for `through`: their vectors side by side, the copy's map."""
        ...


class TextEncoder(Protocol):
    """A trainable network: tokens in, one embedding a word out."""

    @property
    def dim(self) -> int:
        """D of a word embedding."""
        ...

    @property
    def max_tokens(self) -> int:
        """The longest token sequence it reads, special tokens included."""
        ...

    def tokenize(self, captions: Sequence[str]) -> TokenBatch:
        """Tokenises captions, pads to the longest, and reports how many were cut at `max_tokens`."""
        ...

    def __call__(self, tokens: TokenBatch) -> TextFeatures:
        """Contextual embeddings of the words."""
        ...

    def state_dict(self) -> Mapping[str, Tensor]:
        """The weights, for a checkpoint."""
        ...


def encode_both(encoder: FaceEncoder, chips: ByteArray) -> tuple[FaceFeatures, FaceFeatures]:
    """Features of chips and of their mirror images; those of a part that is never averaged over both are alike.

    Args:
        encoder: Without flip averaging of its own.
        chips: uint8 [B, S, S, 3].
    """
    own = getattr(encoder, "encode_both", None)
    if own is not None:
        both: tuple[FaceFeatures, FaceFeatures] = own(chips)
        return both
    return encoder.encode(chips), encoder.encode(np.ascontiguousarray(chips[:, :, ::-1]))


def pick_device(name: str = "auto") -> torch.device:
    """Resolves `auto` to CUDA where there is one, else the CPU; any other name is torch's.

    Raises:
        InputError: There is no such device, or it cannot be used here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type != "cpu":
            torch.zeros(1, device=device).item()  # "cuda:7" has the form of a device whatever there is; "meta" has no 0
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device {name!r}",
            found=(str(error).splitlines() or [type(error).__name__])[0][:120],
            expected="auto, cpu, or cuda, cuda:1, … on a machine that has it",
            do="leave --device out; `tgfr-search doctor` tells what there is",
        ) from error
    return device


def prepare(net: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Makes a net ready for inference."""
    net.eval().requires_grad_(False)
    net.to(device=device, dtype=dtype)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names and bytes of a state dict, in name order."""
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(name.encode())
        total.update(state[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
