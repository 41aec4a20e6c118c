"""dlib's face ResNet rebuilt in torch: 128-d global vector and regional maps, batched, CPU or GPU.

The weights come from the `.dat` that `face-recognition-models` installs (CC0). They are converted once to safetensors
in the user's cache, with every affine layer folded into its convolution, which is exact.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tgfr_search.encoders.base import tensors_sha256
from tgfr_search.encoders.dlib_dat import RGB_MEANS, read_layers
from tgfr_search.encoders.mapped import Mapped, MappedEncoder
from tgfr_search.errors import CheckpointError, MissingPartError
from tgfr_search.files import replacing
from tgfr_search.types import ByteArray

INPUT_SIZE = 150
ALIGNMENT = "dlib-150"
DIM = 128
STAGES = (
    (32, 3),
    (64, 4),
    (128, 3),
    (256, 3),
    (256, 1),
)  # (channels, blocks); all but the first begin with a down block
REGION_MAPS = {"256x4x4": 3, "128x8x8": 2}  # map name → index of the stage whose output it is
MAPPED = Mapped("dlib-resnet", ALIGNMENT, INPUT_SIZE, DIM, REGION_MAPS)
DAT_NAME = "dlib_face_recognition_resnet_model_v1.dat"
INSTALL = "pip install face-recognition-models==0.3.0"


class _Block(nn.Module):
    """Residual block; a down block halves the map and pads the shortcut's missing channels with zeros."""

    def __init__(self, inputs: int, outputs: int, down: bool) -> None:
        super().__init__()
        self.down = down
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2 if down else 1, padding=0 if down else 1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x)))
        if self.down:
            x = F.avg_pool2d(x, 2)
            h, w = max(x.shape[2], y.shape[2]), max(x.shape[3], y.shape[3])
            x = F.pad(x, (0, w - x.shape[3], 0, h - x.shape[2], 0, y.shape[1] - x.shape[1]))
            y = F.pad(y, (0, w - y.shape[3], 0, h - y.shape[2]))
        return F.relu(x + y)


class DlibResNet(nn.Module):
    """The network alone: normalised pixels in, global vector and one regional map out.

    Args:
        head_bias: The last layer adds a bias; dlib's own has none.
    """

    def __init__(self, head_bias: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        stages, inputs = [], 32
        for index, (channels, count) in enumerate(STAGES):
            blocks = [_Block(inputs if i == 0 else channels, channels, index > 0 and i == 0) for i in range(count)]
            stages.append(nn.Sequential(*blocks))
            inputs = channels
        self.stages = nn.ModuleList(stages)
        self.head = nn.Linear(256, DIM, bias=head_bias)

    def forward(self, x: Tensor, region_stage: int = 3) -> tuple[Tensor, Tensor]:
        """Args: x: [B, 3, 150, 150]. Returns: ([B, 128], the map after `region_stage`)."""
        x = F.max_pool2d(F.relu(self.stem(x)), 3, stride=2)
        regions = x
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index == region_stage:
                regions = x
        return self.head(x.mean(dim=(2, 3))), regions


def convert(dat: Path) -> dict[str, Tensor]:
    """Reads the `.dat` into a `DlibResNet` state dict, folding y = γ·(Wx + b) + β into the convolution.

    Raises:
        CheckpointError: The file does not hold this network.
    """
    layers = read_layers(dat)
    net = DlibResNet()
    convolutions = [layer for layer in layers if layer.kind == "con_4"]
    affines = [layer for layer in layers if layer.kind == "affine_"]
    modules = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]
    state: dict[str, Tensor] = {}
    for (name, module), con, affine in zip(modules, convolutions, affines, strict=True):
        assert con.params is not None
        assert affine.params is not None
        shape = module.weight.shape
        if con.params.size != module.weight.numel() + shape[0] or affine.params.size != 2 * shape[0]:
            raise CheckpointError(
                f"{dat}, layer {name}", found=f"{con.params.size} numbers", expected=f"{tuple(shape)} and biases"
            )
        # Folded in float64 so that the only rounding left is the one to float32 at the end.
        weight = con.params[: -shape[0]].reshape(shape).astype(np.float64)
        bias = con.params[-shape[0] :].astype(np.float64)
        gamma, beta = affine.params.astype(np.float64).reshape(2, -1)
        state[f"{name}.weight"] = torch.from_numpy((weight * gamma[:, None, None, None]).astype(np.float32))
        state[f"{name}.bias"] = torch.from_numpy((bias * gamma + beta).astype(np.float32))
    head = layers[-1].params
    assert head is not None
    state["head.weight"] = torch.from_numpy(np.ascontiguousarray(head.reshape(256, DIM).T))
    return state


