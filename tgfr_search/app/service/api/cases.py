"""Cases, for programs: what a page does, by JSON; a case's ETag goes along with what changes it (If-Match)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import File, Form, Header, Response, UploadFile
from pydantic import BaseModel, Field

from pipelines.casework.case import holds
from tgfr_search.app.service import casework
from tgfr_search.app.service.casebook import look, need_part, state_of
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.roles import CASEWORK, Role, Routes
from tgfr_search.app.service.schemas import Strict

routes = Routes()
PATH = "/api/v1/cases"
IfMatch = Annotated[str | None, Header(alias="If-Match")]


class NewCase(Strict):
    """Why faces are searched, and on which legal basis."""

    purpose: str = Field(min_length=1, max_length=1000)
    basis: str = Field(min_length=1, max_length=1000)


class CaseSearch(Strict):
    """What is searched with."""

    evidence: str | None = Field(None, description="Name of the probe in the case.")
    lines: list[Annotated[str, Field(max_length=1000)]] = Field([], max_length=20, description="Of a description.")
    origin: str = "unknown"
    where: str | None = Field(None, max_length=2000)
    index: str = Field("", max_length=255)
    top_k: int = Field(casework.LIST_LENGTH, ge=1, le=200)
    face: int | None = Field(None, ge=1, le=9999, description="Number of the face that is meant, 1 the largest.")
    box: list[float] | None = Field(None, max_length=4, description="Or x, y, width, height that holds it, in pixels.")
    eyes: list[float] | None = Field(None, max_length=10, description="Or the centres of its eyes, or five points.")


class ReviewAct(Strict):
    """One act of a review, with what it takes."""

    act: str = Field(description="begin, analyse, decide, unmask, revise, conclude or release")
    text: str | None = Field(None, max_length=20_000)
    suitable: bool | None = None
    label: str | None = Field(None, max_length=8)
    decision: str | None = Field(None, max_length=64)
    conclusion: str | None = Field(None, max_length=64)
    reason: str | None = Field(None, max_length=4000)


class Named(BaseModel):
    """What was made."""

    name: str


@routes("GET", PATH, CASEWORK)
def cases(hub: TheHub) -> list[Named]:
    """All cases, the newest first."""
    return [Named(name=name) for name in hub.cases.names()]


@routes("POST", PATH, {Role.EXAMINER}, status_code=201)
def new_case(hub: TheHub, account: Who, given: NewCase, response: Response) -> Named:
    """Starts a case."""
    name = hub.cases.new(given.purpose, given.basis, account)
    response.headers["Location"] = f"{PATH}/{name}"
    return Named(name=name)


@routes("GET", PATH + "/{case}", CASEWORK)
def case_(hub: TheHub, account: Who, case: str, response: Response) -> dict[str, Any]:
    """What a case holds; its ETag."""
    opened = hub.cases.open(case)
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
        hub.cases.changing(case, if_match) as opened,
        hub.cases.received(file.file.read(), file.filename or "") as path,
    ):
        return Named(name=opened.add(path, actor=account.name, kind=kind))


@routes("POST", PATH + "/{case}/notes", CASEWORK, status_code=201)
def add_note(
    hub: TheHub, account: Who, case: str, text: Annotated[str, Form(max_length=20_000)], if_match: IfMatch = None
) -> Named:
    """Keeps a note."""
    with hub.cases.changing(case, if_match) as opened:
        return Named(name=opened.note(text, actor=account.name))


@routes("POST", PATH + "/{case}/searches", {Role.EXAMINER}, status_code=201)
def search_case(hub: TheHub, account: Who, case: str, given: CaseSearch) -> Named:
    """Searches; the candidates are for the blind review, and are not told."""
    opened = hub.cases.open(case)
    told = given.model_dump()
    told["evidence"] = None if given.evidence is None else need_part(given.evidence)
    return Named(name=casework.search(hub, account, opened, **told))


@routes("GET", PATH + "/{case}/searches/{search}", CASEWORK)
def review(hub: TheHub, account: Who, case: str, search: str, response: Response) -> dict[str, Any]:
    """All of a search that this account may see now."""
    opened = hub.cases.open(case)
    look(opened, account, f"search {need_part(search)}")
    response.headers["ETag"] = state_of(opened)
    return casework.seen(opened, search, account)


@routes("POST", PATH + "/{case}/searches/{search}/review", CASEWORK)
def review_act(
    hub: TheHub, account: Who, case: str, search: str, given: ReviewAct, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Carries out one act of the review."""
    told = {name: value for name, value in given.model_dump(exclude={"act"}).items() if value is not None}
    with hub.cases.changing(case, if_match) as opened:
        casework.review_act(opened, need_part(search), given.act, account, told)
        response.headers["ETag"] = state_of(opened)
        return casework.seen(opened, search, account)


@routes("POST", PATH + "/{case}/close", {Role.REVIEWER}, status_code=204)
def close_case(hub: TheHub, account: Who, case: str, if_match: IfMatch = None) -> None:
    """Closes a case: nothing is added any more."""
    with hub.cases.changing(case, if_match) as opened:
        holds.close(opened, actor=account.name)
