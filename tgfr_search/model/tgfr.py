"""TGFR: frozen face features and captions in, named template blocks out (paper §3.1, Fig. 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tgfr_search.encoders.base import FaceFeatures, TokenBatch
from tgfr_search.errors import OptionsError
from tgfr_search.model.baselines import TextRefinement
from tgfr_search.model.fcam import FCAM, SharedFeatures
from tgfr_search.model.fusion import make_fusion
from tgfr_search.model.looks import LooksReader
from tgfr_search.model.projection import SHARED_DIM
from tgfr_search.model.quality import QualityHead
from tgfr_search.model.reader import DescriptionReader
from tgfr_search.options import ModelOptions
from tgfr_search.types import FloatArray, Templates

LINES_A_BATCH = 128

ON_CENTRE = 1e-3
"""Distance from its centre below which a unit vector says nothing."""


class Embedded(NamedTuple):
    """What the model makes of N face-caption pairs.

    Attributes:
        templates: Blocks `face` (and `adapted`), `shared_face`, `caption`, `fused` (and `description`, `looks`);
            zero where absent.
        quality: float32 [N], predicted quality of each face; NaN where there is no face.
        truncated: How many caption lines were longer than the text encoder reads.
    """

    templates: Templates
    quality: FloatArray
    truncated: int


class LineFeatures(NamedTuple):
    """Some caption lines in the shared space.

    Attributes:
        caption: c, [B, 256].
        words: W, [B, L, 256].
        mask: bool [B, L].
        truncated: How many were cut.
    """

    caption: Tensor
    words: Tensor
    mask: Tensor
    truncated: int


LineReader = Callable[[list[str]], LineFeatures]


def _read_parts(parts: Sequence[tuple[str, int]], reads: Sequence[str]) -> list[tuple[str, int]]:
    """Those of the face encoder's blocks that the trained modules read, in the order in which they read them.

    Raises:
        OptionsError: The face encoder has no such block.
    """
    dims = dict(parts)
    if unknown := [name for name in reads if name not in dims]:
        raise OptionsError(f"reads {unknown[0]!r}", expected=f"of the face encoder's blocks: {', '.join(dims)}")
    return [(name, dims[name]) for name in reads or dims]


def _columns(parts: Sequence[tuple[str, int]], read: Sequence[str]) -> list[int] | None:
    """Columns of the face encoder's vector that are read; None where they are all, in their order."""
    if list(read) == [name for name, _ in parts]:
        return None
    at, where = 0, {}
    for name, dim in parts:
        where[name], at = range(at, at + dim), at + dim
    return [column for name in read for column in where[name]]


