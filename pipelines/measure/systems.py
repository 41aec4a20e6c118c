"""The systems that a benchmark compares, each giving query and gallery vectors for the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch.nn.functional as F

from pipelines.measure.data import Side
from tgfr_search.data.regimes import CONSTANT, REGIMES
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError
from tgfr_search.model.checkpoint import DEFAULT_MODEL, WEIGHTS, FaceTextModel, load_model
from tgfr_search.model.line_cache import LineCache
from tgfr_search.model.probe import dense_rows, resolve_mode, weigh
from tgfr_search.types import FloatArray, Templates

BATCH = 128
MODEL_OF = {"default": DEFAULT_MODEL, "caption": DEFAULT_MODEL, "control": "control"}
"""Systems whose weights come with the package under another name than their own."""


@dataclass
class System:
    """One row of the comparison.

    Attributes:
        name: As in the report.
        model: What embeds; for `frozen` only its face encoder counts.
        lines: Caption lines encoded once.
    """

    name: str
    model: FaceTextModel
    lines: LineCache | None = field(default=None, repr=False)

    @property
    def model_id(self) -> str:
        """What identifies its vectors."""
        return self.model.face_encoder.spec.frozen if self.name == "frozen" else self.model.model_id

    def regimes(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The caption regimes in which this system means something."""
        if self.name == "frozen":
            return ("none",)
        if self.name == "control":
            return ("constant",)
        return tuple(r for r in asked if not (self.name == "caption" and r in ("none", "constant")))

    def prepare(self, lines: list[str]) -> None:
        """Encodes all caption lines that a run will need."""
        if self.name != "frozen" and (self.lines is None or not set(lines) <= self.lines.row.keys()):
            self.lines = LineCache(self.model.tgfr, lines)

    @property
    def needs_text(self) -> bool:
        """Whether only fused vectors are compared, as in the paper: without words there would be nothing to compare."""
        return set(self.model.scoring.weights.get("fused", ())) == {"fused"}

    def _spoken(self, captions: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
        """A neutral sentence for images that nobody described, where the system cannot do without."""
        return [own or (CONSTANT,) for own in captions] if self.needs_text else captions

    def templates(self, side: Side, view: int, captions: Sequence[tuple[str, ...]]) -> FloatArray:
        """Gallery vectors [N, D + 1]: the concatenated blocks, as a row of an index, and a 1 for the probe's offset."""
        templates, _ = self._embed(side, view, self._spoken(captions))
        return dense_rows(templates, self._layout)

    def probes(self, side: Side, view: int, captions: Sequence[tuple[str, ...]]) -> tuple[FloatArray, FloatArray]:
        """Query vectors [N, D + 1] and predicted quality [N] (NaN for `frozen`)."""
        if any(captions):  # where nobody says a word (`none`) the image alone is searched with, by any system
            captions = self._spoken(captions)
        templates, quality = self._embed(side, view, captions)
        if self.name == "frozen":
            return np.concatenate([templates.blocks["face"], np.zeros((len(quality), 1), np.float32)], axis=1), quality
        asked = "caption" if self.name == "caption" else "auto"
        # A probe of the caption system that nobody described is a search with nothing: all candidates tie.
        modes = [resolve_mode(asked, True, any(line.strip() for line in own)) or "caption" for own in captions]
        return weigh(templates, quality, modes, self.model.scoring, self._layout).dense(), quality

    @property
    def _layout(self) -> tuple[tuple[str, int], ...]:
        return self.model.tgfr.layout[:1] if self.name == "frozen" else self.model.tgfr.layout

    def _embed(self, side: Side, view: int, captions: Sequence[tuple[str, ...]]) -> tuple[Templates, FloatArray]:
        parts, qualities = [], []
        flip, spec = self.model.config["model"]["flip"], self.model.face_encoder.spec
        for start in range(0, len(side), BATCH):
            rows = side.order[start : start + BATCH]
            features = side.features[spec.weights_key].batch(
                rows, view, None if flip else np.zeros(len(rows), np.int64)
            )
            if self.name == "frozen":
                frozen = features.global_[:, : spec.parts[0][1]]
                parts.append(Templates({"face": F.normalize(frozen, dim=1).numpy()}))
                qualities.append(np.full(len(rows), np.nan, np.float32))
                continue
            assert self.lines is not None, "prepare() comes first"
            on_device = FaceFeatures(*(x.to(self.model.tgfr.device) for x in features))
            out = self.model.tgfr.embed(on_device, captions[start : start + BATCH], self.lines.batch)
            parts.append(out.templates)
            qualities.append(out.quality)
        return Templates.concat(parts), np.concatenate(qualities)


def shipped_systems() -> list[str]:
    """The systems whose weights come with the package."""
    return [name for name in ("frozen", "control", "caption", "default") if _has_weights(_model_of(name))]


def _model_of(name: str) -> str:
    return DEFAULT_MODEL if name == "frozen" else MODEL_OF.get(name, name)


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
    systems = []
    for asked in names:
        name, _, folder = asked.partition("=")
        if not folder:
            folder = _model_of(name)
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
        systems.append(System(name, loaded[folder]))
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
