"""Reports of the laboratory, linked: what `validate` and `benchmark` wrote, as files that are put into a folder."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import Request, Response

from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import page
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role, Routes
from tgfr_search.audit.entries import Act

routes = Routes()
FOLDER = "reports"
"""In the folder of the service."""
READERS = CASEWORK | {Role.AUDITOR}
NAME = re.compile(r"[\w-][\w.-]{0,120}\.html", re.ASCII)
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
"""Of a report: it has its style and pictures in it, and can do nothing."""


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
