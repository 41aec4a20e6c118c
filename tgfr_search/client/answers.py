"""What goes over the wire, typed: made from docs/openapi.json by `python .ci/openapi.py --write`."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class AccountChange(TypedDict):
    """What is to be different."""

    disabled: NotRequired[bool | None]
    role: NotRequired[str | None]


class AccountTold(TypedDict):
    """An account."""

    disabled: bool
    name: str
    role: str


class Alive(TypedDict):
    """That the process answers."""

    status: NotRequired[str]


class Candidate(TypedDict):
    """One candidate of a search. A score orders; it is not a probability."""

    attributes: NotRequired[dict[str, float]]
    auto_caption: str | None
    blocks: dict[str, float]
    caption: str
    expected_strangers: NotRequired[float | None]
    image: str
    lr: NotRequired[dict[str, Any] | None]
    rank: int
    row_id: int
    score: float
    statements: NotRequired[list[dict[str, Any]]]
    subject_id: str
    typicality: NotRequired[float]


class CasePicture(TypedDict):
    """A picture of the unknown; of several faces the largest is meant where nothing else is said."""

    box: NotRequired[list[float] | None]
    evidence: str
    eyes: NotRequired[list[float] | None]
    face: NotRequired[int | None]


class CaseSearch(TypedDict):
    """What is searched with."""

    box: NotRequired[list[float] | None]
    evidence: NotRequired[str | None]
    eyes: NotRequired[list[float] | None]
    face: NotRequired[int | None]
    index: NotRequired[str]
    lines: NotRequired[list[str]]
    more: NotRequired[list[CasePicture]]
    origin: NotRequired[str]
    population: NotRequired[str]
    top_k: NotRequired[int]
    where: NotRequired[str | None]
    witnesses: NotRequired[list[CaseWitness]]


class CaseWitness(TypedDict):
    """What one witness said, and how far it is believed."""

    lines: list[str]
    reliability: NotRequired[float]


class Checkpoint(TypedDict):
    """The log's signed head."""

    checkpoint: str


class Deleted(TypedDict):
    """What is left."""

    deleted: int
    rows: int


Feature = str
"""A facial component. Stored: never rename one."""


Found = str
"""How a feature of the candidate compares with the probe's. Stored: never rename one."""


class GalleryTold(TypedDict):
    """A gallery that is served."""

    generation: int
    index_id: str
    model_id: str
    name: str
    rows: int


class JobPhoto(TypedDict):
    """A photo of a job."""

    detail: NotRequired[str]
    file: str
    number: int
    reason: NotRequired[str]
    state: str
    subject: str


class JobTold(TypedDict):
    """An enrolment."""

    code: NotRequired[str]
    counts: dict[str, int]
    detail: NotRequired[str]
    done: int
    gallery: str
    id: str
    notes: NotRequired[list[str]]
    state: str
    total: int


class LogTold(TypedDict):
    """Entries, the newest first."""

    entries: list[dict[str, Any]]
    next: NotRequired[str]
    size: int


class MarkGiven(TypedDict):
    """A feature that was compared; a place is x, y in FACE coordinates: see `pipelines.casework.review.marks`."""

    candidate: NotRequired[list[Any] | None]
    feature: Feature
    found: Found
    note: NotRequired[str]
    probe: NotRequired[list[Any] | None]


class Mend(TypedDict):
    """Where the face of a photo is: a box that holds it, or the centres of its eyes."""

    box: NotRequired[list[float] | None]
    eyes: NotRequired[list[float] | None]


class Named(TypedDict):
    """What was made."""

    name: str


class NewAccount(TypedDict):
    """An account to be added."""

    name: str
    password: str
    role: str


class NewCase(TypedDict):
    """Why faces are searched, and on which legal basis."""

    basis: str
    fields: NotRequired[dict[str, str]]
    purpose: str


class Quarantined(TypedDict):
    """A photo that could not be enrolled."""

    detail: str
    image: str
    reason: str


class Ready(TypedDict):
    """Whether searches are answered."""

    problems: list[str]
    ready: bool


class ReviewAct(TypedDict):
    """One act of a review, with what it takes."""

    act: str
    conclusion: NotRequired[str | None]
    decision: NotRequired[str | None]
    label: NotRequired[str | None]
    marks: NotRequired[list[MarkGiven] | None]
    reason: NotRequired[str | None]
    suitable: NotRequired[bool | None]
    text: NotRequired[str | None]


class RowChange(TypedDict):
    """What is to be different of a row."""

    metadata: NotRequired[dict[str, Any]]
    subject_id: NotRequired[str | None]
    unset: NotRequired[list[str]]


class RowTold(TypedDict):
    """A row of a gallery."""

    captions: list[str]
    image: str
    metadata: dict[str, Any]
    quality: dict[str, Any]
    row_id: int
    subject_id: str


class RowsTold(TypedDict):
    """Rows, by their ids."""

    next: NotRequired[str]
    rows: list[RowTold]
    total: int


class SearchAnswer(TypedDict):
    """The answer to one search, as `tgfr-search query --json` gives it."""

    calibration: NotRequired[dict[str, Any] | None]
    candidates: list[Candidate]
    description: NotRequired[dict[str, Any] | None]
    index_id: str
    index_sha256: NotRequired[str]
    mode: str
    model_id: str
    notes: list[str]
    notice: str
    offset: float
    probe: dict[str, Any]
    searched: NotRequired[int | None]
    threshold: NotRequired[dict[str, Any] | None]
    timing_ms: dict[str, float]
    weights: dict[str, float]
    where: str | None


class SignIn(TypedDict):
    """Name and password."""

    name: str
    password: str


class SignedIn(TypedDict):
    """Who is signed in."""

    csrf: NotRequired[str]
    name: str
    role: str


class Told(TypedDict):
    """A problem (RFC 9457)."""

    code: str
    detail: NotRequired[str]
    do: NotRequired[str]
    status: int
    title: str
    type: str
