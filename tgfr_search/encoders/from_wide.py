"""A face encoder of small chips over wide ones, of which its own are cut: for whoever has only the wide ones."""

from __future__ import annotations

from dataclasses import replace

from tgfr_search.encoders.base import FaceEncoder, FaceFeatures, encode_both
from tgfr_search.faces.align import WIDE_CHIP
from tgfr_search.faces.wide import cut
from tgfr_search.types import ByteArray


class FromWide:
    """A face encoder over wide chips.

    Args:
        encoder: Reads a chip that has its place in the wide one (`faces.wide.CUTS`).
    """

    def __init__(self, encoder: FaceEncoder) -> None:
        self.encoder, self.spec = encoder, replace(encoder.spec, alignment=WIDE_CHIP.name)

    def encode(self, chips: ByteArray) -> FaceFeatures:
        """Encodes uint8 [B, 225, 225, 3]."""
        return self.encoder.encode(cut(chips, self.encoder.spec.alignment))

    def encode_both(self, chips: ByteArray) -> tuple[FaceFeatures, FaceFeatures]:
        """The same, and the chips that are cut out turned: a wide chip is no mirror image of itself."""
        return encode_both(self.encoder, cut(chips, self.encoder.spec.alignment))


def reading(encoder: FaceEncoder, alignment: str) -> FaceEncoder:
    """The encoder, over wide chips where such are given and it reads others."""
    return FromWide(encoder) if alignment == WIDE_CHIP.name != encoder.spec.alignment else encoder
