"""Signing in and out, for programs that keep a cookie; those with a token need neither."""

from __future__ import annotations

from fastapi import Request, Response

from tgfr_search.app.service import signing
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.roles import ANYBODY, SIGNED_IN, Routes
from tgfr_search.app.service.schemas import SignedIn, SignIn

routes = Routes()
PATH = "/api/v1/session"


@routes("POST", PATH, ANYBODY, status_code=201)
def sign_in(hub: TheHub, request: Request, response: Response, given: SignIn) -> SignedIn:
    """Signs in; the answer sets the cookie of a new session."""
    account, token = signing.sign_in(hub, request, given.name, given.password)
    signing.set_cookie(hub, response, token)
    session = hub.sessions.find(token)
    return SignedIn(name=account.name, role=account.role, csrf="" if session is None else session.csrf)


@routes("GET", PATH, SIGNED_IN)
def signed_in(request: Request, account: Who) -> SignedIn:
    """Who is signed in."""
    return SignedIn(name=account.name, role=account.role, csrf=request.state.session.csrf)


@routes("DELETE", PATH, SIGNED_IN, status_code=204)
def sign_out(hub: TheHub, request: Request, response: Response, account: Who) -> None:
    """Signs out."""
    signing.sign_out(hub, request, account)
    signing.set_cookie(hub, response, "")
