"""From scores of one probe to what is printed: likelihood ratios with bounds, or a reason code and no number."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tgfr_search.forensic.calibration import Binding, Calibration
from tgfr_search.forensic.lr import Ratios
from tgfr_search.forensic.pairs import Floats
from tgfr_search.forensic.refusals import Facts, ProbeKind, Refusal, refusal
from tgfr_search.forensic.tail import Expected, expected_strangers
from tgfr_search.forensic.words import RELIABILITY, Origin, mixture


@dataclass(frozen=True)
class Declared:
    """What a user says of a probe.

    Attributes:
        kind: What it is.
        processing: Steps done to it.
        generated: Whether a generator drew detail into it.
        origin: Of the description.
        reliability: Of the witness, 0 … 1.
        population: Of the case; empty where it is the calibration's.
    """

    kind: ProbeKind = ProbeKind.STILL
    processing: tuple[str, ...] = ()
    generated: bool = False
    origin: Origin = Origin.WITNESS
    reliability: float = RELIABILITY
    population: str = ""


@dataclass(frozen=True)
class Evidence:
    """What one candidate's score is worth.

    Attributes:
        log10: log10 LR; None where refused, as are all numbers.
        low: Lower end of its 90 % interval.
        high: Upper end.
        bounded: Whether the value is a bound: at least, or at most.
        refused: Reason code, or None.
        image_log10: Of the picture alone, where words were used.
        expected_strangers: How many strangers are expected so high among those searched.
        extrapolated: Whether that number lies beyond what was counted.
    """

    log10: float | None
    low: float | None
    high: float | None
    bounded: bool
    refused: str | None
    image_log10: float | None = None
    expected_strangers: float | None = None
    extrapolated: bool = False

    def lr(self) -> dict[str, Any]:
        """The key `lr` of a candidate in JSON."""
        tree = asdict(self)
        return {name: tree[name] for name in ("log10", "low", "high", "bounded", "refused", "image_log10")}


def refused(reason: Refusal) -> Evidence:
    """No number, and why."""
    return Evidence(None, None, None, False, reason.value)


def mode_key(mode: str, lines: int) -> str:
    """Name of a mode's calibration: `image`, `fused-1`, `fused-2`, `fused-3`; each number of lines has its own."""
    return mode if mode == "image" else f"{mode}-{lines}"


def parts_of(key: str) -> tuple[str, int]:
    """Mode and number of lines behind the name of a mode's calibration: `fused-3` → (`fused`, 3)."""
    mode, _, lines = key.partition("-")
    return mode, int(lines or 0)


def evidence(
    calibration: Calibration | None,
    binding: Binding,
    *,
    mode: str,
    lines: int,
    scores: Floats,
    image_scores: Floats,
    quality: float | None,
    searched: int,
    declared: Declared | None = None,
    familiar: bool = True,
) -> list[Evidence]:
    """What the scores of one probe against N records are worth.

    Args:
        calibration: In force; None where there is none.
        binding: Of the search: another model's or cohort's calibration gives no number.
        mode: `image`, `fused` or `caption`.
        lines: Of the description.
        scores: [N].
        image_scores: [N], of the picture alone; used where words are.
        quality: Predicted for the probe; None where it has no face.
        searched: People really searched, after filters.
        declared: By the user.
        familiar: Whether the description is put as those were that the calibration was fitted on. Otherwise the
            numbers are the picture's alone; what refuses a number refuses it all the same.

    Raises:
        InputError: A score is NaN.
    """
    said = declared or Declared()
    own = None if calibration is None else calibration.modes.get(mode_key(mode, lines))
    image = None if calibration is None else calibration.modes.get("image")
    used, scores = (own, scores) if familiar else (image, image_scores)
    band = None if used is None or quality is None else used.band(quality)
    facts = replace(
        _facts(calibration, binding, said),
        mode_calibrated=own is not None and image is not None,
        uses_words=mode != "image",
        quality=quality,
        quality_range=(0.0, 1.0) if used is None else used.quality_range,
        people=0 if band is None else band.people,
        genuine=0 if band is None else band.genuine,
    )
    reason = refusal(facts)
    if reason is not None or used is None or image is None or band is None or quality is None:
        return [refused(reason or Refusal.NO_CALIBRATION)] * len(scores)
    at = np.full(len(scores), quality)
    ratios = used.calibrator.ratios(scores, at)
    alone = None
    if mode != "image":
        picture = image.calibrator.ratios(image_scores, at)
        ratios, alone = joined(ratios, picture, said.reliability), picture.log10
    told = [expected_strangers(score, band.tail, searched) for score in scores.tolist()]
    return [_rounded(ratios, alone, row, expected) for row, expected in enumerate(told)]


def _facts(calibration: Calibration | None, binding: Binding, said: Declared) -> Facts:
    """What a calibration, whose search it is and what was declared tell of a comparison."""
    facts = Facts(
        calibrated=calibration is not None,
        kind=said.kind,
        processing=said.processing,
        generated=said.generated,
        origin=said.origin,
        population=said.population,
    )
    if calibration is None:
        return facts
    own = calibration.binding
    return replace(
        facts,
        contract_matches=own.contract_sha256 == binding.contract_sha256,
        cohort_matches=own.cohort_sha256 == binding.cohort_sha256,
        calibrated_population=calibration.population.name,
    )


def _rounded(ratios: Ratios, alone: Floats | None, row: int, expected: Expected) -> Evidence:
    """One row as it is told: to four digits."""
    return Evidence(
        round(float(ratios.log10[row]), 4),
        round(float(ratios.low[row]), 4),
        round(float(ratios.high[row]), 4),
        bool(ratios.bounded[row]),
        None,
        None if alone is None else round(float(alone[row]), 4),
        expected.strangers,
        expected.extrapolated,
    )


def joined(fused: Ratios, image: Ratios, reliability: float) -> Ratios:
    """Picture and words when the witness may speak of somebody else (`words.mixture`), value and interval alike.

    It lies between the two, so it keeps the wider of their bounds, and it is a bound where the greater part is.
    """
    if reliability == 0:
        return image
    value, low, high = (
        mixture(getattr(fused, name), getattr(image, name), reliability) for name in ("log10", "low", "high")
    )
    bounded = np.where(fused.log10 >= image.log10, fused.bounded, image.bounded)
    return Ratios(value, low, high, np.asarray(bounded, bool))
