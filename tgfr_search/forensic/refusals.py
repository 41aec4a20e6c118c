"""When there is no number: reason codes, and the rules that give them, over facts that are declared or measured."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tgfr_search.forensic.lr import MIN_GENUINE, MIN_PEOPLE
from tgfr_search.forensic.words import Origin

ALLOWED_PROCESSING = frozenset({"crop", "rotate", "resize", "brightness"})
"""What may be done to a probe before it is compared; brightness only as declared."""


class ProbeKind(StrEnum):
    """What a probe is; declared with it."""

    STILL = "still"
    VIDEO_FRAME = "video frame"
    DOCUMENT = "document"
    SKETCH = "sketch"
    COMPOSITE = "composite"
    LOOK_ALIKE = "look-alike"


NOT_THE_PERSON = frozenset({ProbeKind.SKETCH, ProbeKind.COMPOSITE, ProbeKind.LOOK_ALIKE})
"""Pictures that no camera took of the person: a list of candidates, and no likelihood ratio."""


class Refusal(StrEnum):
    """Why there is no likelihood ratio. They are stored and counted: never rename one."""

    NO_CALIBRATION = "no_calibration"
    CONTRACT_MISMATCH = "contract_mismatch"
    COHORT_MISMATCH = "cohort_mismatch"
    MODE_NOT_CALIBRATED = "mode_not_calibrated"
    QUALITY_UNKNOWN = "quality_unknown"
    QUALITY_OUT_OF_RANGE = "quality_out_of_range"
    TOO_FEW_IN_BAND = "too_few_in_band"
    NOT_A_PHOTOGRAPH_OF_THE_PERSON = "not_a_photograph_of_the_person"
    GENERATED_DETAIL = "generated_detail"
    ENHANCED = "enhanced"
    DESCRIPTION_OF_THE_PROBE_PICTURE = "description_of_the_probe_picture"
    POPULATION_MISMATCH = "population_mismatch"


@dataclass(frozen=True)
class Facts:
    """What is known of one comparison before a number may be given.

    Attributes:
        calibrated: Whether there is a calibration at all.
        contract_matches: Whether it is of this model.
        cohort_matches: Whether it is of this cohort.
        mode_calibrated: Whether it has the mode and number of lines of this comparison.
        uses_words: Whether the score has words in it.
        quality: Predicted quality of the probe; None where nothing predicts one.
        quality_range: Calibrated for.
        people: In the band of quality.
        genuine: Genuine pairs in it.
        kind: Of the probe, as declared.
        processing: Steps done to the probe, as declared.
        generated: Whether super-resolution or another generator drew detail into it.
        origin: Of the description, as declared.
        population: Declared for the case; empty where nothing was declared.
        calibrated_population: Of the calibration.
    """

    calibrated: bool = True
    contract_matches: bool = True
    cohort_matches: bool = True
    mode_calibrated: bool = True
    uses_words: bool = False
    quality: float | None = 1.0
    quality_range: tuple[float, float] = (0.0, 1.0)
    people: int = MIN_PEOPLE
    genuine: int = MIN_GENUINE
    kind: ProbeKind = ProbeKind.STILL
    processing: tuple[str, ...] = ()
    generated: bool = False
    origin: Origin = Origin.UNKNOWN
    population: str = ""
    calibrated_population: str = ""


def refusal(facts: Facts) -> Refusal | None:
    """Why a comparison gets no number; None where it may have one. The first rule that applies is told."""
    low, high = facts.quality_range
    quality = facts.quality
    rules = (
        (not facts.calibrated, Refusal.NO_CALIBRATION),
        (not facts.contract_matches, Refusal.CONTRACT_MISMATCH),
        (not facts.cohort_matches, Refusal.COHORT_MISMATCH),
        (facts.kind in NOT_THE_PERSON, Refusal.NOT_A_PHOTOGRAPH_OF_THE_PERSON),
        (facts.generated, Refusal.GENERATED_DETAIL),
        (not set(facts.processing) <= ALLOWED_PROCESSING, Refusal.ENHANCED),
        (facts.uses_words and facts.origin == Origin.PROBE_PICTURE, Refusal.DESCRIPTION_OF_THE_PROBE_PICTURE),
        (not facts.mode_calibrated, Refusal.MODE_NOT_CALIBRATED),
        (facts.population not in ("", facts.calibrated_population), Refusal.POPULATION_MISMATCH),
        (quality is None or quality != quality, Refusal.QUALITY_UNKNOWN),
        (quality is not None and not low <= quality <= high, Refusal.QUALITY_OUT_OF_RANGE),
        (facts.people < MIN_PEOPLE or facts.genuine < MIN_GENUINE, Refusal.TOO_FEW_IN_BAND),
    )
    return next((reason for applies, reason in rules if applies), None)
