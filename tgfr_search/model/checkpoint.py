"""A trained model on disk: safetensors, JSON and a card in one folder, the text encoder in a folder beside it.

    weights/<name>/
      config.json          architecture, score weights, provenance, digest of the tensors
      model.safetensors    everything trained but the text encoder
      CARD.md              data, protocol, numbers, licence, limits
      text/, face/         the fine-tuned text encoder; the adapted half of the face encoder, where there is one
      statements/          what of its rows tells the attributes that a description states, where that was made

Several models that share fine-tuned encoders name one folder (`text` and `face` in config.json, relative). A model that
was put together from the trained modules of another (`pipelines.tools.join_faces`) names its folder as `heads`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tgfr_search.encoders.base import pick_device, tensors_sha256
from tgfr_search.encoders.registry import fast_dtype, late_text_encoder, make_face_encoder
from tgfr_search.encoders.tensors import first_mismatch, read_tensors
from tgfr_search.errors import CheckpointError
from tgfr_search.faces.detectors.registry import FIRST
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.statements import FOLDER as STATEMENTS
from tgfr_search.model.statements import read_directions
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import ModelOptions
from tgfr_search.strict import from_dict, to_dict

FORMAT = 1
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
DEFAULT_MODEL = "tgfr-minilm-sface"


def save_model(
    folder: Path,
    model: TGFR,
    options: ModelOptions,
    scoring: ScoreModel,
    *,
    name: str,
    text: str,
    face: str | None = None,
    detector: str = FIRST,
    provenance: dict[str, Any],
) -> str:
    """Writes a checkpoint folder, without its card.

    Args:
        folder: Made if it is not there.
        model: The trained model.
        options: Its architecture.
        scoring: Its score weights.
        name: Of the model.
        text: Folder of the fine-tuned text encoder, relative to `folder`; written here if it is not there yet.
        face: Folder of an adapted face encoder, relative to `folder`; None where the options name the encoder.
        detector: What found the faces that it was trained on, and finds those that it is given.
        provenance: Data hash, seed, versions, device, validation numbers: JSON values.

    Returns:
        The model id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder: Any = model.fcam.text
    if not (folder / text / "config.json").is_file():
        encoder.save(folder / text)
    heads = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items() if not k.startswith(_TEXT)}
    # float16 halves the file; buffers that count (batch norm) stay integers.
    heads = {k: v.half() if v.is_floating_point() else v for k, v in heads.items()}
    digest = _digest(heads, load_file(folder / text / "model.safetensors"))
    model_id = f"{name}-{digest[:8]}"
    config = {
        "format": FORMAT,
        "name": name,
        "model_id": model_id,
        "tensors_sha256": digest,
        "text": text,
        "face": face,
        "detector": detector,
        "model": to_dict(options),
        "scoring": scoring.as_dict(),
        "provenance": provenance,
    }
    save_file(heads, folder / "model.safetensors", {"format": "pt", "model_id": model_id})
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    return model_id


_TEXT = "fcam.text."


def _digest(heads: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> str:
    return hashlib.sha256((tensors_sha256(heads) + tensors_sha256(text)).encode()).hexdigest()


def joined_id(name: str, tensors_sha256: str, face_sha256: str) -> str:
    """The id of a model that has the trained modules of another and a face encoder of its own."""
    return f"{name}-{hashlib.sha256(f'{tensors_sha256} {face_sha256}'.encode()).hexdigest()[:8]}"


def find_model(name: str | Path | None = None) -> Path:
    """The folder of a model: a path, or the name of one that is shipped; None is the default.

    Raises:
        CheckpointError: There is no such model; the message lists those there are.
    """
    wanted = str(name or DEFAULT_MODEL)
    for folder in (WEIGHTS / wanted, Path(wanted)):
        if (folder / "config.json").is_file():
            return folder
    raise CheckpointError(
        f"model {wanted!r}", found="no config.json", expected=f"a folder, or one of: {', '.join(shipped())}"
    )


def shipped() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/config.json") if _is_model(path))


def shipped_as(model_id: str) -> str | None:
    """The name by which a model comes with the package; None where it does not."""
    return next((name for name in shipped() if read_config(find_model(name))["model_id"] == model_id), None)


def _is_model(path: Path) -> bool:
    return "scoring" in json.loads(path.read_text())


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a checkpoint folder, checked.

    Raises:
        CheckpointError: It is not one, or of another format.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}", found=str(error), expected="a checkpoint's config.json") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}", found=type(config).__name__, expected="a checkpoint's config.json")
    if config.get("format") != FORMAT:
        raise CheckpointError(f"{path}", found=f"format {config.get('format')!r}", expected=f"format {FORMAT}")
    if absent := [key for key in ("model", "model_id", "scoring", "text", "tensors_sha256") if not config.get(key)]:
        raise CheckpointError(f"{path}", found=f"no {', '.join(absent)}", expected="a checkpoint's config.json")
    return config


