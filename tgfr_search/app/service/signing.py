"""Coming in and going out, the same for programs and people: slowed down, logged, one answer to all wrong tries."""

from __future__ import annotations

from fastapi import Request, Response

from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.problems import Problem
from tgfr_search.audit.entries import Act


def sign_in(hub: Hub, request: Request, name: str, password: str) -> tuple[Account, str]:
    """Lets an account in; returns it and what its cookie holds.

    Raises:
        Problem: Name or password is wrong, the account is closed, or there were too many tries.
        AuditError: It could not be logged.
    """
    address = request.client.host if request.client else ""
    for key in (f"address {address}", f"account {name}"):
        if wait := hub.logins.take(key):
            hub.metrics.refused.labels("too_many_tries").inc()
            # Whoever types a password into the field of the name must not find it in the log.
            hub.tell(Act.SIGN_IN_REFUSED, account_hmac=hub.journal.commitment(name), why="too many tries")
            raise Problem(
                429, "too_many_tries", f"try again in {wait:.0f} s", headers={"Retry-After": str(int(wait) + 1)}
            )
    account = hub.accounts.signed_in(name, password)
    if account is None:
        hub.metrics.refused.labels("wrong_password").inc()
        hub.tell(Act.SIGN_IN_REFUSED, account_hmac=hub.journal.commitment(name), why="wrong")
        raise Problem(401, "wrong_password", "name or password is wrong, or the account is closed")
    if before := request.cookies.get(hub.settings.cookie):
        hub.sessions.end(before)
    hub.tell(Act.SIGNED_IN, account)
    return account, hub.sessions.begin(account)


def sign_out(hub: Hub, request: Request, account: Account) -> None:
    """Ends the session that asks."""
    if token := request.cookies.get(hub.settings.cookie):
        hub.sessions.end(token)
    hub.tell(Act.SIGNED_OUT, account)


def set_cookie(hub: Hub, response: Response, token: str) -> None:
    """Gives a browser its session; an empty token takes it away."""
    response.set_cookie(
        hub.settings.cookie,
        token,
        max_age=None if token else 0,
        path="/",
        secure=hub.settings.secure,
        httponly=True,
        samesite="strict",
    )
