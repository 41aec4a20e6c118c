"""The systems that a benchmark compares, each giving query and gallery vectors for the same images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import torch.nn.functional as F

from pipelines.measure.data import Side
from tgfr_search.data.regimes import CONSTANT, REGIMES
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.encoders.registry import DLIB
from tgfr_search.errors import InputError
from tgfr_search.model.checkpoint import DEFAULT_MODEL, WEIGHTS, load_model
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Layout, Probes, dense_rows, make_probes, resolve_mode, weigh
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.tgfr import LineReader
from tgfr_search.types import FloatArray, Templates

BATCH = 128

FACE_ALONE = ScoreModel({"image": {"face": (1.0,)}}, {}, {"image": (0.0,)})
"""The cosine of the frozen face encoder's vectors."""

Said = Sequence[tuple[str, ...]]
"""Caption lines of N images, any of them empty."""


class System(Protocol):
    """One row of the comparison.

    Attributes:
        name: As in the report.
        model: What embeds.
        baseline: The caption regime in which this system is one that the others are also reported as differences from;
            None where it is no such baseline.
        prominence: Of several, the report is about the one with most.
        trained: Whether anything of the model but its frozen face encoder counts.
        looks: Whether the probe's photo counts.
    """

    name: str
    model: FaceTextModel
    baseline: ClassVar[str | None]
    prominence: ClassVar[int]
    trained: ClassVar[bool]
    looks: ClassVar[bool]

    @property
    def model_id(self) -> str:
        """What identifies its vectors."""

    def regimes(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The caption regimes in which this system means something."""

    def reads(self, lines: Iterable[str]) -> list[str]:
        """Which lines it will read where those of the data are `lines`: each once, sorted."""

    def templates(self, side: Side, view: int, captions: Said, read: LineReader | None) -> FloatArray:
        """Gallery vectors, float32 [N, D + 1], as `model.probe.dense_rows` has them."""

    def probes(self, side: Side, view: int, captions: Said, read: LineReader | None) -> Probes:
        """Probes of all images of a side; their quality is 0 where the system predicts none."""


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

    def _spoken(self, captions: Said) -> Said:
        """A neutral sentence for images that nobody described, where the system cannot do without."""
        return [own or (CONSTANT,) for own in captions] if self.needs_text else captions

    def templates(self, side: Side, view: int, captions: Said, read: LineReader | None) -> FloatArray:
        """See `System`."""
        said, tgfr = self._spoken(captions), self.model.tgfr
        parts = [tgfr.embed(features, said[rows], read).templates for rows, features in self._on_device(side, view)]
        return dense_rows(Templates.concat(parts), tgfr.layout)

    def probes(self, side: Side, view: int, captions: Said, read: LineReader | None) -> Probes:
        """See `System`. Where nobody says a word (`none`) the image alone is searched with, by any system."""
        said = self._spoken(captions) if any(captions) else captions
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


KINDS: dict[str, tuple[type[Frozen] | type[Trained], str]] = {
    "frozen": (Frozen, DEFAULT_MODEL),
    "frozen-dlib": (FrozenDlib, DEFAULT_MODEL),
    "control": (Control, "control-sface"),
    "caption": (CaptionAlone, DEFAULT_MODEL),
    "default": (Default, DEFAULT_MODEL),
}
"""Name → what it does, and the shipped weights that it does it with; any other name is a trained model."""

BASELINES = {name: kind.baseline for name, (kind, _) in KINDS.items() if kind.baseline}
"""System → its caption regime. Every other system is reported as a paired difference from these too."""


def make_system(name: str, model: FaceTextModel) -> System:
    """The system that a name of the report stands for."""
    return KINDS.get(name, (Trained, ""))[0](name, model)


def batches(model: FaceTextModel, side: Side, view: int) -> Iterator[tuple[slice, FaceFeatures]]:
    """Rows of a side with their features, as they lie in the cache; both orientations where the model averages them.

    Args:
        model: Whose features.
        side: The faces.
        view: Which view of them.
    """
    flip, spec = model.config["model"]["flip"], model.face_encoder.spec
    for start in range(0, len(side), BATCH):
        rows = side.order[start : start + BATCH]
        features = side.features[spec.weights_key].batch(rows, view, None if flip else np.zeros(len(rows), np.int64))
        yield slice(start, start + BATCH), features


def shipped_systems() -> list[str]:
    """The systems whose weights come with the package."""
    return [name for name, (_, folder) in KINDS.items() if _has_weights(folder)]


def _has_weights(folder: str) -> bool:
    return (WEIGHTS / folder / "config.json").is_file()


def load_systems(names: Sequence[str], device: str = "auto") -> list[System]:
    """Systems by name, by `name=folder`, or by checkpoint folder.

    Args:
        names: `frozen`, `control`, `caption`, `default`, or a trained system of the paper as `tgfr=runs/tgfr/model`.
        device: Where they run.

    Raises:
        InputError: A system whose weights are not there; the message says how to train it.
    """
    loaded: dict[str, FaceTextModel] = {}
    systems: list[System] = []
    for asked in names:
        name, _, folder = asked.partition("=")
        if not folder:
            folder = KINDS[name][1] if name in KINDS else name
            if (Path(asked) / "config.json").is_file():
                folder, name = asked, Path(asked).resolve().name
            elif not _has_weights(folder):
                run = f"tgfr-search train --config configs/{name}.toml --out runs/{name}"
                raise InputError(
                    f"system {asked!r}",
                    found="no weights of that name",
                    expected=f"{', '.join(shipped_systems()) or 'none shipped'}; a checkpoint folder, or name=folder",
                    do=f"{run} (where there is such a configuration), then --systems {name}=runs/{name}/model",
                )
        if folder not in loaded:
            loaded[folder] = load_model(folder, device=device)
        systems.append(make_system(name, loaded[folder]))
    frozen = {(s.model.face_encoder.spec.frozen, s.model.face_encoder.spec.alignment) for s in systems}
    if len(frozen) > 1:
        raise InputError("systems", found="different face encoders", expected="one: run the others apart")
    return systems


def check_regimes(names: Sequence[str]) -> tuple[str, ...]:
    """Caption regimes asked for; `all` is every one.

    Raises:
        InputError: An unknown one.
    """
    if list(names) == ["all"]:
        return REGIMES
    unknown = [name for name in names if name not in REGIMES]
    if unknown:
        raise InputError(f"caption regime {unknown[0]!r}", expected=f"all, or of: {', '.join(REGIMES)}")
    return tuple(names)
