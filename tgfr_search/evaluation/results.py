"""What a `report.json` consists of, typed: one record a figure, its curves and examples, and the whole.

`docs/report.schema.json` says the same as a JSON schema; a test makes it from these types and holds a report to it.
"""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12; torch brings it

from tgfr_search.evaluation.evidence_results import EvidenceRecord


class ResultRecord(TypedDict):
    """A figure with its interval, or the reason why there is none.

    `system`, `condition`, `level`, `captions` say what was measured; `metric` and `at` (FAR, rank or FPIR) which.
    `minus` is the baseline where the value is a paired difference from it, `group` is `column=value` where the probes
    are some of them. Rates are fractions from 0 to 1. Counts are of pairs (`n_genuine`, `n_impostor`), searches
    (`n_probes`) and subjects (`n_gallery`).
    """

    system: str
    condition: str
    level: str
    captions: str
    metric: str
    at: float | None
    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    minus: str | None
    group: str | None
    n_genuine: int | None
    n_impostor: int | None
    n_probes: int | None
    n_gallery: int | None


class CurveRecord(TypedDict):
    """Points to draw of one system, regime and level: ROC (`far`, `tar`), CMC, histograms over `bins`."""

    system: str
    captions: str
    level: str
    far: NotRequired[list[float]]
    tar: NotRequired[list[float]]
    bins: NotRequired[list[float]]
    genuine: NotRequired[list[float]]
    impostor: NotRequired[list[float]]
    cmc: NotRequired[list[float]]


class ExampleRecord(TypedDict):
    """A search to look at: `success`, found by the system and not by the frozen encoder, or `failure`."""

    kind: str
    system: str
    captions: str
    level: str
    probe: str
    first: str
    mate: str
    frozen_first: NotRequired[str]
    subject: str
    first_subject: str
    caption: list[str]
    rank: int
    first_score: float
    mate_score: float
    frozen_rank: int | None
    pictures: dict[str, str]


class IntervalRecord(TypedDict):
    """What every `low` and `high` is: a level, and over what was resampled."""

    level: float
    resamples: int
    over: str


class AboutRecord(TypedDict):
    """What the report is about, and the baselines with the caption regime of each."""

    system: str
    captions: str
    baselines: dict[str, str]


class DataRecord(TypedDict):
    """Counts of what was measured and left out, and what is odd about the data."""

    images: int
    subjects: int
    probes: int
    templates: int
    one_set: bool
    not_detected: dict[str, int]
    left_out: dict[str, int]
    repeated: int
    without_caption: int
    data_sha256: str
    warnings: list[str]


class SuspectsRecord(TypedDict):
    """Impostor pairs that look like genuine ones: their number, and (subject, subject, pairs) of the worst."""

    pairs: int
    subjects: list[list[str | int]]


class SystemRecord(TypedDict):
    """Which weights a system was, and where they come from."""

    model_id: str
    provenance: dict[str, Any]


class SpreadRecord(TypedDict):
    """Predicted quality of the probes at a level."""

    mean: float
    sd: float


class ReportRecord(TypedDict):
    """A whole `report.json`."""

    schema: int
    protocol: str
    notice: str
    created: str
    package: str
    options: dict[str, Any]
    machine: dict[str, str]
    seconds: int
    interval: IntervalRecord
    data: DataRecord
    ladder: dict[str, dict[str, Any]]
    absent_captions: dict[str, int]
    shared_lines: dict[str, dict[str, int]]
    suspects: SuspectsRecord
    systems: dict[str, SystemRecord]
    about: AboutRecord
    quality: dict[str, SpreadRecord]
    results: list[ResultRecord]
    curves: list[CurveRecord]
    evidence: NotRequired[EvidenceRecord]
    examples: list[ExampleRecord]
