"""Reports: of a case, once it is released; of the laboratory, as files of `validate` and `benchmark` in a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response

from pipelines.casework.report.report import logged_report
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import page, words_of
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role, Routes
from tgfr_search.audit.entries import Act

routes = Routes()
FOLDER = "reports"
"""In the folder of the service."""
FORMS: dict[str, Any] = {"200": {"description": "The report", "content": {"text/html": {}, "application/pdf": {}}}}
READERS = CASEWORK | {Role.AUDITOR}
NAME = re.compile(r"[\w-][\w.-]{0,120}\.html", re.ASCII)
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
"""Of a report: it has its style and pictures in it, and can do nothing."""


@routes("GET", "/api/v1/cases/{case}/report", CASEWORK, response_class=Response, responses=FORMS)
def case_report(
    hub: TheHub,
    account: Who,
    case: str,
    language: Annotated[Literal["en", "de"], Query()] = "en",
    form: Annotated[Literal["html", "pdf"], Query()] = "html",
) -> Response:
    """The report of a case, of which everything is released; the log of the case tells its SHA-256."""
    data = logged_report(hub.cases.open(case, account), actor=account.name, language=language, paper=form == "pdf")
    if form == "pdf":
        name = {"Content-Disposition": f'attachment; filename="{case}.pdf"'}
        return Response(data, media_type="application/pdf", headers=name)
    return Response(data, media_type="text/html", headers={"Content-Security-Policy": POLICY})


@routes("GET", "/cases/{case}/report", CASEWORK)
def case_report_page(
    hub: TheHub, request: Request, account: Who, case: str, form: Annotated[Literal["html", "pdf"], Query()] = "html"
) -> Response:
    """The same in the language of whoever reads."""
    language: Literal["en", "de"] = "de" if words_of(request).language == "de" else "en"
    return case_report(hub, account, case, language, form)


@routes("GET", "/reports", READERS)
def reports(hub: TheHub, request: Request) -> Response:
    """The reports that the laboratory has put here."""
    folder = hub.settings.data / FOLDER
    found = sorted(path.name for path in folder.glob("*.html") if NAME.fullmatch(path.name) and _is_own(path))
    return page(request, "reports.html", found=found, folder=FOLDER)


@routes("GET", "/reports/{name}", READERS)
def report(hub: TheHub, account: Who, name: str) -> Response:
    """One of them, as it was written."""
    path = hub.settings.data / FOLDER / name
    if not NAME.fullmatch(name) or not _is_own(path):
        raise Problem(404, "no_such_report", "found no report of that name")
    hub.tell(Act.VIEW, account, what="report of the laboratory")
    return Response(path.read_bytes(), media_type="text/html", headers={"Content-Security-Policy": POLICY})


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
