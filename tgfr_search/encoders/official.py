"""Official checkpoints of ArcFace, AdaFace and MagFace → weights in the names of `IResNet`.

    family   file                 keys
    arcface  backbone.pth         a state dict: conv1.weight, layer1.0.bn1.weight, …
    adaface  adaface_*.ckpt       Lightning, `state_dict`: model.input_layer.0.weight, model.body.0.res_layer.0.weight,
                                  …, and the training head, head.kernel, head.t, …
    magface  magface_*.pth        `state_dict`: features.module.conv1.weight, … (or module.features.…) and the last
                                  linear layer, module.fc.weight, fc.weight or parallel_fc.weight

Every key and every shape is checked: a file either is one of the published networks or is refused with its differences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tgfr_search.encoders.inert import read_tensors
from tgfr_search.encoders.iresnet import ARCHITECTURES, COUNTER, Architecture, IResNet
from tgfr_search.errors import CheckpointError

PREFIXES = {
    "arcface": ("", "module."),
    "adaface": ("model.", ""),
    "magface": ("features.module.", "module.features.", ""),
}
"""What a family's files put before the backbone's keys."""
HEADS = {
    "arcface": (),
    "adaface": ("head.kernel", "head.t", "head.batch_mean", "head.batch_std"),
    "magface": ("fc.weight", "module.fc.weight", "parallel_fc.weight"),
}
"""Weights of training that stand beside the backbone and are left behind. `head.` is AdaFace's margin head."""
FIRST_CONV = {
    "adaface": r"(model\.)?body\.\d+\.res_layer\.1\.weight",
    "magface": r"(features\.module|module\.features)\.layer\d\.\d+\.conv1\.weight",
    "arcface": r"(module\.)?layer\d\.\d+\.conv1\.weight",
}
"""The first convolution of a block in each family's names: one a block. MagFace without prefix looks like ArcFace."""
BLOCK_PARTS = ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")
LISTED = 12
"""Keys named in a message."""


@cache
def canonical_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Name → shape of every tensor of the network, in our names, batch counters included."""
    with torch.device("meta"):
        net = IResNet(architecture)
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


def official_name(name: str, architecture: Architecture) -> str:
    """The name that the family's own code gives to a tensor, without prefix.

    >>> official_name("layer2.0.conv1.weight", ARCHITECTURES["adaface-ir18"])
    'body.2.res_layer.1.weight'
    """
    if architecture.family != "adaface":
        return name
    top, _, rest = name.partition(".")
    outer = {"conv1": "input_layer.0", "bn1": "input_layer.1", "prelu": "input_layer.2"}
    outer |= {"bn2": "output_layer.0", "fc": "output_layer.3", "features": "output_layer.4"}
    if top in outer:
        return f"{outer[top]}.{rest}"
    block, part, rest = rest.split(".", 2)
    number = sum(architecture.blocks[: int(top.removeprefix("layer")) - 1]) + int(block)
    if part == "downsample":
        return f"body.{number}.shortcut_layer.{rest}"
    return f"body.{number}.res_layer.{BLOCK_PARTS.index(part)}.{rest}"


def recognise(keys: Iterable[str]) -> Architecture | None:
    """Which published network these keys belong to, by the family's names and the number of blocks."""
    names = list(keys)
    for family, first_conv in FIRST_CONV.items():
        count = sum(bool(re.fullmatch(first_conv, name)) for name in names)
        for architecture in ARCHITECTURES.values():
            if architecture.family == family and sum(architecture.blocks) == count:
                return architecture
    return None


def canonical(state: Mapping[str, Tensor], architecture: Architecture, where: str) -> dict[str, Tensor]:
    """The backbone's weights in float32 and our names, every key and shape checked.

    Args:
        state: The file's state dict.
        architecture: What it should hold.
        where: Named in errors.

    Raises:
        CheckpointError: Keys are missing or left over, or a shape differs; the message lists them.
    """
    shapes = canonical_shapes(architecture)
    best: tuple[list[str], list[str], dict[str, Tensor]] | None = None
    for prefix in PREFIXES[architecture.family]:
        names = {prefix + official_name(name, architecture): name for name in shapes}
        missing = [key for key in names if key not in state and not key.endswith(COUNTER)]
        extra = [key for key in state if key not in names and key not in HEADS[architecture.family]]
        if best is None or len(missing) < len(best[0]):
            best = (missing, extra, {name: state[key] for key, name in names.items() if key in state})
    assert best is not None
    missing, extra, found = best
    wrong = [f"{n} {_shape(t.shape)} (expected {_shape(shapes[n])})" for n, t in found.items() if t.shape != shapes[n]]
    if missing or extra or wrong:
        kinds = (("missing", missing), ("unexpected", extra), ("of another shape", wrong))
        listed = "; ".join(f"{len(keys)} {kind}: {_some(keys)}" for kind, keys in kinds if keys)
        raise CheckpointError(
            where,
            found=listed,
            expected=f"the weights of {architecture.name}",
            do=f"name the network with --arch, one of: {', '.join(ARCHITECTURES)}",
        )
    return {name: tensor.float().contiguous() for name, tensor in found.items() if not name.endswith(COUNTER)}


def convert(path: Path, arch: str | None = None) -> tuple[Architecture, dict[str, Tensor]]:
    """Reads an official checkpoint. Nothing in it is executed (`inert.read_tensors`).

    Args:
        path: `.pth`, `.pt`, `.ckpt` or `.safetensors`.
        arch: Name of `ARCHITECTURES`; None recognises it by its keys.

    Returns:
        The architecture and its weights in our names, float32.

    Raises:
        CheckpointError: The file cannot be read, or does not hold exactly that network.
    """
    state = read_tensors(path)
    architecture = ARCHITECTURES.get(arch) if arch else recognise(state)
    if architecture is None:
        raise CheckpointError(
            f"{path}",
            found=f"architecture {arch!r}" if arch else f"{len(state)} tensors: {_some(list(state))}",
            expected="backbone.pth of insightface, a .ckpt of AdaFace or a .pth of MagFace",
            do=f"name the network with --arch, one of: {', '.join(ARCHITECTURES)}",
        )
    return architecture, canonical(state, architecture, f"{path}")


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return ", ".join(keys[:LISTED]) + more
