"""What all pages share: language, theme, menu, the token of forms."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup
from starlette.datastructures import FormData

from tgfr_search.app.service.guard import CSRF_FIELD
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role
from tgfr_search.app.service.sessions import Session
from tgfr_search.pages import render
from tgfr_search.pages.catalogue import Words, preferred

LANGUAGE, THEME = "language", "theme"
"""Cookies; neither says who somebody is."""
MENU = (
    ("/cases", "nav.cases", CASEWORK),
    ("/gallery", "nav.gallery", frozenset({Role.ENROLLER})),
    ("/log", "nav.log", frozenset({Role.AUDITOR})),
    ("/reports", "nav.reports", CASEWORK | {Role.AUDITOR}),
    ("/accounts", "nav.accounts", frozenset({Role.ADMIN})),
)


async def _form(request: Request) -> FormData:
    return await request.form()


TheForm = Annotated[FormData, Depends(_form)]
"""A form whose fields have names that are not known beforehand."""


def words_of(request: Request) -> Words:
    """The texts in the language of whoever asks."""
    return Words(request.cookies.get(LANGUAGE) or preferred(request.headers.get("accept-language", "")))


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for whoever asks.

    Args:
        request: Who asks.
        template: In `templates/service`.
        status: Of HTTP.
        values: What the template prints.
    """
    session: Session | None = getattr(request.state, "session", None)
    account = None if session is None else session.account
    theme = request.cookies.get(THEME, "")
    shared = {
        "t": words_of(request),
        "theme": theme if theme in ("light", "dark") else "",
        "account": account,
        "menu": [(where, name) for where, name, roles in MENU if account is not None and account.role in roles],
        "here": request.url.path.replace("/enrolment", "/gallery", 1),
        "csrf_field": partial(_field, CSRF_FIELD, "" if session is None else session.csrf),
    }
    return HTMLResponse(render(f"service/{template}", **shared, **values), status)


def home_of(role: Role) -> str:
    """Where an account of a role begins."""
    return next(where for where, _, roles in MENU if role in roles)


def see(where: str, headers: Mapping[str, str] | None = None) -> RedirectResponse:
    """Sends a browser on, after a form was taken."""
    return RedirectResponse(where, 303, headers)


def problem_page(request: Request, problem: Problem) -> HTMLResponse | RedirectResponse:
    """A refusal as a page; who is not signed in is sent to where that is done."""
    if problem.code == "not_signed_in" and request.method == "GET":
        return see("/login")
    number = request.scope.get("state", {}).get("request_id", "")
    answer = page(request, "problem.html", status=problem.status, problem=problem, number=number)
    answer.headers.update(problem.headers)
    return answer


def hidden(name: str, value: str) -> Markup:
    """A field that a form sends along."""
    return _field(name, value)


def _field(name: str, value: str) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
