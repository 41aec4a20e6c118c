"""The application: the table of routes, each behind its door, and errors as problems."""

from __future__ import annotations

import sqlite3
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

import tgfr_search
from indexer.errors import IndexerError
from tgfr_search.app.service.api import accounts, cases, gallery, health, jobs, log, search, session
from tgfr_search.app.service.frame import Frame
from tgfr_search.app.service.guard import ROLES, GuardedRoute
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.pages import administration, enrolment, entrance, reports, reviews
from tgfr_search.app.service.pages import cases as case_pages
from tgfr_search.app.service.pages import gallery as gallery_pages
from tgfr_search.app.service.pages import search as search_pages
from tgfr_search.app.service.pages.common import problem_page
from tgfr_search.app.service.problems import MEDIA_TYPE, Problem, out_of_room, problem_of
from tgfr_search.app.service.roles import Route, table
from tgfr_search.app.service.schemas import Told
from tgfr_search.errors import TgfrError
from tgfr_search.terms import LEAD_NOTICE

PARTS = (
    *(health.routes, session.routes, accounts.routes, search.routes, log.routes, gallery.routes),
    *(cases.routes, entrance.routes, administration.routes, case_pages.routes, reviews.routes),
    *(search_pages.routes, gallery_pages.routes, jobs.routes, enrolment.routes, reports.routes),
)
_HTTP_CODES = {404: "no_such_page", 405: "no_such_method", 413: "too_many_bytes", 400: "bad_request"}


def all_routes() -> list[Route]:
    """Every way to ask for something."""
    return table(PARTS)


def make_app(hub: Hub) -> FastAPI:
    """The application over a hub.

    Args:
        hub: What all requests share.
    """
    app = FastAPI(
        title="tgfr-search",
        version=tgfr_search.__version__,
        summary=LEAD_NOTICE,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    # What is uploaded stays in memory, which the limit allows: a copy in the system's folder for passing files would
    # outlive what the laboratory deletes.
    MultiPartParser.spool_max_size = hub.settings.limits.upload_bytes
    app.state.hub = hub
    app.router.route_class = GuardedRoute
    for route in all_routes():
        _add(app, route)
    app.add_middleware(Frame, hub=hub)
    for kind, answer in (
        (Problem, _problem),
        (TgfrError, _ours),
        (IndexerError, _ours),
        (OSError, _storage),
        (sqlite3.OperationalError, _storage),
        (RequestValidationError, _unlike_schema),
        (HTTPException, _http),
        (Exception, _unforeseen),
    ):
        app.add_exception_handler(kind, answer)
    return app


def _add(app: FastAPI, route: Route) -> None:
    as_page = {"response_class": HTMLResponse} if route.is_page else {}
    given = {**as_page, "include_in_schema": not route.is_page, **route.options}
    responses = {"default": {"model": Told, "description": "A problem (RFC 9457)"}, **given.pop("responses", {})}
    app.add_api_route(
        route.path,
        route.endpoint,
        methods=[route.method],
        operation_id=f"{route.method.lower()}_{route.endpoint.__name__}",
        openapi_extra={ROLES: sorted(route.roles)},
        responses=responses,
        **given,
    )


def _answer(request: Request, problem: Problem) -> Response:
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
        return problem_page(request, problem)
    return JSONResponse(problem.as_dict(), problem.status, dict(problem.headers), MEDIA_TYPE)


def _problem(request: Request, error: Any) -> Response:
    return _answer(request, error)


def _ours(request: Request, error: Any) -> Response:
    hub: Hub = request.app.state.hub
    problem = problem_of(error, hub.settings.data.resolve())
    hub.metrics.refused.labels(problem.code).inc()
    return _answer(request, problem)


def _storage(request: Request, error: Any) -> Response:
    """A full disk is told as one; what else fails below us is an error of the program.

    Raises:
        OSError, sqlite3.OperationalError: It is something else.
    """
    if not out_of_room(error):
        raise error
    detail, do = "found no room on a disk of the service; nothing was kept", "have room made, then send it again"
    return _answer(request, Problem(507, "disk_full", detail, do))


def _unlike_schema(request: Request, error: Any) -> Response:
    wrong = [{"where": each["loc"], "what": each["msg"]} for each in jsonable_encoder(error.errors())]
    first = wrong[0] if wrong else {"where": [], "what": ""}
    detail = f"{'.'.join(map(str, first['where']))}: {first['what']}"
    return _answer(request, Problem(422, "bad_input", detail, more={"errors": wrong}))


def _http(request: Request, error: Any) -> Response:
    code = _HTTP_CODES.get(error.status_code, "refused")
    return _answer(request, Problem(error.status_code, code, str(error.detail), headers=error.headers or {}))


def _unforeseen(request: Request, error: Any) -> Response:
    number = request.scope.get("state", {}).get("request_id", "")
    return _answer(request, Problem(500, "unforeseen", f"an error of the program, request {number}"))
