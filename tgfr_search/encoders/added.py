"""Encoders that a user has added from official files: converted weights, and a card of what is known of them.

    $TGFR_MODELS, else ~/.cache/tgfr-search/models
      NAME.json            the card
      NAME.safetensors     weights of an iResNet; NAME.onnx a copy of an ONNX file

The card is written last and names its weights by digest, so an encoder is either there whole or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tgfr_search.encoders import onnx_face, sface
from tgfr_search.encoders.base import FaceEncoder, tensors_sha256
from tgfr_search.encoders.dlib_resnet import cache_dir
from tgfr_search.encoders.iresnet import ARCHITECTURES, IResNetFaceEncoder
from tgfr_search.encoders.official import convert
from tgfr_search.encoders.onnx_face import RECIPES, OnnxFaceEncoder
from tgfr_search.encoders.text_files import INSTALLED
from tgfr_search.errors import CheckpointError, InputError

FORMAT = 1
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
BUILT_IN = ("dlib-resnet", sface.NAME, "bilstm", *INSTALLED)
LICENCES = {
    "arcface": "insightface: its pretrained models are for non-commercial research only",
    "adaface": "code MIT; the weights were trained on face sets with terms of their own: see the source",
    "magface": "code Apache-2.0; the weights were trained on MS1MV2, which has terms of its own",
    "onnx-arcface": "insightface: its pretrained models are for non-commercial research only",
    "onnx-sface": "Apache-2.0",
}
"""What the publisher says (read 2026 from the repositories), where the user gives nothing better."""
SOURCES = {
    "arcface": "https://github.com/deepinsight/insightface/tree/master/recognition/arcface_torch",
    "adaface": "https://github.com/mk-minchul/AdaFace",
    "magface": "https://github.com/IrvingMeng/MagFace",
    "onnx-arcface": "https://github.com/deepinsight/insightface/tree/master/model_zoo",
    "onnx-sface": "https://github.com/opencv/opencv_zoo/tree/main/models/face_recognition_sface",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of an added encoder.

    Attributes:
        name: By which options name it.
        kind: `face`.
        arch: A name of `iresnet.ARCHITECTURES` or `onnx_face.RECIPES`.
        weights: File beside the card.
        weights_sha256: Of the tensors (safetensors) or of the file (ONNX).
        source_file: Name of the file that was added.
        source_sha256: Of that file.
        licence: As recorded when it was added.
        source: Where it comes from.
        format: Of this card.
    """

    name: str
    kind: str
    arch: str
    weights: str
    weights_sha256: str
    source_file: str
    source_sha256: str
    licence: str
    source: str
    format: int = FORMAT


def models_dir() -> Path:
    """`$TGFR_MODELS`, else `models` in the user's cache folder."""
    base = os.environ.get("TGFR_MODELS")
    return Path(base) if base else cache_dir() / "models"


def find_card(name: str) -> Path | None:
    """The card of an added encoder, by name or by the path of its card or weights; None where there is none."""
    path = Path(name)
    for card in (models_dir() / f"{name}.json" if re.fullmatch(NAME, name) else path, path.with_suffix(".json")):
        if card.suffix == ".json" and card.is_file():
            return card
    return None


def read_card(path: Path) -> Card:
    """Reads a card.

    Raises:
        CheckpointError: It is not one, or of another format.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        card = Card(**tree)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}", found=str(error), expected="a card written by `model add`") from error
    if card.format != FORMAT:
        raise CheckpointError(f"{path}", found=f"format {card.format!r}", expected=f"format {FORMAT}")
    return card


def added() -> list[Card]:
    """The cards of all added encoders, by name."""
    return [read_card(path) for path in sorted(models_dir().glob("*.json"))]


def check_name(name: str) -> None:
    """Whether an encoder may be added under this name.

    Raises:
        InputError: It may not, or there is one already.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(f"name {name!r}", expected="letters, digits, '.', '_' and '-', at most 64")
    if name in BUILT_IN:
        raise InputError(f"name {name!r}", found="an encoder that comes with the package", do="choose another name")
    card = models_dir() / f"{name}.json"
    if card.exists():
        raise InputError(
            f"name {name!r}", found=f"already added: {card}", do="choose another name, or delete that file"
        )


