"""The door of every route: who asks, may they, did our own page ask, was this very request answered before."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from tgfr_search.app.service import answers
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.problems import Problem, too_many_bytes
from tgfr_search.app.service.roles import Role
from tgfr_search.app.service.sessions import Session
from tgfr_search.audit.entries import Act

ROLES = "x-roles"
"""Where OpenAPI says who may; an empty list: anybody."""
SAFE = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route that asks at its door, before anything of the request's body is read.

    Raises:
        KeyError: It is made without saying who may.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.roles = frozenset(Role(name) for name in options["openapi_extra"][ROLES])
        super().__init__(*arguments, **options)

    def get_route_handler(self) -> Handler:
        """FastAPI's own handler behind the door."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            session = await run_in_threadpool(_enter, request, self.roles)
            request.state.session = session
            if request.method in SAFE:
                return await inner(request)
            if session is not None and self.roles:
                await _need_own_form(request, session)
                key = request.headers.get("idempotency-key")
                if key is not None:
                    return await _once(request, session, key, inner)
            return await inner(request)

        return handler


def hub_of(request: Request) -> Hub:
    """What all requests share."""
    return cast(Hub, request.app.state.hub)


def who(request: Request) -> Account:
    """Who asks; only behind a door that let an account in."""
    session: Session | None = request.state.session
    if session is None:
        raise Problem(401, "not_signed_in", "this needs an account")
    return session.account


TheHub = Annotated[Hub, Depends(hub_of)]
Who = Annotated[Account, Depends(who)]


def _enter(request: Request, roles: frozenset[Role]) -> Session | None:
    """Who asks, where they may.

    Raises:
        Problem: They may not, another site's page asks, or more is sent than may be.
    """
    hub = hub_of(request)
    length, limit = request.headers.get("content-length", "0"), hub.settings.limits.upload_bytes
    if not length.isdecimal() or int(length[:20]) > limit:
        raise too_many_bytes(limit)
    if request.method not in SAFE:
        _need_own_site(request)
    session = _session(request, hub)
    if not roles:
        return session
    if session is None:
        raise Problem(401, "not_signed_in", "this needs an account", headers={"WWW-Authenticate": "Bearer"})
    if session.account.role not in roles:
        path = str(getattr(request.scope.get("route"), "path", ""))
        hub.tell(Act.REFUSED, session.account, method=request.method, route=path)
        hub.metrics.refused.labels("not_allowed").inc()
        raise Problem(403, "not_allowed", f"not for the role {session.account.role}", "ask an admin for another role")
    if request.method not in SAFE:
        hub.need_log()
    return session


def _session(request: Request, hub: Hub) -> Session | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return hub.sessions.find_token(token)
    cookie = request.cookies.get(hub.settings.cookie)
    return hub.sessions.find(cookie) if cookie else None


def _need_own_site(request: Request) -> None:
    """A browser says which page sends a form or a script's request; a program says nothing.

    Raises:
        Problem: It is another site's.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    ):
        raise Problem(403, "cross_site", "sent by a page of another site")


async def _need_own_form(request: Request, session: Session) -> None:
    """The session's token must come along, in a header or as a field of the form.

    Raises:
        Problem: It does not.
    """
    token = request.headers.get(CSRF_HEADER)
    if token is None and session.csrf and "form" in request.headers.get("content-type", ""):
        limits = hub_of(request).settings.limits
        form = await request.form(max_files=limits.files, max_fields=limits.files)
        token = str(form.get(CSRF_FIELD, ""))
    if not session.sent_by_us(token or ""):
        raise Problem(403, "no_csrf_token", "not sent by a page of this session", "load the page again, then send it")


async def _once(request: Request, session: Session, key: str, inner: Handler) -> Response:
    """The answer that the same request got before, else a new one, kept for the next."""
    hub = hub_of(request)
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    seen = hashlib.sha256(asked + _without_boundary(await request.body(), request.headers.get("content-type", "")))
    made = answers.Request(session.account.name, key, seen.hexdigest(), hub.process)
    before = await run_in_threadpool(answers.begin, hub.database, made)
    if before is not None:
        return before
    try:
        answer = await inner(request)
    except BaseException:
        await run_in_threadpool(answers.forget, hub.database, made)
        raise
    await run_in_threadpool(answers.keep, hub.database, made, answer)
    return answer


def _without_boundary(body: bytes, content_type: str) -> bytes:
    """A body, of a form without the line between its parts: a program that sends a form again makes another one."""
    found = re.search(r'boundary="?([^";,]+)', content_type)
    return body if found is None else body.replace(found[1].encode("latin-1"), b"")
