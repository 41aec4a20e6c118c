"""A calibration as a file: JSON, never pickle, equal bytes for equal fits, bound to what it was fitted with."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tgfr_search.errors import InputError, OptionsError
from tgfr_search.files import replace_text
from tgfr_search.forensic.bounds import Bounds
from tgfr_search.forensic.correction import TERMS, Correction
from tgfr_search.forensic.lr import Calibrator
from tgfr_search.forensic.modes import Band, ModeCalibration, Strangers
from tgfr_search.forensic.statement import Population
from tgfr_search.strict import from_dict, to_dict

SCHEMA = 1


@dataclass(frozen=True)
class Binding:
    """What a calibration belongs to; it is refused where a field differs.

    Attributes:
        contract_sha256: Of the contract: model, encoders, alignment, score weights.
        model_id: For a reader.
        cohort_sha256: Of the cohort of typicality; empty where the scores have none.
    """

    contract_sha256: str
    model_id: str
    cohort_sha256: str = ""


@dataclass(frozen=True)
class Origin:
    """What a calibration was fitted on.

    Attributes:
        data_sha256: Of the data set.
        split: Part of it; empty where it has none.
        software: Version of tgfr-search.
        seed: Of draws and resamples.
        levels: Of the quality ladder.
        warnings: What a reader must know.
    """

    data_sha256: str
    split: str
    software: str
    seed: int
    levels: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """Calibrators by mode (`image`, `fused-1` with one line of words), and what they belong to."""

    binding: Binding
    origin: Origin
    population: Population
    modes: Mapping[str, ModeCalibration] = field(default_factory=dict)

    def text(self) -> str:
        """The file's content."""
        tree = {
            "schema": SCHEMA,
            "binding": to_dict(self.binding),
            "origin": to_dict(self.origin),
            "population": to_dict(self.population),
            "modes": {name: _mode_tree(own) for name, own in self.modes.items()},
        }
        return json.dumps(tree, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"

    @cached_property
    def sha256(self) -> str:
        """Of the file: what a log and a report name."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        replace_text(path, self.text())

    def require(self, binding: Binding, what: str = "calibration") -> None:
        """Refuses another model or cohort.

        Raises:
            InputError: A field differs; it is named.
        """
        for name, found in asdict(self.binding).items():
            wanted = getattr(binding, name)
            if found != wanted:
                raise InputError(
                    f"{what}: {name}", found=found or "none", expected=wanted or "none",
                    do="calibrate with this model and cohort: tgfr-search calibrate",
                )  # fmt: skip


def read_calibration(path: Path) -> Calibration:
    """Reads a calibration.

    Raises:
        InputError: It is not there, no calibration, of another version, or a value makes no sense.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
        schema = tree.pop("schema") if isinstance(tree, dict) and "schema" in tree else None
    except OSError as error:
        raise InputError(f"{path}", found=error.strerror or "unreadable", expected="a calibration") from error
    except ValueError as error:
        raise InputError(f"{path}", found=f"no JSON: {error}", expected="a calibration") from error
    if schema != SCHEMA:
        found = f"schema {schema!r}"
        raise InputError(f"{path}", found=found, expected=f"a calibration of schema {SCHEMA}", do="calibrate again")
    try:
        modes = tree.pop("modes")
        named = {name: _mode(own, f"{path}: {name}") for name, own in modes.items()}
        parts = {
            name: from_dict(tree.pop(name), kind, f"{path}: {name}")
            for name, kind in (("binding", Binding), ("origin", Origin), ("population", Population))
        }
    except (KeyError, TypeError, AttributeError, ValueError, OptionsError) as error:
        raise InputError(f"{path}", found=str(error), expected="a calibration as `calibrate` writes it") from error
    if tree or not named:
        found = f"unknown key {next(iter(tree))!r}" if tree else "no mode"
        raise InputError(f"{path}", found=found, expected="a calibration as `calibrate` writes it")
    return Calibration(parts["binding"], parts["origin"], parts["population"], named)  # type: ignore[arg-type]


def _mode_tree(mode: ModeCalibration) -> dict[str, Any]:
    tree = to_dict(mode)
    tree["calibrator"]["refits"] = [list(own) for own in mode.calibrator.refits]
    if mode.correction is None:
        del tree["correction"]
    return tree


def _mode(tree: dict[str, Any], where: str) -> ModeCalibration:
    own = dict(tree["calibrator"])
    refits = tuple(tuple(map(_number, each)) for each in own["refits"])
    calibrator = Calibrator(
        tuple(map(_number, own["knots"])),
        tuple(map(_number, own["coefficients"])),
        _number(own["prior"]),
        from_dict(own["bounds"], Bounds, f"{where}: bounds"),
        refits,
    )
    slopes = 2 * len(calibrator.knots)
    lengths = {len(each) for each in (calibrator.coefficients, *refits)}
    rising = all(a < b for a, b in itertools.pairwise(calibrator.knots))
    falls = any(min(each[:slopes], default=0) < 0 for each in (calibrator.coefficients, *refits))
    limits = calibrator.bounds.low <= 0 <= calibrator.bounds.high
    if len(lengths) > 1 or min(lengths) < slopes + 3 or not rising or falls or not limits or not 0 < own["prior"] < 1:
        raise ValueError(f"{where}: knots, slopes or bounds that no fit gives")
    bands = tuple(from_dict(each, Band, f"{where}: band") for each in tree["bands"])
    if not bands:
        raise ValueError(f"{where}: no band of quality")
    strangers = from_dict(tree["strangers"], Strangers, f"{where}: strangers")
    people, genuine, impostor = (int(tree[name]) for name in ("people", "genuine", "impostor"))
    correction = _correction(tree.get("correction"), where)
    return ModeCalibration(calibrator, bands, strangers, people, genuine, impostor, correction)


def _correction(tree: dict[str, Any] | None, where: str) -> Correction | None:
    if tree is None:
        return None
    ends = tuple(tuple(map(_number, tree[name])) for name in ("low", "high"))
    if set(tree) != {"low", "high"} or any(len(own) != len(TERMS) for own in ends):
        raise ValueError(f"{where}: correction, expected low and high of {', '.join(TERMS)}")
    return Correction(*ends)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} where a number should be")
    return float(value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} where a number should be")