def find_dat() -> Path:
    """The installed `.dat`. The package itself is never imported: it needs pkg_resources, which newer setuptools lack.

    Raises:
        MissingPartError: It is not installed.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root) / "models" / DAT_NAME
        if path.is_file():
            return path
    raise MissingPartError(f"weights {DAT_NAME}", found="not installed", expected="an installed package", do=INSTALL)


def cache_dir() -> Path:
    """Where converted weights live: `$TGFR_CACHE`, else the user's cache folder."""
    base = os.environ.get("TGFR_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tgfr-search"


@cache
def load_weights() -> tuple[dict[str, Tensor], str]:
    """The converted weights and the SHA-256 of the `.dat` they came from; converts on the first call on a machine.

    The cache file is named by the digest of its source and carries a digest of its own tensors, so a stale or damaged
    copy is never used: it is made again, which costs a fraction of a second.
    """
    dat = find_dat()
    source = hashlib.sha256(dat.read_bytes()).hexdigest()
    path = cache_dir() / f"dlib-resnet-{source[:16]}.safetensors"
    if path.is_file():
        try:
            state = load_file(path)
            with safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("tensors_sha256") == tensors_sha256(state):
                    return state, source
        except (OSError, SafetensorError):
            pass
    state = convert(dat)
    with contextlib.suppress(OSError):  # a read-only or full cache costs speed, not the result
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            save_file(state, temporary, {"source_sha256": source, "tensors_sha256": tensors_sha256(state)})
    return state, source


class DlibFaceEncoder(MappedEncoder):
    """dlib's face net as a frozen `FaceEncoder`.

    Args:
        device: Where it runs.
        dtype: float32, or bfloat16 where the hardware gains from it (AMX, AVX512-BF16, CUDA).
        flip: Average the global vector and the map over the chip and its mirror image (twice the cost).
        regions: Which map to give: `256x4x4` (most discriminative) or `128x8x8` (most local).
    """

    def __init__(
        self,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        flip: bool = False,
        regions: str = "256x4x4",
    ) -> None:
        state, digest = load_weights()
        net = DlibResNet()
        net.load_state_dict(state)
        preprocessing = f"rgb;minus(122.782,117.001,104.298);div256{'+mirror' if flip else ''}"
        super().__init__(net, MAPPED, preprocessing, digest, device, dtype, flip=flip, regions=regions)

    def pixels(self, chips: ByteArray) -> Tensor:
        """Chips as the net reads them, on its device."""
        return pixels(chips, self.device, self.dtype)

    def blank(self) -> DlibResNet:
        """A net of this architecture that an adapted copy's weights go into."""
        return DlibResNet(head_bias=True)


def pixels(chips: ByteArray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Chips as the net reads them.

    Args:
        chips: uint8 [B, 150, 150, 3], RGB.
        device: Where the net is.
        dtype: Of its arithmetic.

    Returns:
        [B, 3, 150, 150] in channels_last, (x − mean) / 256.

    Raises:
        ValueError: The chips have another shape or type.
    """
    if chips.dtype != np.uint8 or chips.ndim != 4 or chips.shape[1:] != (INPUT_SIZE, INPUT_SIZE, 3):
        raise ValueError(f"chips: found {chips.dtype} {chips.shape}, expected uint8 [B, 150, 150, 3]")
    x = torch.from_numpy(np.ascontiguousarray(chips)).to(device).permute(0, 3, 1, 2)
    means = torch.tensor(RGB_MEANS, dtype=torch.float32, device=device).view(1, 3, 1, 1)
    return ((x.float() - means) / 256.0).to(dtype)  # permuted NHWC is channels_last already
