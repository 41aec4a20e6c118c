"""Cases, for programs: what a page does, by JSON; a case's ETag goes along with what changes it (If-Match)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import File, Form, Header, Response, UploadFile
from pydantic import BaseModel, Field

from pipelines.casework.case import holds
from pipelines.casework.review.marks import LONGEST_NOTE, MOST, Feature, Found
from pipelines.casework.searches.search import Picture
from tgfr_search.app.service import casework
from tgfr_search.app.service.casebook import look, need_part, state_of
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role, Routes
from tgfr_search.app.service.schemas import Strict
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.model.witnesses import Witness
from tgfr_search.strict import to_dict

routes = Routes()
PATH = "/api/v1/cases"
IfMatch = Annotated[str | None, Header(alias="If-Match")]


class NewCase(Strict):
    """Why faces are searched, and on which legal basis."""

    purpose: str = Field(min_length=1, max_length=1000)
    basis: str = Field(min_length=1, max_length=1000)
    fields: dict[str, Annotated[str, Field(max_length=1000)]] = Field(
        {}, max_length=50, description="What else the laboratory requires: GET /api/v1/lab."
    )


Lines = list[Annotated[str, Field(max_length=1000)]]


class CasePicture(Strict):
    """A picture of the unknown; of several faces the largest is meant where nothing else is said."""

    evidence: str = Field(description="Its name in the case.")
    face: int | None = Field(None, ge=1, le=9999, description="Number of the face that is meant, 1 the largest.")
    box: list[float] | None = Field(None, max_length=4, description="Or x, y, width, height that holds it, in pixels.")
    eyes: list[float] | None = Field(None, max_length=10, description="Or the centres of its eyes, or five points.")

    def meant(self) -> Picture:
        """The same as the case takes it."""
        return Picture(need_part(self.evidence), FaceChoice.of(self.face, self.box, self.eyes))


class CaseWitness(Strict):
    """What one witness said, and how far it is believed."""

    lines: Lines = Field(min_length=1, max_length=20)
    reliability: float = Field(1.0, ge=0, le=1)


class CaseSearch(Strict):
    """What is searched with."""

    evidence: str | None = Field(None, description="Name of the probe in the case.")
    more: list[CasePicture] = Field([], max_length=19, description="Further pictures of the same unknown, pooled.")
    lines: Lines = Field([], max_length=20, description="Of a description.")
    witnesses: list[CaseWitness] = Field([], max_length=10, description="In place of lines.")
    origin: str = "unknown"
    where: str | None = Field(None, max_length=2000)
    index: str = Field("", max_length=255)
    population: str = Field("", max_length=200, description="Who might be in the pictures; none: the calibration's.")
    top_k: int = Field(casework.LIST_LENGTH, ge=1, le=200)
    face: int | None = Field(None, ge=1, le=9999, description="Number of the face that is meant, 1 the largest.")
    box: list[float] | None = Field(None, max_length=4, description="Or x, y, width, height that holds it, in pixels.")
    eyes: list[float] | None = Field(None, max_length=10, description="Or the centres of its eyes, or five points.")


class MarkGiven(Strict):
    """A feature that was compared; a place is x, y in FACE coordinates: see `pipelines.casework.review.marks`."""

    feature: Feature
    found: Found
    note: str = Field("", max_length=LONGEST_NOTE)
    probe: tuple[float, float] | None = Field(None, description="Where it is in the probe's face.")
    candidate: tuple[float, float] | None = Field(None, description="Where it is in the candidate's.")


class ReviewAct(Strict):
    """One act of a review, with what it takes."""

    act: str = Field(description="begin, analyse, decide, unmask, revise, conclude or release")
    text: str | None = Field(None, max_length=20_000)
    suitable: bool | None = None
    label: str | None = Field(None, max_length=8)
    decision: str | None = Field(None, max_length=64)
    conclusion: str | None = Field(None, max_length=64)
    reason: str | None = Field(None, max_length=4000)
    marks: list[MarkGiven] | None = Field(None, max_length=MOST, description="Of a decision, or of its revision.")


class Named(BaseModel):
    """What was made."""

    name: str


@routes("GET", "/api/v1/lab", CASEWORK)
def lab(hub: TheHub) -> dict[str, Any]:
    """What the laboratory requires of every case: names of fields, legal bases, whether origins are declared."""
    return to_dict(hub.cases.lab)


@routes("GET", PATH, CASEWORK)
def cases(hub: TheHub) -> list[Named]:
    """All cases, the newest first."""
    return [Named(name=name) for name in hub.cases.names()]


@routes("POST", PATH, {Role.EXAMINER}, status_code=201)
def new_case(hub: TheHub, account: Who, given: NewCase, response: Response) -> Named:
    """Starts a case."""
    name = hub.cases.new(given.purpose, given.basis, account, given.fields)
    response.headers["Location"] = f"{PATH}/{name}"
    return Named(name=name)


@routes("GET", PATH + "/{case}", CASEWORK)
def case_(hub: TheHub, account: Who, case: str, response: Response) -> dict[str, Any]:
    """What a case holds; its ETag."""
    opened = hub.cases.open(case, account)
    look(opened, account, "case")
    response.headers["ETag"] = state_of(opened)
    return {"name": case, **casework.overview(opened, account)}


@routes("POST", PATH + "/{case}/evidence", {Role.EXAMINER}, status_code=201)
def add_evidence(
    hub: TheHub,
    account: Who,
    case: str,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str | None, Form(max_length=32)] = None,
    if_match: IfMatch = None,
) -> Named:
    """Receives a file of evidence; its bytes are kept as they are."""
    with (
        hub.cases.changing(case, if_match, account) as opened,
        hub.cases.received(file.file.read(), file.filename or "") as path,
    ):
        return Named(name=opened.add(path, actor=account.name, kind=kind))


@routes("POST", PATH + "/{case}/notes", CASEWORK, status_code=201)
def add_note(
    hub: TheHub, account: Who, case: str, text: Annotated[str, Form(max_length=20_000)], if_match: IfMatch = None
) -> Named:
    """Keeps a note."""
    with hub.cases.changing(case, if_match, account) as opened:
        return Named(name=opened.note(text, actor=account.name))


@routes("POST", PATH + "/{case}/searches", {Role.EXAMINER}, status_code=201)
def search_case(hub: TheHub, account: Who, case: str, given: CaseSearch) -> Named:
    """Searches; the candidates are for the blind review, and are not told."""
    opened = hub.cases.open(case, account)
    if given.evidence is None and (given.more or any(v is not None for v in (given.face, given.box, given.eyes))):
        raise Problem(422, "bad_input", "found further pictures, or a face that is meant, and no evidence", "give it")
    pictures = [each.meant() for each in given.more]
    if given.evidence is not None:
        first = CasePicture(evidence=given.evidence, face=given.face, box=given.box, eyes=given.eyes)
        pictures.insert(0, first.meant())
    witnesses = [Witness(tuple(each.lines), each.reliability) for each in given.witnesses]
    told = given.model_dump(include={"lines", "origin", "where", "index", "top_k", "population"})
    return Named(name=casework.search(hub, account, opened, pictures=pictures, witnesses=witnesses, **told))


@routes("GET", PATH + "/{case}/searches/{search}", CASEWORK)
def review(hub: TheHub, account: Who, case: str, search: str, response: Response) -> dict[str, Any]:
    """All of a search that this account may see now."""
    opened = hub.cases.open(case, account)
    look(opened, account, f"search {need_part(search)}")
    response.headers["ETag"] = state_of(opened)
    return casework.seen(opened, search, account)


@routes("POST", PATH + "/{case}/searches/{search}/review", CASEWORK)
def review_act(
    hub: TheHub, account: Who, case: str, search: str, given: ReviewAct, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Carries out one act of the review."""
    told = {name: value for name, value in given.model_dump(mode="json", exclude={"act"}).items() if value is not None}
    with hub.cases.changing(case, if_match, account) as opened:
        casework.review_act(hub, opened, need_part(search), given.act, account, told)
        response.headers["ETag"] = state_of(opened)
        return casework.seen(opened, search, account)


@routes("POST", PATH + "/{case}/close", {Role.REVIEWER}, status_code=204)
def close_case(hub: TheHub, account: Who, case: str, if_match: IfMatch = None) -> None:
    """Closes a case: nothing is added any more."""
    with hub.cases.changing(case, if_match, account) as opened:
        holds.close(opened, actor=account.name)
