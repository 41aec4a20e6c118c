"""People who do not exist: a small statistical face model, sampled. NumPy and OpenCV only.

A person = lasting attributes (sex, age, hair, beard, glasses, …) drawn one after another from logistic regressions, and
a latent identity drawn from the between-subject covariance. A view of the person = expression, pose, a draw from the
within-subject covariance (light, hair on the day, background), and the texture's noise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from safetensors import SafetensorError, safe_open

from tgfr_search.data.face_decoder import FaceDecoder
from tgfr_search.errors import CheckpointError, MissingPartError
from tgfr_search.types import ByteArray, FloatArray

MODEL_FILE = Path(__file__).parent.parent / "weights" / "demo-faces" / "model.safetensors"
MODEL_FORMAT = "tgfr-demo-faces-1"
PHOTO_SIDE = 192
"""Side of a rendered photo in pixels."""
EYE_DISTANCE = 46.9
"""Distance between the eye centres in a rendered photo, in pixels; pose and face shape vary it by a few."""
LARGEST = 2.0
"""Latent draws are cut at this many standard deviations: beyond it the decoder has seen too little."""


@dataclass(frozen=True, slots=True)
class Person:
    """One synthetic person.

    Attributes:
        seed: What the person was drawn from.
        attributes: What lasts from photo to photo; attribute name → whether it holds.
        identity: float32 [D], the latent identity.
    """

    seed: int
    attributes: Mapping[str, bool]
    identity: FloatArray


@dataclass(frozen=True, slots=True)
class View:
    """One photo of a person, before it is drawn.

    Attributes:
        attributes: All attributes of this photo: the person's and those of the moment (smiling, …).
        code: float32 [D + conditions + 2], what the decoder draws.
        seed: Of the texture.
    """

    attributes: Mapping[str, bool]
    code: FloatArray
    seed: tuple[int, int]


class SyntheticFaces:
    """The model. Use `load`.

    Args:
        tensors: Weights and statistics, float32.
        conditions: The attributes in the order of the decoder's inputs.
        drawn: The same attributes in the order in which they are drawn.
        momentary: Those of them that change from photo to photo.
        visible: Those of them that show in the picture well enough to be spoken of.
    """

    def __init__(
        self,
        tensors: Mapping[str, FloatArray],
        *,
        conditions: tuple[str, ...],
        drawn: tuple[str, ...],
        momentary: tuple[str, ...],
        visible: tuple[str, ...],
    ) -> None:
        self._tensors = tensors
        self._conditions, self._drawn, self._momentary = conditions, drawn, momentary
        self.visible = visible

    @staticmethod
    def load(path: Path = MODEL_FILE) -> SyntheticFaces:
        """Read the model file.

        Args:
            path: A safetensors file; the shipped one by default.

        Raises:
            MissingPartError: It is not there.
            CheckpointError: It is damaged or of another format.
        """
        if not path.is_file():
            raise MissingPartError(
                f"demo face model {path}", found="no file", do="reinstall tgfr-search; the file is part of the package"
            )
        try:
            with safe_open(path, framework="numpy") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise CheckpointError(f"demo face model {path}", found=str(error), expected="a safetensors file") from error
        if about.get("format") != MODEL_FORMAT:
            raise CheckpointError(f"demo face model {path}", found=str(about.get("format")), expected=MODEL_FORMAT)
        lists = {name: tuple(json.loads(about[name])) for name in ("conditions", "drawn", "momentary", "visible")}
        return SyntheticFaces(tensors, **lists)

    def person(self, seed: int) -> Person:
        """The person of this number; the same number is always the same person."""
        rng = np.random.default_rng([seed, 0])
        lasting = [name for name in self._drawn if name not in self._momentary]
        return Person(seed, self._draw_attributes({}, lasting, rng), self._draw_latent("identity", rng))

    def view(self, person: Person, view_seed: int) -> View:
        """One view of a person; the same two seeds always give the same view."""
        rng = np.random.default_rng([person.seed, 1, view_seed])
        attributes = self._draw_attributes(person.attributes, self._momentary, rng)
        signs = [1.0 if attributes[name] else -1.0 for name in self._conditions]
        conditions = np.concatenate([signs, self._tensors["pose"] * _cut_normal(rng, 2)])
        unusual = self._tensors["emphasis"] * (conditions - self._tensors["condition_mean"])
        guided = self._tensors["mean"] + unusual @ self._tensors["guide"]
        latent = guided + person.identity + self._draw_latent("view", rng)
        code = np.concatenate([latent, self._tensors["condition_mean"] + unusual]).astype(np.float32)
        return View(attributes, code, (person.seed, view_seed))

    def draw(self, view: View) -> ByteArray:
        """The picture of a view: uint8 [PHOTO_SIDE, PHOTO_SIDE, 3], RGB."""
        face = self._decoder(view.code, np.random.default_rng([*view.seed, 2]))
        photo = cv2.resize(face, (PHOTO_SIDE, PHOTO_SIDE), interpolation=cv2.INTER_CUBIC)
        return np.asarray(photo, np.uint8)

    def render(self, person: Person, view_seed: int) -> ByteArray:
        """`view` and `draw` in one: uint8 [PHOTO_SIDE, PHOTO_SIDE, 3], RGB."""
        return self.draw(self.view(person, view_seed))

    @cached_property
    def _decoder(self) -> FaceDecoder:
        return FaceDecoder({name: tensor for name, tensor in self._tensors.items() if "." in name})

    def _draw_attributes(
        self, known: Mapping[str, bool], names: list[str] | tuple[str, ...], rng: np.random.Generator
    ) -> dict[str, bool]:
        """Each attribute from a logistic regression on those before it, which keeps what excludes each other apart."""
        attributes = dict(known)
        for name in names:
            row = self._drawn.index(name)
            before = np.array([attributes[earlier] for earlier in self._drawn[:row]], np.float32)
            logit = self._tensors["attribute_weights"][row, :row] @ before + self._tensors["attribute_bias"][row]
            attributes[name] = bool(rng.random() < 1 / (1 + np.exp(-logit)))
        return attributes

    def _draw_latent(self, what: str, rng: np.random.Generator) -> FloatArray:
        root = self._tensors[what]
        return np.asarray(root @ _cut_normal(rng, root.shape[1]), np.float32)


def _cut_normal(rng: np.random.Generator, size: int) -> FloatArray:
    return np.clip(rng.standard_normal(size), -LARGEST, LARGEST).astype(np.float32)
