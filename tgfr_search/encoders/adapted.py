"""A face encoder in two halves: the frozen net, and a copy of it that was fine-tuned on degraded faces.

The frozen half keeps what the net knows of good pictures; the adapted half, distilled from it, finds the same vector
in poor ones. Both vectors stand side by side in the template (blocks `face` and `adapted`) and the probe's quality
weighs them. A folder holds the adapted half:

    face.json            base encoder and its digest, digest of the tensors, how it was trained
    model.safetensors    float16
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tgfr_search.encoders import dlib_resnet, sface
from tgfr_search.encoders.base import AdaptableEncoder, FaceFeatures, FaceSpec, prepare, tensors_sha256
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.encoders.sface import SFaceEncoder
from tgfr_search.encoders.tensors import first_mismatch, read_tensors
from tgfr_search.errors import CheckpointError
from tgfr_search.files import replacing
from tgfr_search.types import ByteArray

CARD_NAME, WEIGHTS_NAME = "face.json", "model.safetensors"
FORMAT = 1
BASE = "dlib-resnet"
"""The net that `train` adapts on chips (`pipelines.train.step0.chips`)."""
BASES: dict[str, tuple[Callable[..., AdaptableEncoder], dict[str, int]]] = {
    BASE: (DlibFaceEncoder, dlib_resnet.REGION_MAPS),
    sface.NAME: (SFaceEncoder, sface.REGION_MAPS),
}
"""Encoder that was adapted → what makes its frozen half, and its maps, the first the default."""


def is_adapted(folder: Path) -> bool:
    """Whether a folder holds an adapted half."""
    return (folder / CARD_NAME).is_file()


def base_of(folder: Path) -> str:
    """Name of the encoder that an adapted half was made from.

    Raises:
        CheckpointError: The card is damaged, or names one that cannot be adapted.
    """
    path = folder / CARD_NAME
    try:
        base = json.loads(path.read_text(encoding="utf-8")).get("base")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}", found=str(error), expected="the card of an adapted face encoder") from error
    if base not in BASES:
        raise CheckpointError(f"{path}: base", found=repr(base), expected=" or ".join(BASES))
    return str(base)


def save_adapted(folder: Path, net: nn.Module, base_sha256: str, provenance: dict[str, Any], base: str = BASE) -> None:
    """Writes the adapted half; a kill at any moment leaves the old pair, the new one, or no card: never a mixed pair.

    Args:
        folder: Made if it is not there.
        net: Fine-tuned; a `blank` of the base encoder, filled.
        base_sha256: Of the weights that it was fine-tuned from, and that stand beside it.
        provenance: How it was trained: JSON values.
        base: Name of the encoder that it was made from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().half().contiguous() for name, tensor in net.state_dict().items()}
    card = {
        "format": FORMAT,
        "base": base,
        "base_sha256": base_sha256,
        "tensors_sha256": tensors_sha256(state),
        "provenance": provenance,
    }
    with replacing(folder / CARD_NAME) as new_card:
        new_card.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        with replacing(folder / WEIGHTS_NAME) as new_weights:
            save_file(state, new_weights, {"format": "pt"})
            # Two files never change in one step: in between there is no card, and without one there is no half.
            (folder / CARD_NAME).unlink(missing_ok=True)


class AdaptedFaceEncoder:
    """Both halves as one `FaceEncoder`: global vector [B, 2D] = frozen D and adapted D; the adapted half's map.

    Args:
        folder: Of the adapted half.
        device: Where it runs.
        dtype: Of its arithmetic.
        flip: Average over the mirrored face.
        regions: Which map to give, as the base encoder.

    Raises:
        CheckpointError: The files are damaged, of another format, or adapted from other weights.
    """

    def __init__(
        self, folder: Path, device: torch.device | str, dtype: torch.dtype, *, flip: bool, regions: str
    ) -> None:
        name = base_of(folder)
        self.frozen = BASES[name][0](device, dtype, flip=flip, regions=regions)
        try:
            card = json.loads((folder / CARD_NAME).read_text(encoding="utf-8"))
            state = read_tensors(folder / WEIGHTS_NAME)
            self.net = self.frozen.blank()
            self.net.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        except (OSError, ValueError, RuntimeError) as error:
            found = first_mismatch(error) if isinstance(error, RuntimeError) else str(error).splitlines()[0]
            raise CheckpointError(f"{folder}", found=found, expected="an adapted face encoder") from error
        digest, base = tensors_sha256(state), self.frozen.spec
        told = (card.get("format"), card.get("base"), card.get("base_sha256"), card.get("tensors_sha256"))
        expected = (FORMAT, name, base.sha256, digest)
        if told != expected:
            raise CheckpointError(f"{folder / CARD_NAME}", found=f"{told}", expected=f"{expected}")
        self._both = self.frozen.pair(self.net)
        prepare(self.net, self.frozen.device, dtype)
        self._spec = dataclasses.replace(
            base,
            name=f"{base.name}+adapted",
            dim=2 * base.dim,
            sha256=f"{base.sha256}+{digest}",
            parts=(("face", base.dim), ("adapted", base.dim)),
        )

    @property
    def spec(self) -> FaceSpec:
        """What identifies this encoder in a contract."""
        return self._spec

    @torch.inference_mode()
    def encode(self, chips: ByteArray) -> FaceFeatures:
        """Encodes uint8 [B, S, S, 3] RGB chips of the base encoder's alignment.

        Raises:
            ValueError: The chips have another shape or type.
        """
        return self.frozen.through(self._both, self.frozen.pixels(chips))

    @torch.inference_mode()
    def regions(self, chips: ByteArray) -> Tensor:
        """The regional map of `encode` alone, for half its cost."""
        return self.frozen.through(self.net, self.frozen.pixels(chips)).regions
