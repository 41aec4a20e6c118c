"""Official-layout state dicts with random weights, and a forward over their keys written from the block definition."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

LAYOUTS = Path(__file__).parent / "layouts"
BLOCKS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3), "50": (3, 4, 14, 3)}


def layout(name: str) -> dict[str, tuple[int, ...]]:
    """The stored list: key → shape, as the official code gives them."""
    out = {}
    for line in (LAYOUTS / f"{name}.txt").read_text().splitlines():
        key, shape = line.split()
        out[key] = () if shape == "scalar" else tuple(int(n) for n in shape.split("x"))
    return out


def random_state(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Weights of a sane size, and running statistics that are not those of a fresh network."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            out[key] = torch.tensor(1000)
        elif key.endswith("running_var"):
            out[key] = torch.rand(shape, generator=generator) + 0.5
        elif len(shape) > 1:
            fan_in = torch.tensor(shape[1:]).prod()
            out[key] = torch.randn(shape, generator=generator) * (1.5 / fan_in) ** 0.5
        elif key.endswith(".weight"):
            out[key] = torch.rand(shape, generator=generator) * 0.5 + 0.25
        else:
            out[key] = torch.randn(shape, generator=generator) * 0.1
    return out


def norm(state: dict[str, Tensor], key: str, x: Tensor, eps: float) -> Tensor:
    """y = γ (x − mean) / sqrt(var + ε) + β with the stored statistics, written out."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    scale = 1 / (state[f"{key}.running_var"] + eps).sqrt()
    y = (x - state[f"{key}.running_mean"].view(shape)) * scale.view(shape)
    if f"{key}.weight" in state:
        y = y * state[f"{key}.weight"].view(shape) + state[f"{key}.bias"].view(shape)
    return y


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x > 0, x, x * slope.view(1, -1, 1, 1))


def forward(state: dict[str, Tensor], x: Tensor, layers: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    """insightface's and MagFace's IResNet over a state dict without prefix."""
    x = prelu(norm(state, "bn1", F.conv2d(x, state["conv1.weight"], padding=1), eps), state["prelu.weight"])
    regions = x
    for stage, count in enumerate(layers, 1):
        for index in range(count):
            at, stride = f"layer{stage}.{index}", 2 if index == 0 else 1
            y = F.conv2d(norm(state, f"{at}.bn1", x, eps), state[f"{at}.conv1.weight"], padding=1)
            y = prelu(norm(state, f"{at}.bn2", y, eps), state[f"{at}.prelu.weight"])
            y = norm(state, f"{at}.bn3", F.conv2d(y, state[f"{at}.conv2.weight"], stride=stride, padding=1), eps)
            if index == 0:
                x = norm(state, f"{at}.downsample.1", F.conv2d(x, state[f"{at}.downsample.0.weight"], stride=2), eps)
            x = x + y
        if stage == 3:
            regions = x
    flat = norm(state, "bn2", x, eps).flatten(1)
    return norm(state, "features", flat @ state["fc.weight"].T + state["fc.bias"], eps), regions


def forward_adaface(state: dict[str, Tensor], x: Tensor, layers: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """AdaFace's Backbone over a state dict without prefix, before its division by the norm."""
    eps = 1e-5
    x = F.conv2d(x, state["input_layer.0.weight"], padding=1)
    x = prelu(norm(state, "input_layer.1", x, eps), state["input_layer.2.weight"])
    firsts = [sum(layers[:n]) for n in range(4)]
    regions = x
    for number in range(sum(layers)):
        at, stride = f"body.{number}.res_layer", 2 if number in firsts else 1
        y = F.conv2d(norm(state, f"{at}.0", x, eps), state[f"{at}.1.weight"], padding=1)
        y = prelu(norm(state, f"{at}.2", y, eps), state[f"{at}.3.weight"])
        y = norm(state, f"{at}.5", F.conv2d(y, state[f"{at}.4.weight"], stride=stride, padding=1), eps)
        shortcut = f"body.{number}.shortcut_layer"
        if f"{shortcut}.0.weight" in state:
            x = norm(state, f"{shortcut}.1", F.conv2d(x, state[f"{shortcut}.0.weight"], stride=stride), eps)
        else:
            x = x[:, :, ::stride, ::stride]  # MaxPool2d(1, stride) takes every stride-th pixel
        x = x + y
        if number == firsts[3] - 1:
            regions = x
    flat = norm(state, "output_layer.0", x, eps).flatten(1)
    return norm(state, "output_layer.4", flat @ state["output_layer.3.weight"].T + state["output_layer.3.bias"], eps), (
        regions
    )
