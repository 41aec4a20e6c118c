"""Several face encoders over one wide chip, side by side in the template: what one misses another finds.

Each reads its own chip, cut from the wide one (`faces.wide`), and gives blocks of its own names. A folder says which:

    joint.json    members in the order of their blocks: encoder (a name, or a folder relative to this one), blocks
                  (one a part of its vector); `regions_of`, the member whose map the model reads, and `grid`, into how
                  many cells a side; `attributes`, the folder of what reads a block of attributes off the maps of all
                  members, where there is one
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tgfr_search.encoders.attribute_reader import BLOCK, WIDTH, AttributeReader
from tgfr_search.encoders.base import FaceEncoder, FaceFeatures, FaceSpec
from tgfr_search.errors import CheckpointError, OptionsError
from tgfr_search.faces.align import WIDE_CHIP
from tgfr_search.faces.wide import CUTS, cut
from tgfr_search.files import replace_text
from tgfr_search.strict import from_dict, to_dict
from tgfr_search.types import ByteArray

CARD_NAME = "joint.json"
ONCE = ";once"
"""In the contract: a member that never averages over the mirrored face."""
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Member:
    """One of the encoders.

    Attributes:
        encoder: As `make_face_encoder` takes it; a folder is relative to that of the card.
        blocks: Names of the parts of its vector in the template, in their order.
        mirrored: Average over the mirrored face where the model does; a second pass that a slow encoder may not be
            worth.
    """

    encoder: str
    blocks: tuple[str, ...]
    mirrored: bool = True


@dataclass(frozen=True, slots=True)
class JointCard:
    """What `joint.json` holds.

    Attributes:
        members: The encoders; the first block of the first is the one that stands for the frozen encoder.
        regions_of: Index of the member whose map the model reads.
        attributes: Folder of an `AttributeReader` of the members' maps, relative to that of the card; empty where the
            template has no such block.
        grid: Cells a side that the map which the model reads is averaged into; 0 leaves it as it is.
        format: `FORMAT`.
    """

    members: tuple[Member, ...]
    regions_of: int
    attributes: str = ""
    grid: int = 0
    format: int = FORMAT


def is_joint(folder: Path) -> bool:
    """Whether a folder names several encoders."""
    return (folder / CARD_NAME).is_file()


def read_joint(folder: Path) -> JointCard:
    """The card of a folder.

    Raises:
        CheckpointError: It is not one, or of another format.
    """
    path = folder / CARD_NAME
    try:
        card = from_dict(json.loads(path.read_text(encoding="utf-8")), JointCard, f"{path}")
    except (OSError, ValueError, OptionsError) as error:
        raise CheckpointError(f"{path}", found=str(error), expected="the members of a joint face encoder") from error
    if card.format != FORMAT:
        raise CheckpointError(f"{path}", found=f"format {card.format}", expected=f"format {FORMAT}")
    if card.grid < 0:
        raise CheckpointError(f"{path}: grid", found=str(card.grid), expected="cells a side, or 0")
    if not 0 <= card.regions_of < len(card.members):
        expected = f"one of {len(card.members)} members"
        raise CheckpointError(f"{path}: regions_of", found=str(card.regions_of), expected=expected)
    return card


def save_joint(folder: Path, card: JointCard) -> None:
    """Writes a card; the folder is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / CARD_NAME, json.dumps(to_dict(card), indent=1) + "\n")


