"""ONNX recognition models through onnxruntime: insightface's w600k_r50 and w600k_mbf, OpenCV's SFace.

Such a file gives one vector and no intermediate map. The encoder therefore declares one region, the whole face, and
gives the vector as its feature (D×1×1): word-region attention then has nothing to choose from, and the rest works.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tgfr_search.encoders.base import FaceFeatures, FaceSpec
from tgfr_search.encoders.pixels import ARCFACE_ALIGNMENT, ARCFACE_PIXELS, SFACE_PIXELS, Pixels
from tgfr_search.errors import CheckpointError, MissingPartError
from tgfr_search.types import ByteArray

INSTALL = "pip install 'tgfr-search[onnx]'"


@dataclass(frozen=True, slots=True)
class OnnxRecipe:
    """What an ONNX file does not say of itself.

    Attributes:
        name: Of `model add --arch`.
        pixels: Its input.
        dim: Its output.
        stems: Beginnings of the names under which the official files are published.
    """

    name: str
    pixels: Pixels
    dim: int
    stems: tuple[str, ...]


RECIPES = {
    recipe.name: recipe
    for recipe in (
        OnnxRecipe("onnx-arcface", ARCFACE_PIXELS, 512, ("w600k_r50", "w600k_mbf")),
        OnnxRecipe("onnx-sface", SFACE_PIXELS, 128, ("face_recognition_sface",)),
    )
}


def recognise_file(path: Path) -> OnnxRecipe | None:
    """The recipe of an official file, by its name; None for any other name."""
    return next((r for r in RECIPES.values() if path.stem.startswith(r.stems)), None)


def open_session(path: Path, recipe: OnnxRecipe, device: torch.device) -> Any:
    """An onnxruntime session, its input and output checked.

    Raises:
        MissingPartError: onnxruntime is not installed.
        CheckpointError: The file is no ONNX model, or has another input or output.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPartError(
            f"{path}: onnxruntime", found="not installed", expected="a package", do=INSTALL
        ) from error
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    providers = [p for p in wanted if p in onnxruntime.get_available_providers()] + ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # onnxruntime's own exceptions have no public base class
        raise CheckpointError(f"{path}", found=str(error).splitlines()[0], expected="an ONNX model") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    side = recipe.pixels.size
    fits = len(inputs) == 1 and list(inputs[0].shape[1:]) == [3, side, side]
    if not fits or len(outputs) != 1 or outputs[0].shape[-1] != recipe.dim:
        raise CheckpointError(
            f"{path}",
            found=f"inputs {[i.shape for i in inputs]}, outputs {[o.shape for o in outputs]}",
            expected=f"{recipe.name}: one input [batch, 3, {side}, {side}], one output [batch, {recipe.dim}]",
            do=f"--arch, one of: {', '.join(RECIPES)}",
        )
    return session


class OnnxFaceEncoder:
    """An ONNX model as a frozen `FaceEncoder` of global vectors.

    Args:
        name: In the contract.
        recipe: Its input and output.
        path: The `.onnx` file.
        sha256: Of that file.
        device: `cuda` is used where onnxruntime has it.
        flip: Average the vector over the chip and its mirror image (twice the cost).
    """

    def __init__(
        self,
        name: str,
        recipe: OnnxRecipe,
        path: Path,
        sha256: str,
        device: torch.device | str = "cpu",
        *,
        flip: bool = False,
    ) -> None:
        self.recipe, self.device, self.flip = recipe, torch.device(device), flip
        self.session = open_session(path, recipe, self.device)
        self._input = self.session.get_inputs()[0]
        self._spec = FaceSpec(
            name=name,
            alignment=ARCFACE_ALIGNMENT,
            input_size=recipe.pixels.size,
            dim=recipe.dim,
            regions=(recipe.dim, 1, 1),
            preprocessing=recipe.pixels.describe(flip),
            sha256=sha256,
        )

    @property
    def spec(self) -> FaceSpec:
        """What identifies this encoder in a contract."""
        return self._spec

    def encode(self, chips: ByteArray) -> FaceFeatures:
        """Encodes uint8 [B, 112, 112, 3] RGB chips of `ARCFACE_CHIP`.

        Returns:
            float32 vectors [B, D], not normalised, and the same vectors as a map [B, D, 1, 1].

        Raises:
            ValueError: The chips have another shape or type.
        """
        x = self.recipe.pixels(chips, torch.device("cpu")).contiguous()
        vector = self._run(x)
        if self.flip:
            vector = (vector + self._run(x.flip(3).contiguous())) / 2
        vector = vector.to(self.device)
        return FaceFeatures(vector, vector[:, :, None, None])

    def _run(self, x: Tensor) -> Tensor:
        # SFace's file has a batch of one written into it.
        step = self._input.shape[0] if isinstance(self._input.shape[0], int) else max(1, len(x))
        parts = [self.session.run(None, {self._input.name: part.numpy()})[0] for part in x.split(step) if len(part)]
        rows = np.concatenate(parts) if parts else np.empty((0, self.recipe.dim), np.float32)
        return torch.from_numpy(np.ascontiguousarray(rows, np.float32))
