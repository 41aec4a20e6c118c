"""Whether the service lives, whether it can answer, and what it has counted."""

from __future__ import annotations

import sqlite3
from typing import Any

from fastapi import Request, Response

from indexer.errors import IndexerError
from tgfr_search.app.service.guard import TheHub
from tgfr_search.app.service.metrics import MEDIA_TYPE
from tgfr_search.app.service.roles import ANYBODY, Role, Routes
from tgfr_search.app.service.schemas import Alive, Ready

routes = Routes()


@routes("GET", "/livez", ANYBODY)
def livez() -> Alive:
    """Says that the process answers."""
    return Alive()


@routes("GET", "/readyz", ANYBODY, responses={503: {"model": Ready}})
def readyz(hub: TheHub, response: Response) -> Ready:
    """Says whether searches are answered: tables, log and galleries can be used."""
    problems = ["the log does not verify"] if hub.damage else []
    try:
        with hub.database.read() as connection:
            connection.execute("SELECT count(*) FROM accounts").fetchone()
    except sqlite3.Error:
        problems.append("the service's tables cannot be read")
    for name in hub.galleries:
        try:
            hub.metrics.rows.labels(name).set(len(hub.gallery(name)[1]))
        except IndexerError:
            problems.append(f"gallery {name} cannot be read")
    response.status_code = 503 if problems else 200
    return Ready(ready=not problems, problems=problems)


@routes("GET", "/metrics", {Role.ADMIN, Role.AUDITOR})
def metrics(hub: TheHub) -> Response:
    """Counters in Prometheus' text format; a scraper signs in with a token."""
    return Response(hub.metrics.text(), media_type=MEDIA_TYPE)


@routes("GET", "/openapi.json", ANYBODY, include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """This description."""
    schema: dict[str, Any] = request.app.openapi()
    return schema
