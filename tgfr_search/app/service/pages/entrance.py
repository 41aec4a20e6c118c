"""The way in and out: start, sign in, first admin, preferences, style and script files."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Form, Request, Response

from tgfr_search.app.service import signing
from tgfr_search.app.service.accounts import LONGEST
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import LANGUAGE, THEME, home_of, page, see
from tgfr_search.app.service.problems import Problem, problem_of
from tgfr_search.app.service.roles import ANYBODY, SIGNED_IN, Routes
from tgfr_search.errors import InputError
from tgfr_search.pages.catalogue import LANGUAGES

routes = Routes()
Short = Annotated[str, Form(max_length=64)]
Secret = Annotated[str, Form(max_length=LONGEST)]
STATIC = {
    "style.css": ("text/css", ("templates/style.css", "static/service.css")),
    "icon.svg": ("image/svg+xml", ("static/icon.svg",)),
    "viewer.js": ("text/javascript", ("static/viewer.js",)),
    "marks.js": ("text/javascript", ("static/marks.js",)),
    "keys.js": ("text/javascript", ("static/keys.js",)),
    "jobs.js": ("text/javascript", ("static/jobs.js",)),
}
"""Name → media type, files of `tgfr_search/pages` that it is made of. No other file can be asked for."""


@routes("GET", "/", SIGNED_IN)
def start(account: Who) -> Response:
    """Where an account begins."""
    return see(home_of(account.role))


@routes("GET", "/login", ANYBODY)
def login_page(hub: TheHub, request: Request) -> Response:
    """Asks for name and password."""
    return page(request, "login.html", problem=None, no_account=not hub.accounts.all())


@routes("POST", "/login", ANYBODY)
def login(hub: TheHub, request: Request, name: Short, password: Secret) -> Response:
    """Signs in."""
    try:
        account, token = signing.sign_in(hub, request, name, password)
    except Problem as problem:
        return page(request, "login.html", status=problem.status, problem=problem, no_account=False)
    answer = see(home_of(account.role))
    signing.set_cookie(hub, answer, token)
    return answer


@routes("POST", "/logout", SIGNED_IN)
def logout(hub: TheHub, request: Request, account: Who) -> Response:
    """Signs out."""
    signing.sign_out(hub, request, account)
    answer = see("/login")
    signing.set_cookie(hub, answer, "")
    return answer


@routes("GET", "/setup", ANYBODY)
def setup_page(hub: TheHub, request: Request) -> Response:
    """Asks for the code of the terminal."""
    return see("/login") if hub.accounts.all() else page(request, "setup.html", problem=None)


@routes("POST", "/setup", ANYBODY)
def setup(hub: TheHub, request: Request, code: Short, name: Short, password: Secret) -> Response:
    """Makes the first admin."""
    try:
        hub.set_up(code, name, password)
    except (Problem, InputError) as error:
        problem = error if isinstance(error, Problem) else problem_of(error, hub.settings.data.resolve())
        return page(request, "setup.html", status=problem.status, problem=problem)
    return see("/login")


@routes("POST", "/preferences", ANYBODY)
def preferences(request: Request, hub: TheHub, language: Short = "", theme: Short = "") -> Response:
    """Remembers language and theme in the browser."""
    came = urlsplit(request.headers.get("referer", ""))
    ours = came.netloc == request.headers.get("host") and came.path.startswith("/") and not came.path.startswith("//")
    answer = see((came.path + (f"?{came.query}" if came.query else "")) if ours else "/")
    for name, value, known in ((LANGUAGE, language, LANGUAGES), (THEME, theme, ("auto", "light", "dark"))):
        if value in known:
            answer.set_cookie(
                name, value, max_age=365 * 86400, secure=hub.settings.secure, httponly=True, samesite="strict"
            )
    return answer


@routes("GET", "/static/{name}", ANYBODY)
def static(name: str) -> Response:
    """Style, scripts, icon."""
    if name not in STATIC:
        raise Problem(404, "no_such_page", name)
    media_type, parts = STATIC[name]
    text = "\n".join((files("tgfr_search.pages") / part).read_text(encoding="utf-8") for part in parts)
    return Response(text, media_type=media_type, headers={"Cache-Control": "no-cache"})
