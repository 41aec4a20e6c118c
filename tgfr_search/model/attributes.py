"""Attributes read from a face, for gallery pictures that nobody described: the machine's own, marked words.

A small head over the frozen face features predicts the 40 attributes of CelebA. Only what it is sure enough of is
said, in the grammar of `data.captions`; the rest stays unknown. The words are enrolled where a person's are missing.

    weights/attributes/
      attributes.json          architecture, calibration, thresholds, provenance, digest of the tensors
      attributes.safetensors   the head
      CARD.md                  data, numbers, licence, limits
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tgfr_search.data.captions import caption_lines
from tgfr_search.encoders.base import FaceEncoder, FaceFeatures, FaceSpec, tensors_sha256
from tgfr_search.encoders.registry import fast_dtype, make_face_encoder
from tgfr_search.encoders.tensors import first_mismatch, read_tensors
from tgfr_search.errors import CheckpointError, ContractError
from tgfr_search.model.attribute_head import AttributeHead
from tgfr_search.types import FloatArray

FORMAT = 1
SHIPPED = Path(__file__).resolve().parent.parent / "weights" / "attributes"

SAID_WHERE_FALSE = ("male", "no_beard")
"""The attributes that the grammar also speaks of where they do not hold: a woman, a beard."""

LINES = 10
"""Lines about one face, as many as people's captions have in the training data."""


@dataclass(frozen=True)
class AttributeModel:
    """A trained head with its calibration and the thresholds of what it says.

    Attributes:
        model_id: Name and the first digits of the weights' digest; stored with every row that it described.
        config: The whole attributes.json.
        head: In eval mode.
    """

    model_id: str
    config: Mapping[str, Any]
    head: AttributeHead

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes, in the order of the head's outputs."""
        return tuple(self.config["attributes"])

    def make_encoder(self, device: torch.device, *, flip: bool = True, precision: str = "auto") -> FaceEncoder:
        """The face encoder that the head was trained on; `flip` averages both orientations."""
        ours = self.config["encoder"]
        dtype = fast_dtype(device) if precision == "auto" else getattr(torch, precision)
        depth, height, width = ours["regions"]
        return make_face_encoder(ours["face_encoder"], device, dtype, flip=flip, regions=f"{depth}x{height}x{width}")

    def differs(self, spec: FaceSpec) -> list[str]:
        """The fields in which a face encoder differs from the one that the head was trained on."""
        ours, theirs = self.config["encoder"], encoder_fields(spec)
        return [name for name in ours if ours[name] != theirs[name]]

    def require(self, spec: FaceSpec) -> None:
        """Refuses a face encoder that the head was not trained on.

        Raises:
            ContractError: Names every field that differs.
        """
        if differs := self.differs(spec):
            ours, theirs = self.config["encoder"], encoder_fields(spec)
            raise ContractError(
                f"attribute model {self.model_id}: the face encoder differs in {', '.join(differs)}",
                found=", ".join(f"{name} = {theirs[name]!r}" for name in differs),
                expected=", ".join(f"{name} = {ours[name]!r}" for name in differs),
                do="leave --auto-captions out, or train one for these faces (tgfr-search model train-attributes)",
            )

    @torch.inference_mode()
    def probabilities(self, faces: FaceFeatures) -> FloatArray:
        """Calibrated probabilities of N faces: float32 [N, A], A as `names`."""
        device = next(self.head.parameters()).device
        logits = self.head(FaceFeatures(faces.global_.to(device), faces.regions.to(device))).float().cpu()
        return calibrated(logits, self.config["calibration"])

    def stated(self, probabilities: FloatArray) -> list[dict[str, bool]]:
        """What may be said of each of N faces: attribute → whether it holds; what is not sure enough is left out."""
        out = []
        for row in probabilities:
            own = {}
            for name, p in zip(self.names, row.tolist(), strict=True):
                yes, no = self.config["thresholds"][name]
                if yes is not None and p >= yes:
                    own[name] = True
                elif no is not None and p <= no:
                    own[name] = False
            out.append(own)
        return out

    def describe(self, faces: FaceFeatures, keys: Sequence[str]) -> list[tuple[str, ...]]:
        """Caption lines of N faces.

        Args:
            faces: Their features.
            keys: N texts, for instance photo digests: the same face and key always give the same lines.

        Returns:
            N tuples of lines; empty where nothing is sure enough to be said.
        """
        return self.lines(self.probabilities(faces), keys)

    def lines(self, probabilities: FloatArray, keys: Sequence[str]) -> list[tuple[str, ...]]:
        """Caption lines of N faces with the given probabilities, as `describe`."""
        return [lines_of(own, key) for own, key in zip(self.stated(probabilities), keys, strict=True)]


