"""Systems of a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipelines.measure.data import Side
from pipelines.measure.systems.protocol import Said, batches
from tgfr_search.data.regimes import CONSTANT
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes, dense_rows, make_probes, resolve_mode
from tgfr_search.model.tgfr import LineReader
from tgfr_search.types import FloatArray, Templates


@dataclass
class Trained:
    """A trained model with all of its terms."""

    name: str
    model: FaceTextModel
    baseline: ClassVar[str | None] = None
    prominence: ClassVar[int] = 1
    trained: ClassVar[bool] = True
    looks: ClassVar[bool] = True
    asked: ClassVar[str] = "auto"
    """The mode of its searches."""

    @property
    def model_id(self) -> str:
        """The model's."""
        return self.model.model_id

    def regimes(self, asked: Sequence[str]) -> tuple[str, ...]:
        """All of them."""
        return tuple(asked)

    def reads(self, lines: Iterable[str]) -> list[str]:
        """All lines, as the text encoder gets them too, and the neutral sentence."""
        own, said = self.model.directions, {CONSTANT, *lines}
        return sorted(said if own is None else {*said, *own.heard(sorted(said))})

    @property
    def needs_text(self) -> bool:
        """Whether only fused vectors are compared, as in the paper: without words there would be nothing to compare."""
        return set(self.model.scoring.weights.get("fused", ())) == {"fused"}

    def spoken(self, captions: Said) -> Said:
        """A neutral sentence for images that nobody described, where the system cannot do without."""
        return [own or (CONSTANT,) for own in captions] if self.needs_text else captions

    def templates(self, side: Side, view: int, captions: Said, read: LineReader | None) -> FloatArray:
        """See `System`."""
        said, tgfr = self.spoken(captions), self.model.tgfr
        parts = [tgfr.embed(features, said[rows], read).templates for rows, features in self._on_device(side, view)]
        return dense_rows(Templates.concat(parts), tgfr.layout)

    def probes(self, side: Side, view: int, captions: Said, read: LineReader | None) -> Probes:
        """See `System`. Where nobody says a word (`none`) the image alone is searched with, by any system."""
        said = self.spoken(captions) if any(captions) else captions
        # A probe of a search by words that nobody described is a search with nothing: all candidates tie.
        modes = [resolve_mode(self.asked, True, any(line.strip() for line in own)) or "caption" for own in said]
        return Probes.concat(
            [
                make_probes(self.model, features, said[rows], modes[rows], read)
                for rows, features in self._on_device(side, view)
            ]
        )

    def _on_device(self, side: Side, view: int) -> Iterator[tuple[slice, FaceFeatures]]:
        for rows, features in batches(self.model, side, view):
            yield rows, FaceFeatures(*(x.to(self.model.tgfr.device) for x in features))


class Default(Trained):
    """The model that comes with the package: what a report is about where it takes part."""

    prominence: ClassVar[int] = 2


class CaptionAlone(Trained):
    """Searches by words: the photo is there and not looked at."""

    prominence: ClassVar[int] = 0
    looks: ClassVar[bool] = False
    asked: ClassVar[str] = "caption"

    def regimes(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Those with words that tell somebody apart."""
        return tuple(regime for regime in asked if regime not in ("none", "constant"))


class Control(Trained):
    """Trained and searched with one sentence for everybody: what training gives without any word."""

    baseline: ClassVar[str | None] = "constant"
    prominence: ClassVar[int] = 0

    def regimes(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Its own sentence."""
        return ("constant",)

    def reads(self, lines: Iterable[str]) -> list[str]:
        """Its own sentence."""
        return [CONSTANT]
