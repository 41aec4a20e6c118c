"""Coming in: sessions, forged requests, wrong passwords, the first admin."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from service_helpers import PASSWORD, Person

from tgfr_search.app.service.accounts import Accounts
from tgfr_search.app.service.app import make_app
from tgfr_search.app.service.buckets import Buckets
from tgfr_search.app.service.database import Database
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.sessions import Sessions
from tgfr_search.app.service.settings import Limits
from tgfr_search.audit.retention import read_entries
from tgfr_search.errors import InputError

SESSION = "/api/v1/session"


def acts(hub: Hub) -> list[str]:
    return [entry["act"] for _, entry in read_entries(hub.settings.data / "audit")]


def test_a_session_from_beginning_to_end(client: TestClient, hub: Hub) -> None:
    person = Person(client, "examiner-1")
    cookie = next(each for each in person.client.cookies.jar if each.name == "tgfr")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    assert person("GET", SESSION).json() == {"name": "examiner-1", "role": "examiner", "csrf": person.csrf}
    assert cookie.value not in Path(hub.database.path).read_bytes().decode("latin-1")
    assert person("DELETE", SESSION).status_code == 204
    assert person("GET", SESSION).status_code == 401
    stolen = TestClient(make_app(hub), base_url=str(client.base_url), cookies={"tgfr": str(cookie.value)})
    assert stolen.get(SESSION).status_code == 401
    assert acts(hub)[-2:] == ["signed in", "signed out"]


def test_a_session_is_never_one_that_somebody_else_chose(client: TestClient) -> None:
    client.cookies.set("tgfr", "fixed-by-an-attacker")
    answer = client.post(SESSION, json={"name": "examiner-1", "password": PASSWORD})
    assert answer.cookies["tgfr"] != "fixed-by-an-attacker"
    first = answer.cookies["tgfr"]
    second = client.post(SESSION, json={"name": "examiner-1", "password": PASSWORD}).cookies["tgfr"]
    assert second != first
    client.cookies.clear()
    assert client.get(SESSION, headers={"Cookie": f"tgfr={first}"}).status_code == 401


def test_https_gets_a_cookie_that_only_https_sends(hub: Hub) -> None:
    hub.settings = replace(hub.settings, insecure_loopback=False, behind_proxy=True)
    answer = TestClient(make_app(hub)).post(SESSION, json={"name": "admin-1", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-tgfr=")
    assert all(part in cookie for part in ("; Secure", "; Path=/", "; HttpOnly", "; SameSite=strict"))
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "cross_site"),
        ({"Origin": "null"}, "cross_site"),
        ({"Sec-Fetch-Site": "cross-site"}, "cross_site"),
        ({"X-CSRF-Token": "another"}, "no_csrf_token"),
        ({"X-CSRF-Token": ""}, "no_csrf_token"),
    ],
)
def test_a_request_that_another_site_made(client: TestClient, headers: dict[str, str], code: str) -> None:
    person = Person(client, "admin-1")
    body = {"name": "new", "role": "admin", "password": PASSWORD}
    answer = person("POST", "/api/v1/accounts", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(person("GET", "/api/v1/accounts").json()) == 6
    own = {"Origin": "http://127.0.0.1:8443", "Sec-Fetch-Site": "same-origin"}
    assert person("POST", "/api/v1/accounts", json=body, headers=own).status_code == 201


def test_another_site_cannot_sign_a_browser_in(client: TestClient) -> None:
    body = {"name": "examiner-1", "password": PASSWORD}
    assert client.post(SESSION, json=body, headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_hundred_wrong_passwords_are_refused_and_logged(client: TestClient, hub: Hub) -> None:
    hub.logins = Buckets(10, 6)
    codes = [
        client.post(SESSION, json={"name": "examiner-1", "password": f"wrong {number}"}).status_code
        for number in range(100)
    ]
    assert codes == [401] * 10 + [429] * 90
    assert acts(hub).count("sign-in refused") == 100
    right = client.post(SESSION, json={"name": "examiner-1", "password": PASSWORD})
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) >= 1
    assert "wrong 7" not in (hub.settings.data / "audit" / "log.jsonl").read_text()


def test_a_password_in_the_field_of_the_name_is_not_in_the_log(client: TestClient, hub: Hub) -> None:
    client.post(SESSION, json={"name": "hunter2-hunter2", "password": "x"})
    assert acts(hub)[-1] == "sign-in refused"
    assert "hunter2" not in (hub.settings.data / "audit" / "log.jsonl").read_text()


def test_a_closed_account_is_out_at_once(client: TestClient) -> None:
    admin, person = Person(client, "admin-1"), Person(client, "examiner-1")
    changed = admin("PATCH", "/api/v1/accounts/examiner-1", json={"disabled": True})
    assert changed.json() == {"name": "examiner-1", "role": "examiner", "disabled": True}
    assert person("GET", SESSION).status_code == 401
    answer = client.post(SESSION, json={"name": "examiner-1", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_password")
    last = admin("PATCH", "/api/v1/accounts/admin-1", json={"role": "examiner"})
    assert "the last admin" in last.json()["detail"]
    assert admin("GET", SESSION).status_code == 200


def test_sessions_and_tokens_end(tmp_path: Path) -> None:
    now = 1000.0
    database = Database(tmp_path)
    accounts = Accounts(database, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    sessions = Sessions(database, accounts, Limits(idle_s=60, session_s=300), clock=lambda: now)
    account = accounts.add("examiner-1", "examiner", PASSWORD)
    idle, kept, program = sessions.begin(account), sessions.begin(account), sessions.make_token(account, 1)
    for _ in range(5):
        now += 50
        assert sessions.find(kept) is not None
    assert sessions.find(idle) is None
    again = Sessions(Database(tmp_path), accounts, Limits(idle_s=60, session_s=300), clock=lambda: now)
    assert again.find(kept) is not None, "a session lasts over a restart"
    now += 51
    assert sessions.find(kept) is None, "none lasts for ever"
    found = sessions.find_token(program)
    assert found is not None
    assert found.account == account
    now += 86400
    assert sessions.find_token(program) is None
    assert sessions.find_token("tgfr_unknown") is None


def test_a_program_comes_in_with_a_token(client: TestClient, hub: Hub) -> None:
    auditor = hub.accounts.get("auditor-1")
    assert auditor is not None
    token = hub.sessions.make_token(auditor, 30)
    told = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert told.status_code == 200
    assert "tgfr_requests_total" in told.text
    assert client.get("/metrics", headers={"Authorization": "Bearer tgfr_wrong"}).status_code == 401


def test_the_first_admin_is_made_with_the_code_of_the_terminal(tmp_path: Path, hub: Hub) -> None:
    assert hub.setup_code() == "", "there are accounts"
    with sqlite3.connect(hub.database.path) as connection:
        connection.execute("DELETE FROM accounts")
    code = hub.setup_code()
    with pytest.raises(Exception, match="wrong_code"):
        hub.set_up("0000-0000-0000-0000", "chief", PASSWORD)
    assert hub.set_up(f" {code.upper()} ", "chief", PASSWORD).role == "admin"
    with pytest.raises(Exception, match="wrong_code"):
        hub.set_up(code, "second", PASSWORD)
    with sqlite3.connect(hub.database.path) as connection:
        connection.execute("DELETE FROM accounts")
    code = hub.setup_code()
    for _ in range(5):
        with pytest.raises(Exception, match="wrong_code"):
            hub.set_up("guess", "chief", PASSWORD)
    with pytest.raises(Exception, match="wrong_code"):
        hub.set_up(code, "chief", PASSWORD)


def test_what_cannot_be_an_account(tmp_path: Path) -> None:
    accounts = Accounts(Database(tmp_path), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for name, role, password in (
        ("", "admin", PASSWORD),
        ("<b>", "admin", PASSWORD),
        ("a" * 65, "admin", PASSWORD),
        ("ann", "root", PASSWORD),
        ("ann", "admin", "short"),
    ):
        with pytest.raises(InputError):
            accounts.add(name, role, password)
    accounts.add("ann", "admin", PASSWORD)
    with pytest.raises(InputError, match="one of that name"):
        accounts.add("ann", "examiner", PASSWORD)
    with pytest.raises(InputError, match="none of that name"):
        accounts.change("bob", disabled=True)


def test_a_database_of_a_newer_version_or_none_is_refused(tmp_path: Path) -> None:
    path = Database(tmp_path).path
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(InputError, match="schema 999"):
        Database(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / path.name).write_text("no database at all, but a text that is long enough" * 20)
    with pytest.raises(InputError, match="not a database"):
        Database(tmp_path / "other")
