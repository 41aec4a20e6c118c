"""The systems by name, and their models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.measure.systems.faces import Frozen, FrozenDlib
from pipelines.measure.systems.protocol import System
from pipelines.measure.systems.searched import Searched
from pipelines.measure.systems.trained import CaptionAlone, Control, Default, Trained
from tgfr_search.data.regimes import REGIMES
from tgfr_search.errors import InputError
from tgfr_search.model.checkpoint import DEFAULT_MODEL, WEIGHTS, load_model
from tgfr_search.model.loaded import FaceTextModel

KINDS: dict[str, tuple[type[Frozen] | type[Trained], str]] = {
    "frozen": (Frozen, DEFAULT_MODEL),
    "frozen-dlib": (FrozenDlib, DEFAULT_MODEL),
    "control": (Control, "control-sface"),
    "caption": (CaptionAlone, DEFAULT_MODEL),
    "default": (Default, DEFAULT_MODEL),
    "searched": (Searched, DEFAULT_MODEL),
}
"""Name → what it does, and the shipped weights that it does it with; any other name is a trained model."""

BASELINES = {name: kind.baseline for name, (kind, _) in KINDS.items() if kind.baseline}
"""System → its caption regime. Every other system is reported as a paired difference from these too."""


def make_system(name: str, model: FaceTextModel) -> System:
    """The system that a name of the report stands for."""
    return KINDS.get(name, (Trained, ""))[0](name, model)


def shipped_systems() -> list[str]:
    """The systems whose weights come with the package."""
    return [name for name, (_, folder) in KINDS.items() if _has_weights(folder)]


def usual_systems() -> list[str]:
    """Those that any data can be measured with: there may be people of the cohort in them."""
    return [name for name in shipped_systems() if KINDS[name][0] is not Searched]


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