def calibrated(logits: Tensor, calibration: Mapping[str, Sequence[float]]) -> FloatArray:
    """Probabilities float32 [N, A]: sigmoid(a·logit + b).

    Args:
        logits: [N, A] on the CPU.
        calibration: Attribute → (a, b), in the order of the logits.
    """
    slope, offset = torch.tensor([list(own) for own in calibration.values()]).T
    out: FloatArray = (slope * logits + offset).sigmoid().numpy()
    return out


def lines_of(stated: Mapping[str, bool], key: str) -> tuple[str, ...]:
    """Lines that say what is stated of one face; none where nothing is."""
    if not stated:
        return ()
    return caption_lines(stated, lines=LINES, seed=int.from_bytes(key.encode("utf-8", "surrogatepass")[:8], "big"))


def encoder_fields(spec: FaceSpec) -> dict[str, Any]:
    """What of a face encoder the head depends on: its weights, its chips and its map, not whether it averages flips."""
    return {
        "face_encoder": spec.name,
        "face_encoder_sha256": spec.sha256,
        "alignment": spec.alignment,
        "dim": spec.dim,
        "regions": list(spec.regions),
    }


def save_attributes(folder: Path, head: AttributeHead, config: dict[str, Any]) -> str:
    """Writes an attribute model, without its card.

    Args:
        folder: Made if it is not there.
        head: The trained head.
        config: `name`, `attributes`, `architecture`, `encoder`, `calibration`, `thresholds`, `provenance`.

    Returns:
        The model id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().contiguous() for k, v in head.state_dict().items()}
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    digest = _digest(tensors, config)
    model_id = f"{config['name']}-{digest[:8]}"
    save_file(tensors, folder / "attributes.safetensors", {"format": "pt", "model_id": model_id})
    whole = {"format": FORMAT, "model_id": model_id, "sha256": digest, **config}
    (folder / "attributes.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return model_id


def _digest(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    # What is said depends on the thresholds as much as on the weights: the id stands for both.
    rules = torch.tensor(
        list(json.dumps([config["calibration"], config["thresholds"]], sort_keys=True).encode()), dtype=torch.uint8
    )
    return tensors_sha256({**tensors, "rules": rules})


def load_attributes(folder: Path | None = None, device: torch.device | str = "cpu") -> AttributeModel:
    """Loads an attribute model and compares its digest.

    Args:
        folder: As `save_attributes` wrote it; None is the one that comes with the package.
        device: Where it runs.

    Raises:
        CheckpointError: It is not there, damaged, or of another format.
    """
    folder = folder or SHIPPED
    try:
        config = json.loads((folder / "attributes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}", found=str(error), expected="an attribute model") from error
    tensors = read_tensors(folder / "attributes.safetensors")
    if config.get("format") != FORMAT:
        raise CheckpointError(f"{folder}", found=f"format {config.get('format')!r}", expected=f"format {FORMAT}")
    if _digest(tensors, config) != config["sha256"]:
        raise CheckpointError(f"{folder}", found="weights or rules of another digest", expected=config["sha256"])
    encoder = config["encoder"]
    head = AttributeHead(encoder["dim"], tuple(encoder["regions"]), len(config["attributes"]), **config["architecture"])
    try:
        head.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{folder}", found=first_mismatch(error), expected="the head's tensors") from error
    head.eval().requires_grad_(False).to(device)
    return AttributeModel(config["model_id"], config, head)
