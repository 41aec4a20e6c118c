"""What goes over the wire, typed: the source of the OpenAPI description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tgfr_search.app.service.accounts import LONGEST, SHORTEST


class Strict(BaseModel):
    """A body in which a name that nobody knows is an error."""

    model_config = ConfigDict(extra="forbid")


class Told(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable; decide by it.")
    detail: str = ""
    do: str = Field("", description="The next step, for a person.")


class SignIn(Strict):
    """Name and password."""

    name: str = Field(max_length=64)
    password: str = Field(max_length=LONGEST)


class SignedIn(BaseModel):
    """Who is signed in."""

    name: str
    role: str
    csrf: str = Field("", description="To be sent as X-CSRF-Token with whatever changes something.")


class NewAccount(Strict):
    """An account to be added."""

    name: str = Field(max_length=64)
    role: str
    password: str = Field(min_length=SHORTEST, max_length=LONGEST)


class AccountChange(Strict):
    """What is to be different."""

    role: str | None = None
    disabled: bool | None = None


class AccountTold(BaseModel):
    """An account."""

    name: str
    role: str
    disabled: bool


class Candidate(BaseModel):
    """One candidate of a search. A score orders; it is not a probability."""

    rank: int
    subject_id: str
    row_id: int
    score: float
    blocks: dict[str, float]
    image: str
    caption: str
    auto_caption: str | None
    attributes: dict[str, float] = {}
    statements: list[dict[str, Any]] = []
    lr: dict[str, Any] | None = None
    expected_strangers: float | None = None
    typicality: float = 0.0


class SearchAnswer(BaseModel):
    """The answer to one search, as `tgfr-search query --json` gives it."""

    candidates: list[Candidate]
    probe: dict[str, Any]
    mode: str
    weights: dict[str, float]
    offset: float
    model_id: str
    index_id: str
    timing_ms: dict[str, float]
    where: str | None
    notice: str
    notes: list[str]
    description: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    searched: int | None = None
    threshold: dict[str, Any] | None = None
    index_sha256: str = ""


class GalleryTold(BaseModel):
    """A gallery that is served."""

    name: str
    rows: int
    index_id: str
    generation: int
    model_id: str


class Ready(BaseModel):
    """Whether searches are answered."""

    ready: bool
    problems: list[str]


class Alive(BaseModel):
    """That the process answers."""

    status: str = "ok"
