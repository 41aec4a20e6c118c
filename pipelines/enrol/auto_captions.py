"""Words for gallery faces that nobody described, read from the picture by the attribute model and marked as such.

A person's words are never touched. A row that a machine described says so twice: its caption source is the attribute
model's id, which no later edit of the row changes; and its metadata have `auto_caption`, which a filter can ask for
(`--where "auto_caption is null"`). A re-run enrols it anew once somebody has described it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tgfr_search.encoders.base import FaceEncoder, FaceFeatures
from tgfr_search.encoders.from_wide import reading
from tgfr_search.faces.align import WIDE_CHIP
from tgfr_search.faces.wide import CUTS
from tgfr_search.model.attributes import AttributeModel
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import AlignedFace, Record

MARK = "auto_caption"
"""Metadata column: id of the attribute model that wrote the row's caption."""


@dataclass(frozen=True)
class Describer:
    """Gives words to records without any.

    Attributes:
        attributes: What reads the faces.
        encoder: The face encoder that it was trained on; None where the features of the gallery's own model will do.
    """

    attributes: AttributeModel
    encoder: FaceEncoder | None

    @staticmethod
    def of(attributes: AttributeModel, model: FaceTextModel) -> Describer:
        """A describer for galleries that `model` encodes.

        Raises:
            ContractError: The faces that the model's encoder reads are no faces for the attribute model, or its face
                encoder is installed with other weights than it was trained on.
        """
        spec = model.face_encoder.spec
        if attributes.differs(spec):
            own = attributes.make_encoder(model.tgfr.device)
            if spec.alignment != WIDE_CHIP.name or own.spec.alignment not in CUTS:
                attributes.require(replace(own.spec, alignment=spec.alignment))
            return Describer(attributes, reading(own, spec.alignment))
        return Describer(attributes, None)

    @property
    def model_id(self) -> str:
        """What is recorded with the rows that it described."""
        return self.attributes.model_id

    def fill(self, records: Sequence[Record], faces: Sequence[AlignedFace], features: FaceFeatures) -> list[Record]:
        """The records, those without a word described from their faces and marked.

        Args:
            records: N records.
            faces: Their faces.
            features: Of the N faces, from the gallery's own model.
        """
        silent = [i for i, record in enumerate(records) if not record.captions]
        out = list(records)
        if not silent:
            return out
        if self.encoder is None:
            part = FaceFeatures(features.global_[silent], features.regions[silent])
        else:
            part = self.encoder.encode(np.stack([faces[i].pixels for i in silent]))
        said = self.attributes.describe(part, [faces[i].source_sha256 for i in silent])
        for i, lines in zip(silent, said, strict=True):
            if lines:
                out[i] = replace(out[i], captions=lines, metadata={**out[i].metadata, MARK: self.model_id})
        return out


def described_by(record: Record, describer: Describer | None) -> str | None:
    """Who described a record that comes back embedded; also where there was nothing sure enough to say."""
    if describer is None or (record.captions and record.metadata.get(MARK) != describer.model_id):
        return None
    return describer.model_id
