"""The commands of the service: serve, and keeping its accounts. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import Device, Json, Model
from tgfr_search.errors import InputError

if TYPE_CHECKING:
    from tgfr_search.app.service.accounts import Account, Accounts

user_app = typer.Typer(no_args_is_help=True, help="Accounts of the service.")
DATA = Path("tgfr-service")
Data = Annotated[
    Path, typer.Option("--data", help="Folder of the service.", envvar="TGFR_SERVICE_DATA", show_envvar=True)
]
Name = Annotated[str, typer.Argument(help="Account, a pseudonym.")]
RoleName = Annotated[str, typer.Option("--role", help="enroller, examiner, reviewer, auditor or admin.")]


def serve(
    index: Annotated[list[Path], typer.Argument(help="Index directories; the first is searched by default.")],
    data: Data = DATA,
    bind: Annotated[str, typer.Option(help="HOST:PORT to listen on.")] = "127.0.0.1:8443",
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its key, PEM.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy on this machine ends TLS and forwards.")
    ] = False,
    insecure_loopback: Annotated[
        bool, typer.Option("--insecure-loopback", help="Plain HTTP, on this machine alone.")
    ] = False,
    lab: Annotated[
        Path | None, typer.Option(help="Rules of the laboratory (TOML).", envvar="TGFR_LAB", show_envvar=True)
    ] = None,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Serve galleries, cases and the log: an API and the examiner's page."""
    from pipelines.casework.case.lab import Lab
    from tgfr_search.app.service.hub import Hub
    from tgfr_search.app.service.run import listen, run
    from tgfr_search.app.service.settings import Settings, read_bind
    from tgfr_search.strict import load_toml

    host, port = read_bind(bind)
    settings = Settings(
        data,
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        behind_proxy=behind_proxy,
        insecure_loopback=insecure_loopback,
        lab=Lab() if lab is None else load_toml(lab, Lab),
    )
    listening = listen(settings)  # before the model is loaded: a port in use should be told at once
    try:
        hub = Hub.open(settings, index, model=model, device=device)
    except BaseException:
        listening.close()
        raise
    if hub.damage:
        console.say(f"READ ONLY: the log does not verify: {hub.damage}", err=True)

    def ready() -> None:
        shown = f"[{host}]" if ":" in host else host
        address = f"{'https' if tls_cert else 'http'}://{shown}:{port}"
        if code := hub.setup_code():
            console.say(f"no account yet: make the first admin at {address}/setup with the code {code}")
        console.say(f"serving at {address}")

    run(hub, listening, ready)


@user_app.command()
def add(
    name: Name,
    role: RoleName,
    password_file: Annotated[
        Path, typer.Option("--password-file", help="File whose first line is the password; - reads standard input.")
    ],
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add an account."""
    account = _accounts(data).add(name, role, _password(password_file))
    _told(data, "added", account)
    _show(account, as_json)


@user_app.command("list")
def list_(data: Data = DATA, as_json: Json = False) -> None:
    """All accounts."""
    found = _accounts(data).all()
    rows = [[each.name, each.role.value, "closed" if each.disabled else "open"] for each in found]
    values = {"accounts": [_values(each) for each in found]}
    console.emit(values, as_json, lambda: console.table("", ("account", "role", "state"), rows))


@user_app.command()
def disable(name: Name, data: Data = DATA, as_json: Json = False) -> None:
    """Close an account: nobody comes in with it, its sessions end; what it did stays."""
    account = _accounts(data).change(name, disabled=True)
    _told(data, "changed", account)
    _show(account, as_json)


@user_app.command()
def enable(name: Name, data: Data = DATA, as_json: Json = False) -> None:
    """Open an account again."""
    account = _accounts(data).change(name, disabled=False)
    _told(data, "changed", account)
    _show(account, as_json)


def token(
    name: Name,
    days: Annotated[int, typer.Option(help="Days that it lasts.")] = 90,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Make a token with which a program acts as an account; it is shown once."""
    from tgfr_search.app.service.database import Database
    from tgfr_search.app.service.sessions import Sessions
    from tgfr_search.app.service.settings import Limits

    accounts = _accounts(data)
    account = accounts.get(name)
    if account is None or account.disabled:
        raise InputError(f"account {name}", found="none that is open", expected="an account", do="user list")
    made = Sessions(Database(data), accounts, Limits()).make_token(account, days)
    _told(data, "token", account)
    console.emit({"account": name, "token": made}, as_json, lambda: console.say(made))


def _accounts(data: Path) -> Accounts:
    from tgfr_search.app.service.accounts import Accounts
    from tgfr_search.app.service.database import Database

    return Accounts(Database(data))


def _told(data: Path, change: str, account: Account) -> None:
    from tgfr_search.audit.entries import Act, Entry
    from tgfr_search.audit.journal import LogJournal

    details = {"change": change, "account": account.name, "role": account.role.value, "disabled": account.disabled}
    LogJournal.without_case(data / "audit").record(Entry(Act.ACCOUNT, details=details))


def _password(path: Path) -> str:
    import sys

    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--password-file {path}", found=str(error), expected="a readable file of UTF-8") from error
    return text.split("\n", 1)[0].rstrip("\r")


def _values(account: Account) -> dict[str, str | bool]:
    return {"account": account.name, "role": account.role.value, "disabled": account.disabled}


def _show(account: Account, as_json: bool) -> None:
    console.emit(_values(account), as_json, lambda: console.pairs(_values(account)))