def load_model(
    name: str | Path | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    verify: bool = False,
    statements: bool = True,
) -> FaceTextModel:
    """Loads a trained model with its encoders.

    Args:
        name: Shipped name or folder; None is the default.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, …
        precision: Of the face encoder: `auto` is bfloat16 where the hardware gains from it, else `float32`.
        verify: Also compare every tensor with the digest in config.json.
        statements: Also what was made to tell what descriptions state, where the model has it.

    Raises:
        CheckpointError: A file is missing, damaged, or does not fit the architecture.
        MissingPartError: The face encoder's weights are not installed.
    """
    where = pick_device(device)
    dtype = fast_dtype(where) if precision == "auto" else getattr(torch, precision)
    return _load(find_model(name), where, dtype, verify, statements)


def _load(folder: Path, where: torch.device, dtype: torch.dtype, verify: bool, statements: bool) -> FaceTextModel:
    config = read_config(folder)
    options = from_dict(config["model"], ModelOptions, f"{folder / 'config.json'}: model")
    face = make_face_encoder(face_source(folder, config), where, dtype, flip=options.flip, regions=options.regions)
    text = late_text_encoder(folder / config["text"])
    model = TGFR(text, options, parts=face.spec.parts, region_channels=face.spec.regions[0])
    trained = heads_file(folder, config)
    heads = read_tensors(trained)
    try:
        missing, unexpected = model.load_state_dict({k: _full(v) for k, v in heads.items()}, strict=False)
    except RuntimeError as error:
        raise CheckpointError(
            f"{trained}",
            found=first_mismatch(error),
            expected="the tensors of config.json's model",
        ) from error
    missing = [key for key in missing if not key.startswith(_TEXT)]
    if missing or unexpected:
        found = f"missing {missing or 'nothing'}, unexpected {unexpected or 'nothing'}"
        raise CheckpointError(f"{trained}", found=found, expected="the tensors of config.json's model")
    if verify and _digest(heads, load_file(folder / config["text"] / "model.safetensors")) != config["tensors_sha256"]:
        raise CheckpointError(f"{folder}", found="tensors of another digest", expected=config["tensors_sha256"])
    model.eval().requires_grad_(False).to(where)
    model.fcam.text_dtype = dtype
    loaded = FaceTextModel(config["model_id"], config, face, model, ScoreModel.from_dict(config["scoring"]), folder)
    if not statements or not (folder / STATEMENTS).is_dir():
        return loaded
    return replace(loaded, directions=read_directions(folder / STATEMENTS, loaded.contract))


def heads_file(folder: Path, config: Mapping[str, Any]) -> Path:
    """The tensors of the trained modules: the checkpoint's own, or those of the one whose modules it has."""
    return folder / str(config.get("heads", ".")) / "model.safetensors"


def face_source(folder: Path, config: Mapping[str, Any]) -> str:
    """The face encoder of a checkpoint, as `make_face_encoder` takes it: a folder beside it, or a registry name."""
    adapted = config.get("face")
    return str(folder / adapted) if adapted else str(config["model"]["face_encoder"])


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def machine() -> dict[str, str]:
    """What the arithmetic ran on, for provenance."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    return {"device": device, "torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}


def _processor() -> str:
    """The CPU as Linux names it, with its cores; elsewhere what Python knows of it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return platform.processor() or platform.machine()
