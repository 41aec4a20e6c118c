"""Accounts, for admins; the log, for auditors."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Any

from fastapi import Form, Query, Request, Response

from tgfr_search.app.service.accounts import LONGEST
from tgfr_search.app.service.api.accounts import add, change
from tgfr_search.app.service.api.log import entries_before, take_checkpoint
from tgfr_search.app.service.cursors import make_cursor, read_cursor
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import page, see
from tgfr_search.app.service.roles import Role, Routes

routes = Routes()
Short = Annotated[str, Form(max_length=64)]


@routes("GET", "/accounts", {Role.ADMIN})
def accounts_page(hub: TheHub, request: Request) -> Response:
    """All accounts."""
    return page(request, "accounts.html", accounts=hub.accounts.all(), roles=list(Role))


@routes("POST", "/accounts", {Role.ADMIN})
def add_account(
    hub: TheHub, admin: Who, name: Short, role: Short, password: Annotated[str, Form(max_length=LONGEST)]
) -> Response:
    """Adds an account."""
    add(hub, admin, name, role, password)
    return see("/accounts")


@routes("POST", "/accounts/{name}", {Role.ADMIN})
def change_account(hub: TheHub, admin: Who, name: str, role: Short = "", disabled: Short = "") -> Response:
    """Gives an account another role, closes or opens it."""
    change(hub, admin, name, role or None, {"yes": True, "no": False}.get(disabled))
    return see("/accounts")


@routes("GET", "/log", {Role.AUDITOR})
def log_page(hub: TheHub, request: Request, cursor: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The newest entries of the log."""
    return _log(hub, request, cursor)


@routes("POST", "/log/checkpoint", {Role.AUDITOR})
def checkpoint(hub: TheHub, request: Request, auditor: Who) -> Response:
    """Takes a checkpoint, and shows it to be kept elsewhere."""
    return _log(hub, request, "", take_checkpoint(hub, auditor))


def _log(hub: TheHub, request: Request, cursor: str, note: str = "") -> Response:
    found, before, size = entries_before(hub, read_cursor(cursor))
    shown: deque[dict[str, Any]] = deque()
    for entry in found:
        details = {**entry.get("details", {}), **{k: entry[k] for k in ("case", "list_length") if k in entry}}
        role = entry.get("role", "")
        shown.append({**{"actor": ""}, **entry, "role": role, "details": sorted(details.items())})
    return page(
        request,
        "log.html",
        entries=shown,
        size=size,
        damage=hub.damage,
        cursor=cursor,
        next=make_cursor(before) if before else "",
        checkpoint=note.splitlines(),
    )