def add_face_encoder(
    name: str, file: Path, *, arch: str | None = None, licence: str | None = None, source: str | None = None
) -> Card:
    """Converts an official checkpoint, or copies an ONNX file, into `models_dir()`. The card is written last.

    Args:
        name: New name.
        file: `.pth`, `.ckpt`, `.safetensors` or `.onnx`.
        arch: Which network it is; None recognises it.
        licence: Of the weights; None records what the publisher says.
        source: Where the file comes from; None records the publisher's page.

    Raises:
        InputError: The name is taken or malformed.
        CheckpointError: The file does not hold exactly the network.
        MissingPartError: An ONNX file without onnxruntime.
    """
    check_name(name)
    if not file.is_file():
        raise CheckpointError(f"{file}", found="no such file", expected="an official checkpoint")
    folder = models_dir()
    if file.suffix == ".onnx":
        recipe = RECIPES.get(arch) if arch else onnx_face.recognise_file(file)
        if recipe is None:
            raise CheckpointError(
                f"{file}",
                found=f"architecture {arch!r}" if arch else "a file name that is not an official one",
                expected=f"--arch, one of: {', '.join(RECIPES)}",
            )
        onnx_face.open_session(file, recipe, torch.device("cpu"))
        family, network, weights = recipe.name, recipe.name, f"{name}.onnx"
        source_sha256 = digest = _sha256(file)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / weights)
    else:
        architecture, state = convert(file, arch)
        family, network, weights = architecture.family, architecture.name, f"{name}.safetensors"
        source_sha256, digest = _sha256(file), tensors_sha256(state)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / weights, {"arch": network, "tensors_sha256": digest})
    card = Card(
        name=name,
        kind="face",
        arch=network,
        weights=weights,
        weights_sha256=digest,
        source_file=file.name,
        source_sha256=source_sha256,
        licence=licence or LICENCES[family],
        source=source or SOURCES[family],
    )
    write_card(card)
    return card


def write_card(card: Card, folder: Path | None = None) -> Path:
    """Writes a card into `models_dir()`, or another folder; with it the encoder is there. Returns its path."""
    path = (folder or models_dir()) / f"{card.name}.json"
    path.write_text(json.dumps(dataclasses.asdict(card), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load_face_encoder(card_path: Path, device: torch.device, dtype: torch.dtype, *, flip: bool) -> FaceEncoder:
    """An added face encoder, its weights compared with the card.

    Raises:
        CheckpointError: A file is missing, damaged, or is not what the card says.
        MissingPartError: An ONNX file without onnxruntime.
    """
    card = read_card(card_path)
    path = card_path.parent / card.weights
    if card.kind != "face" or card.arch not in {**ARCHITECTURES, **RECIPES}:
        raise CheckpointError(f"{card_path}", found=f"a {card.kind} encoder, {card.arch}", expected="a face encoder")
    again = f"tgfr-search model add {card.name} --from {card.source_file}, after deleting {card_path}"
    if not path.is_file():
        raise CheckpointError(f"{path}", found="no such file", expected=f"the weights of {card_path}", do=again)
    try:
        state = {} if card.arch in RECIPES else load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}", found=str(error), expected="safetensors", do=again) from error
    digest = tensors_sha256(state) if state else _sha256(path)
    if digest != card.weights_sha256:
        raise CheckpointError(f"{path}", found=f"SHA-256 {digest}", expected=card.weights_sha256, do=again)
    if card.arch in RECIPES:
        return OnnxFaceEncoder(card.name, RECIPES[card.arch], path, digest, device, flip=flip)
    return IResNetFaceEncoder(card.name, ARCHITECTURES[card.arch], state, digest, device, dtype, flip=flip)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
