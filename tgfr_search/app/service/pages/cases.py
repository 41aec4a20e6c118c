"""Cases: the list, one case, evidence, a new search."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import File, Form, Request, Response, UploadFile

from pipelines.casework.case.case import KINDS
from tgfr_search.app.service import casework, pictures
from tgfr_search.app.service.casebook import look, need_part, state_of
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import TheForm, page, see
from tgfr_search.app.service.pages.search import MOST_PHOTOS
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role, Routes

routes = Routes()
State = Annotated[str, Form(max_length=32)]
Text = Annotated[str, Form(max_length=20_000)]
Line = Annotated[str, Form(max_length=1000)]


@routes("GET", "/cases", CASEWORK)
def cases_page(hub: TheHub, request: Request, account: Who) -> Response:
    """All cases, with what this account can do next in each."""
    found = []
    for name in hub.cases.names():
        case = hub.cases.open(name, account)
        told = casework.overview(case, account)
        found.append({"name": name, **told, "turns": [each["turn"] for each in told["searches"]]})
    return page(request, "cases.html", cases=found, may_open=account.role is Role.EXAMINER, lab=hub.cases.lab)


@routes("POST", "/cases", {Role.EXAMINER})
def new_case(hub: TheHub, account: Who, form: TheForm, purpose: Line, basis: Line) -> Response:
    """Starts a case."""
    fields = {name: str(form.get(f"field-{name}", ""))[:1000] for name in hub.cases.lab.required}
    return see(f"/cases/{hub.cases.new(purpose, basis, account, fields)}")


@routes("GET", "/cases/{case}", CASEWORK)
def case_page(hub: TheHub, request: Request, account: Who, case: str) -> Response:
    """One case."""
    opened = hub.cases.open(case, account)
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
    hub: TheHub, account: Who, case: str, file: Annotated[list[UploadFile], File()], kind: Line, state: State = "*"
) -> Response:
    """Receives evidence, one file or several, and goes on to the search with all of it."""
    if empty := [at for at, each in enumerate(file, start=1) if not each.size]:
        which = f"file {empty[0]} of {len(file)} is empty" if len(file) > 1 else "no file was chosen, or it is empty"
        raise Problem(422, "empty_file", f"{which}; nothing was received")
    names = dict[str, None]()  # the same bytes twice are received once
    with hub.cases.changing(case, state, account) as opened:
        for each in file:
            with hub.cases.received(each.file.read(), each.filename or "") as path:
                names[opened.add(path, actor=account.name, kind=kind)] = None
    if len(names) > MOST_PHOTOS:
        return see(f"/cases/{case}")
    return see(f"/cases/{case}/search?{urlencode({'evidence': list(names)}, doseq=True)}")


@routes("POST", "/cases/{case}/notes", CASEWORK)
def add_note(hub: TheHub, account: Who, case: str, text: Text, state: State = "*") -> Response:
    """Keeps a note."""
    with hub.cases.changing(case, state, account) as opened:
        opened.note(text, actor=account.name)
    return see(f"/cases/{case}")


@routes("GET", "/cases/{case}/evidence/{name}", CASEWORK)
def evidence_picture(hub: TheHub, account: Who, case: str, name: str, whole: bool = False) -> Response:
    """A photo of evidence, encoded anew: never the bytes that came in; `whole` is with all of its pixels."""
    opened = hub.cases.open(case, account)
    data = opened.evidence(need_part(name))
    look(opened, account, f"picture {name}")
    return Response(pictures.photo_jpeg(hub.gallery()[1].finder, data, whole=whole), media_type="image/jpeg")
