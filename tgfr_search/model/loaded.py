"""A trained model with its encoders, loaded: what it answers. `checkpoint` reads and writes its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.late_text import LateTextEncoder
from tgfr_search.faces.align import ALIGNMENTS
from tgfr_search.faces.detectors.registry import FIRST
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.statements import Directions
from tgfr_search.model.tgfr import TGFR, Embedded
from tgfr_search.types import ByteArray


@dataclass(frozen=True)
class FaceTextModel:
    """A frozen face encoder and the trained model over it, ready to embed chips and captions.

    Attributes:
        model_id: Name and the first digits of the weights' digest.
        config: The whole config.json.
        face_encoder: Chips in, features out.
        tgfr: The trained part, in eval mode.
        scoring: Weights of the terms.
        folder: Where it was loaded from.
        directions: What of its rows tells the attributes that a description states; None where nobody made them.
    """

    model_id: str
    config: Mapping[str, Any]
    face_encoder: FaceEncoder
    tgfr: TGFR
    scoring: ScoreModel
    folder: Path
    directions: Directions | None = None

    def states(self, mode: str) -> bool:
        """Whether statements of a description move the scores of a mode."""
        return self.directions is not None and self.directions.strength.get(mode, 0.0) > 0

    @property
    def detector(self) -> str:
        """Name of the detector whose points its score weights were fitted on; a command or an index may say another."""
        return str(self.config.get("detector", FIRST))

    def find_with(self, finder: FaceFinder | None = None) -> FaceFinder:
        """A finder, or the usual one, that gives the chip this model expects; with its detector unless it names one."""
        return (finder or FaceFinder()).for_alignment(self.face_encoder.spec.alignment).for_detector(self.detector)

    @property
    def contract(self) -> dict[str, str]:
        """What an index must agree on with this model. Score weights are the probe's alone and not part of it."""
        spec = self.face_encoder.spec
        return {
            "model": self.model_id,
            "weights_sha256": self.config["tensors_sha256"],
            "face_encoder": spec.name,
            "face_encoder_sha256": spec.sha256,
            "text_encoder": self.config["model"]["text_encoder"],
            "alignment": spec.alignment,
            "alignment_sha256": ALIGNMENTS[spec.alignment].digest,
            "input_size": str(spec.input_size),
            "preprocessing": spec.preprocessing,
        }

    def ready(self) -> None:
        """Reads the text encoder now if that waits for words: for who answers others, or has children by fork."""
        if isinstance(self.tgfr.fcam.text, LateTextEncoder):
            self.tgfr.fcam.text.read()

    def embed(self, chips: ByteArray | None, captions: Sequence[Sequence[str]]) -> Embedded:
        """Templates of N chips (or of none) with N tuples of caption lines.

        Args:
            chips: uint8 [N, S, S, 3] of the contract's alignment, or None for captions alone.
            captions: N tuples of lines, any of them empty.
        """
        return self.tgfr.embed(None if chips is None else self.face_encoder.encode(chips), captions)
