"""The tensors of a safetensors file, or in plain words what the file is instead."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tgfr_search.errors import CheckpointError

_EXPECTED = "a safetensors file"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Name → tensor, on the CPU, as stored.

    Raises:
        CheckpointError: The file is not there, cut off, something else under this name (a Git LFS pointer, a web page),
            or holds a NaN or an infinity, which would make every score one.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}", found=_what(path, error), expected=_EXPECTED, do="copy it once more"
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{path}", found=f"NaN or infinity in {name}", expected="finite weights", do="copy it once more"
            )
    return tensors


def _what(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        return "no such file"
    except OSError as refused:
        return str(refused.strerror)
    if not start:
        return "an empty file"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer (`git lfs pull` brings what it points to)"
    if start.lstrip()[:1] == b"<":
        return "a web page or XML"
    return str(error).splitlines()[0]


def first_mismatch(error: RuntimeError) -> str:
    """Which tensor does not fit, of the error of `load_state_dict`: its first line only names the class."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next(iter(lines[1:]), lines[0])
