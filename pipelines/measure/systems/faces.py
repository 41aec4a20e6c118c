"""Systems of a face encoder alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch.nn.functional as F

from pipelines.measure.data import Side
from pipelines.measure.systems.protocol import Said, batches
from tgfr_search.encoders.registry import DLIB
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Layout, Probes, dense_rows, weigh
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.tgfr import LineReader
from tgfr_search.types import FloatArray, Templates

FACE_ALONE = ScoreModel({"image": {"face": (1.0,)}}, {}, {"image": (0.0,)})
"""The cosine of the frozen face encoder's vectors."""


@dataclass
class Frozen:
    """The face encoder alone, as it was before anything was trained."""

    name: str
    model: FaceTextModel
    baseline: ClassVar[str | None] = "none"
    prominence: ClassVar[int] = 0
    trained: ClassVar[bool] = False
    looks: ClassVar[bool] = True
    block: ClassVar[str] = "face"
    """Where its vector stands in the template."""

    @property
    def model_id(self) -> str:
        """The frozen encoder's own."""
        return self.model.face_encoder.spec.frozen

    def regimes(self, asked: Sequence[str]) -> tuple[str, ...]:
        """It hears no words."""
        return ("none",)

    def reads(self, lines: Iterable[str]) -> list[str]:
        """Nothing."""
        return []

    def templates(self, side: Side, view: int, captions: Said, read: LineReader | None) -> FloatArray:
        """See `System`."""
        return dense_rows(self._faces(side, view), self._layout)

    def probes(self, side: Side, view: int, captions: Said, read: LineReader | None) -> Probes:
        """See `System`."""
        none = np.zeros(len(side), np.float32)
        return weigh(self._faces(side, view), none, ["image"] * len(side), FACE_ALONE, self._layout)

    @property
    def _layout(self) -> Layout:
        return self.model.tgfr.layout[:1]

    def _faces(self, side: Side, view: int) -> Templates:
        at, places = 0, {}
        for name, dim in self.model.face_encoder.spec.parts:
            places[name] = slice(at, at + dim)
            at += dim
        if self.block not in places:
            raise InputError(f"system {self.name!r}", found=f"a model with {', '.join(places)}", expected=self.block)
        own = places[self.block]
        parts = [F.normalize(features.global_[:, own], dim=1) for _, features in batches(self.model, side, view)]
        return Templates({"face": np.concatenate([part.numpy() for part in parts])})


class FrozenDlib(Frozen):
    """dlib's encoder alone, where the default has it as a second one."""

    baseline: ClassVar[str | None] = None
    block: ClassVar[str] = "face_dlib"

    @property
    def model_id(self) -> str:
        """Dlib's own."""
        return DLIB
