"""Keeping accounts."""

from __future__ import annotations

from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.app.service.schemas import AccountChange, AccountTold, NewAccount
from tgfr_search.audit.entries import Act

routes = Routes()
PATH = "/api/v1/accounts"


@routes("GET", PATH, {Role.ADMIN})
def accounts(hub: TheHub) -> list[AccountTold]:
    """All accounts."""
    return [_told(each) for each in hub.accounts.all()]


@routes("POST", PATH, {Role.ADMIN}, status_code=201)
def add_account(hub: TheHub, admin: Who, given: NewAccount) -> AccountTold:
    """Adds an account."""
    return _told(add(hub, admin, given.name, given.role, given.password))


@routes("PATCH", PATH + "/{name}", {Role.ADMIN})
def change_account(hub: TheHub, admin: Who, name: str, given: AccountChange) -> AccountTold:
    """Gives an account another role, closes or opens it."""
    return _told(change(hub, admin, name, given.role, given.disabled))


def add(hub: Hub, admin: Account, name: str, role: str, password: str) -> Account:
    """Adds an account and tells the log."""
    made = hub.accounts.add(name, role, password)
    hub.tell(Act.ACCOUNT, admin, change="added", name=made.name, role=made.role.value)
    return made


def change(hub: Hub, admin: Account, name: str, role: str | None, disabled: bool | None) -> Account:
    """Changes an account and tells the log."""
    made = hub.accounts.change(name, role=role, disabled=disabled)
    hub.tell(Act.ACCOUNT, admin, change="changed", name=made.name, role=made.role.value, disabled=made.disabled)
    return made


def _told(account: Account) -> AccountTold:
    return AccountTold(name=account.name, role=account.role, disabled=account.disabled)
