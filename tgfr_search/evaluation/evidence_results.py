"""The part of a `report.json` that says what scores are worth, typed; see `tgfr_search.evaluation.results`."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12; torch brings it


class MisleadingRecord(TypedDict):
    """Of a likelihood ratio k: how often a stranger's is above k, and one person's below 1/k."""

    lr: float
    stranger_above: float
    same_person_below: float


class RatioRecord(TypedDict):
    """How good likelihood ratios of one mode (`image`, or `fused` with `lines` lines of words) are at a level.

    `cllr` is their cost, with its interval over people; `cllr_min` what is left of it after the best calibration
    possible, `cllr_cal` the rest; `devpav` how far they are from it; `bounds` of log10 LR.
    """

    level: str
    mode: str
    lines: int
    cllr: float
    cllr_low: float
    cllr_high: float
    cllr_min: float
    cllr_cal: float
    devpav: float | None
    people: int
    genuine: int
    impostor: int
    bounds: list[float]
    misleading: list[MisleadingRecord]


class PosteriorRecord(TypedDict):
    """First candidates whose posterior lies in one bin: its mean, and how often they were the right person."""

    posterior: float
    true: float
    searches: int


class SearchRecord(TypedDict):
    """Posteriors of first candidates against the truth, in simulated searches among `people`."""

    level: str
    mode: str
    people: int
    searches: int
    ece: float
    worst_overconfidence: float
    bins: list[PosteriorRecord]


class CrowdednessRecord(TypedDict):
    """False matches of the most crowded tenth of records, in those of the median tenth, at a global rate of `fmr`."""

    level: str
    mode: str
    ratio: float | None
    fmr: float
    tenths: list[float]


class ThresholdRecord(TypedDict):
    """What a threshold of the calibration does here, in galleries of `people`."""

    level: str
    mode: str
    people: int
    threshold: float
    fpir_asked: float
    fpir_seen: float | None
    fnir: float | None
    searches: int
    warning: str


class RatioCurveRecord(TypedDict):
    """Tippett curve (`log10`, shares above it) and empirical cross-entropy by `prior` (log10 odds)."""

    level: str
    mode: str
    tippett: dict[str, list[float]]
    ece: dict[str, list[float]]


class EvidenceRecord(TypedDict):
    """What the scores of the system that the report is about are worth, or the `reason` why that is not said.

    `calibration` is the SHA-256 of the one that was used, fitted on other people; `propositions` are what its ratios
    weigh; `notes` what a reader must know.
    """

    system: str
    calibration: str | None
    reason: str | None
    propositions: list[str]
    notes: list[str]
    cells: NotRequired[list[RatioRecord]]
    search: NotRequired[list[SearchRecord]]
    crowdedness: NotRequired[list[CrowdednessRecord]]
    thresholds: NotRequired[list[ThresholdRecord]]
    curves: NotRequired[list[RatioCurveRecord]]
