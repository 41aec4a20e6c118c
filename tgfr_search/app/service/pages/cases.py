"""Cases: the list, one case, evidence, a new search."""

from __future__ import annotations

from typing import Annotated

from fastapi import File, Form, Request, Response, UploadFile

from pipelines.casework.case.case import KINDS, ORIGINS
from pipelines.casework.searches.search import chosen
from tgfr_search.app.service import casework, pictures
from tgfr_search.app.service.casebook import look, need_part, state_of
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import page, see
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role, Routes
from tgfr_search.errors import FaceError

routes = Routes()
State = Annotated[str, Form(max_length=32)]
Text = Annotated[str, Form(max_length=20_000)]
Line = Annotated[str, Form(max_length=1000)]


@routes("GET", "/cases", CASEWORK)
def cases_page(hub: TheHub, request: Request, account: Who) -> Response:
    """All cases, with what this account can do next in each."""
    found = []
    for name in hub.cases.names():
        case = hub.cases.open(name)
        told = casework.overview(case, account)
        found.append({"name": name, **told, "turns": [each["turn"] for each in told["searches"]]})
    return page(request, "cases.html", cases=found, may_open=account.role is Role.EXAMINER)


@routes("POST", "/cases", {Role.EXAMINER})
def new_case(hub: TheHub, account: Who, purpose: Line, basis: Line) -> Response:
    """Starts a case."""
    return see(f"/cases/{hub.cases.new(purpose, basis, account)}")


@routes("GET", "/cases/{case}", CASEWORK)
def case_page(hub: TheHub, request: Request, account: Who, case: str) -> Response:
    """One case."""
    opened = hub.cases.open(case)
    look(opened, account, "case")
    return page(
        request,
        "case.html",
        case={"name": case, **casework.overview(opened, account)},
        state=state_of(opened),
        kinds=KINDS,
        may_search=account.role is Role.EXAMINER,
    )


@routes("POST", "/cases/{case}/evidence", {Role.EXAMINER})
def add_evidence(
    hub: TheHub, account: Who, case: str, file: Annotated[UploadFile, File()], kind: Line, state: State = "*"
) -> Response:
    """Receives evidence, and goes on to the search with it."""
    data = file.file.read()
    if not data:
        raise Problem(422, "empty_file", "no file was chosen, or it is empty")
    with hub.cases.changing(case, state) as opened, hub.cases.received(data, file.filename or "") as path:
        name = opened.add(path, actor=account.name, kind=kind)
    return see(f"/cases/{case}/search?evidence={name}")


@routes("POST", "/cases/{case}/notes", CASEWORK)
def add_note(hub: TheHub, account: Who, case: str, text: Text, state: State = "*") -> Response:
    """Keeps a note."""
    with hub.cases.changing(case, state) as opened:
        opened.note(text, actor=account.name)
    return see(f"/cases/{case}")


@routes("GET", "/cases/{case}/evidence/{name}", CASEWORK)
def evidence_picture(hub: TheHub, case: str, name: str) -> Response:
    """A photo of evidence, encoded anew: never the bytes that came in."""
    data = hub.cases.open(case).evidence(need_part(name))
    return Response(pictures.photo_jpeg(hub.gallery()[1].finder, data), media_type="image/jpeg")


@routes("GET", "/cases/{case}/search", {Role.EXAMINER})
def search_page(hub: TheHub, request: Request, case: str, evidence: str = "") -> Response:
    """Asks what is searched with; shows which face of the photo is meant."""
    opened = hub.cases.open(case)
    known = {each["details"]["file"].split("/")[-1] for each in opened.entries() if "kind" in each.get("details", {})}
    if evidence and evidence not in known:
        raise Problem(404, "no_such_part", "found no such evidence in the case")
    data = opened.evidence(evidence) if evidence else None
    face = None if data is None else pictures.face_seen(hub.gallery()[1].finder, data)
    return page(
        request,
        "search.html",
        case=case,
        evidence=evidence,
        face=face,
        origins=ORIGINS,
        galleries=[(name, len(hub.gallery(name)[1])) for name in hub.galleries],
        most=casework.LIST_LENGTH,
    )


@routes("POST", "/cases/{case}/searches", {Role.EXAMINER})
def search(
    hub: TheHub,
    account: Who,
    case: str,
    evidence: Line = "",
    lines: Text = "",
    origin: Line = "unknown",
    where: Line = "",
    index: Line = "",
    face: Line = "",
    eyes: Line = "",
    top_k: Annotated[int, Form(ge=1, le=casework.LIST_LENGTH)] = casework.LIST_LENGTH,
) -> Response:
    """Searches, and goes on to the analysis of the probe: the candidates come later, blind."""
    opened = hub.cases.open(case)
    name = casework.search(
        hub,
        account,
        opened,
        evidence=need_part(evidence) if evidence else None,
        lines=[line for line in lines.splitlines() if line.strip()],
        origin=origin,
        where=where or None,
        index=index,
        top_k=top_k,
        face=None if eyes.strip() or not face else _number(face),
        eyes=eyes.strip() or None,
    )
    return see(f"/cases/{case}/searches/{name}")


@routes("GET", "/cases/{case}/searches/{search}/probe", CASEWORK)
def probe_picture(hub: TheHub, case: str, search: str) -> Response:
    """The probe's face, where it lies as candidates' faces do; the whole photo where no face was found."""
    opened = hub.cases.open(case)
    kept = opened.read_search(need_part(search))
    if kept["evidence"] is None:
        raise Problem(404, "no_picture", "searched by description alone")
    data, gallery = opened.evidence(kept["evidence"]), hub.gallery()[1]
    try:
        picture = pictures.probe_chip(gallery, data, chosen(kept["asked"]))
    except FaceError:
        picture = pictures.photo_jpeg(gallery.finder, data)
    return Response(picture, media_type="image/jpeg")


def _number(face: str) -> int:
    if not face.isdecimal() or len(face) > 4:
        raise Problem(422, "bad_input", "the face that is meant: found no number", "choose one of those that are shown")
    return int(face)