class TGFR(nn.Module):
    """The whole trained model, without the frozen face encoder.

    Args:
        text: The text encoder, a module that is a `TextEncoder`.
        options: The architecture.
        parts: (block, dimension) of the face encoder's global vector; they add up to its D.
        region_channels: C of its regional map.
    """

    def __init__(
        self, text: nn.Module, options: ModelOptions, *, parts: Sequence[tuple[str, int]], region_channels: int
    ) -> None:
        super().__init__()
        self.parts = tuple(parts)
        read = _read_parts(self.parts, options.reads)
        self._columns = _columns(self.parts, [name for name, _ in read])
        face_dim = sum(dim for _, dim in read)
        text_dim: Any = text.dim
        refined = TextRefinement(int(text_dim), options.heads, options.dropout) if options.text_refinement else None
        self.fcam = FCAM(
            text,
            face_dim=face_dim,
            region_channels=region_channels,
            face_hidden=options.face_hidden,
            dropout=options.dropout,
            face_parts=[dim for _, dim in read] if options.unit_parts else (),
            refinement=refined,
        )
        self.fusion = make_fusion(options)
        self.quality = QualityHead(face_dim, region_channels)
        self.description: DescriptionReader | None = None
        self.looks: LooksReader | None = None
        trained = [("shared_face", SHARED_DIM), ("caption", SHARED_DIM), ("fused", options.fused_dim)]
        if options.description_dim:
            self.description = DescriptionReader(SHARED_DIM, options.description_dim)
            self.looks = LooksReader([dim for _, dim in read], region_channels, options.description_dim)
            trained += [("description", options.description_dim), ("looks", options.description_dim)]
        self.trained = tuple(trained)
        # Mean unit vector of each trained block over the train split: subtracted, so that the mean impostor score is
        # about 0 and an absent (all-zero) block is neutral. The frozen face block is not centred: it loses by it.
        for name, dim in self.trained:
            self.register_buffer(f"centre_{name}", torch.zeros(dim))

    @property
    def layout(self) -> tuple[tuple[str, int], ...]:
        """(block, dimension) in index order."""
        return (*self.parts, *self.trained)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def read(self, faces: FaceFeatures) -> FaceFeatures:
        """The part of the face encoder's output that the trained modules read."""
        if self._columns is None:
            return faces
        return FaceFeatures(faces.global_[:, self._columns], faces.regions)

    def _centred(self, name: str, block: Tensor) -> Tensor:
        centre: Tensor = getattr(self, f"centre_{name}")
        apart = F.normalize(block, dim=1) - centre
        # What lies on the centre (the control's one sentence) is absent: its direction would be rounding noise.
        present = (block.norm(dim=1, keepdim=True) > 0) & (apart.norm(dim=1, keepdim=True) > ON_CENTRE)
        out: Tensor = F.normalize(apart, dim=1) * present
        return out

    def tokenize(self, captions: Sequence[str]) -> TokenBatch:
        """One batch of captions, on the model's device."""
        text: Any = self.fcam.text
        tokens: TokenBatch = text.tokenize(captions)
        ids, attention, words = (part.to(self.device) for part in (tokens.ids, tokens.attention, tokens.words))
        return TokenBatch(ids, attention, words, tokens.truncated)

    def read_lines(self, lines: list[str]) -> LineFeatures:
        """Encodes some lines with the text side."""
        tokens = self.tokenize(lines)
        return LineFeatures(*self.fcam.caption(tokens), tokens.truncated)

    def _batches(self, captions: Sequence[Sequence[str]]) -> Iterator[tuple[Tensor, list[str]]]:
        """All lines that say something, in batches of similar length, each with the pair its lines belong to."""
        owners, lines = [], []
        for owner, own in enumerate(captions):
            for line in own:
                if line.strip():
                    owners.append(owner)
                    lines.append(line)
        order = np.argsort([len(line) for line in lines], kind="stable")
        for start in range(0, len(lines), LINES_A_BATCH):
            rows = order[start : start + LINES_A_BATCH]
            yield torch.tensor([owners[i] for i in rows], device=self.device), [lines[i] for i in rows]

    def raw_blocks(
        self, faces: FaceFeatures | None, captions: Sequence[Sequence[str]], read: LineReader | None = None
    ) -> tuple[dict[str, Tensor], Tensor, int]:
        """Trained blocks before centring; the paper's read one line, so of several lines' vectors the sum is taken.

        Args:
            faces: Features of N faces, or None for captions alone.
            captions: N tuples of lines; an empty one gives absent caption and fused blocks.
            read: Stands in for `read_lines` where lines are encoded already.

        Returns:
            Blocks [N, dim] by name, predicted quality [N], number of truncated lines.
        """
        count, device = len(captions), self.device
        blocks = {name: torch.zeros(count, dim, device=device) for name, dim in self.trained}
        said, owners, counts = [], [], torch.zeros(count, device=device)
        quality = torch.full((count,), torch.nan, device=device)
        regions = None
        if faces is not None:
            faces = self.read(faces)
            blocks["shared_face"], regions = self.fcam.face(faces)
            quality = self.quality(faces)
            if self.looks is not None:
                blocks["looks"] = self.looks(faces)
        truncated = 0
        for owner, lines in self._batches(captions):
            caption, words, mask, cut = (read or self.read_lines)(lines)
            truncated += cut
            blocks["caption"].index_add_(0, owner, caption)
            if regions is not None:
                shared = SharedFeatures(blocks["shared_face"][owner], caption, regions[owner], words, mask)
                blocks["fused"].index_add_(0, owner, self.fusion(shared))
            if self.description is not None:
                said.append(words[mask])
                owners.append(owner.repeat_interleave(mask.sum(dim=1)))
                counts += owner[mask.any(dim=1)].bincount(minlength=count)
        if self.description is not None and said:
            blocks["description"] = self.description(torch.cat(said), torch.cat(owners), counts)
        return blocks, quality, truncated

    @torch.inference_mode()
    def embed(
        self, faces: FaceFeatures | None, captions: Sequence[Sequence[str]], read: LineReader | None = None
    ) -> Embedded:
        """Templates of N face-caption pairs.

        Args:
            faces: Features of N faces on the model's device, or None for captions alone.
            captions: N tuples of caption lines, any of them empty.
            read: Stands in for `read_lines` where lines are encoded already.
        """
        blocks, quality, truncated = self.raw_blocks(faces, captions, read)
        out = {name: torch.zeros(len(captions), dim, device=self.device) for name, dim in self.parts}
        if faces is not None:
            halves = faces.global_.split([dim for _, dim in self.parts], dim=1)
            out = {name: F.normalize(half, dim=1) for (name, _), half in zip(self.parts, halves, strict=True)}
        for name, block in blocks.items():
            out[name] = self._centred(name, block)
        arrays = {name: block.float().cpu().numpy() for name, block in out.items()}
        return Embedded(Templates(arrays), quality.float().cpu().numpy(), truncated)