class JointFaceEncoder:
    """Several encoders as one `FaceEncoder`: their vectors side by side, and the map of one of them.

    Args:
        folder: Of the card.
        make: Gives an encoder by its name or folder; whether it is the one whose map is read; whether to average over
            the mirrored face where the model does.
        device: Where the members run.

    Raises:
        CheckpointError: The card does not fit its members.
    """

    def __init__(
        self, folder: Path, make: Callable[[str, bool, bool], FaceEncoder], device: torch.device | str = "cpu"
    ) -> None:
        card = read_joint(folder)
        self.members = [
            make(place_of(folder, member.encoder), at == card.regions_of, member.mirrored)
            for at, member in enumerate(card.members)
        ]
        self._mirrored = [member.mirrored for member in card.members]
        self._regions_of, self._grid = card.regions_of, card.grid
        specs = [member.spec for member in self.members]
        self._reader: AttributeReader | None = None
        parts, digests = _parts(folder, card, specs), [spec.sha256 for spec in specs]
        if card.attributes:
            self._reader = AttributeReader(folder / card.attributes, [spec.regions for spec in specs], device)
            parts, digests = (*parts, (BLOCK, WIDTH)), [*digests, self._reader.sha256]
        channels, height, width = specs[card.regions_of].regions
        self._spec = FaceSpec(
            name="&".join(spec.name for spec in specs),
            alignment=WIDE_CHIP.name,
            input_size=WIDE_CHIP.size,
            dim=sum(dim for _, dim in parts),
            regions=(channels, card.grid or height, card.grid or width),
            preprocessing="&".join(
                spec.preprocessing + ("" if member.mirrored else ONCE)
                for spec, member in zip(specs, card.members, strict=True)
            ),
            sha256="&".join(digests),
            parts=parts,
        )

    @property
    def spec(self) -> FaceSpec:
        """What identifies this encoder in a contract."""
        return self._spec

    def encode(self, chips: ByteArray) -> FaceFeatures:
        """Encodes uint8 [B, 225, 225, 3] RGB wide chips.

        Raises:
            ValueError: The chips have another shape or type.
        """
        each = [member.encode(cut(chips, member.spec.alignment)) for member in self.members]
        return self._joined(each, [own.regions for own in each])

    def encode_both(self, chips: ByteArray) -> tuple[FaceFeatures, FaceFeatures]:
        """The chips and their mirror images; a member that never averages over both gives the former twice."""
        one, other, upright = [], [], []
        for member, mirrored in zip(self.members, self._mirrored, strict=True):
            own = cut(chips, member.spec.alignment)  # the wide chip is no mirror image of itself: cut, then turned
            one.append(member.encode(own))
            other.append(member.encode(np.ascontiguousarray(own[:, :, ::-1])) if mirrored else one[-1])
            upright.append(other[-1].regions.flip(3) if mirrored else other[-1].regions)
        turned = self._joined(other, upright)
        return self._joined(one, [own.regions for own in one]), FaceFeatures(turned.global_, turned.regions.flip(3))

    def _joined(self, each: Sequence[FaceFeatures], upright: Sequence[Tensor]) -> FaceFeatures:
        """The vectors side by side, and the map that is read, as of an upright face."""
        vectors, regions = [own.global_ for own in each], upright[self._regions_of]
        if self._reader is not None:
            vectors.append(self._reader(upright))
        if self._grid:
            regions = F.adaptive_avg_pool2d(regions, self._grid)
        return FaceFeatures(torch.cat(vectors, dim=1), regions)


def place_of(folder: Path, encoder: str) -> str:
    """A member as `make_face_encoder` takes it: the path of a folder where it is one, else its name."""
    return str(folder / encoder) if (folder / encoder).is_dir() else encoder


def _parts(folder: Path, card: JointCard, specs: Sequence[FaceSpec]) -> tuple[tuple[str, int], ...]:
    parts: list[tuple[str, int]] = []
    for member, spec in zip(card.members, specs, strict=True):
        if spec.alignment not in CUTS or len(member.blocks) != len(spec.parts):
            found = f"{len(member.blocks)} blocks of {spec.name} over {spec.alignment}"
            expected = f"{len(spec.parts)}, over one of {', '.join(CUTS)}"
            raise CheckpointError(f"{folder / CARD_NAME}", found=found, expected=expected)
        parts += [(block, dim) for block, (_, dim) in zip(member.blocks, spec.parts, strict=True)]
    if len({name for name, _ in parts}) < len(parts):
        found = ", ".join(name for name, _ in parts)
        raise CheckpointError(f"{folder / CARD_NAME}", found=found, expected="a name of its own for every block")
    return tuple(parts)
