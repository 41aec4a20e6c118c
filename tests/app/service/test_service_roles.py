"""Who may do what: read from the table of routes, tried on every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from service_helpers import Browser, Person
from test_service_blind import opened

from tgfr_search.app.service.app import all_routes, make_app
from tgfr_search.app.service.guard import GuardedRoute
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.roles import ANYBODY, Role, Routes, table
from tgfr_search.audit.retention import read_entries


def address(path: str) -> str:
    """A path with something in the place of each parameter."""
    return re.sub(r"\{[^}]+\}", "1", path)


def test_every_route_is_behind_the_door(hub: Hub) -> None:
    app = make_app(hub)
    assert all(isinstance(route, GuardedRoute) for route in app.routes)
    assert {(method, route.path) for route in app.routes for method in route.methods} == {  # type: ignore[attr-defined]
        (route.method, route.path) for route in all_routes()
    }
    anybody = {route.path for route in all_routes() if route.roles == ANYBODY}
    assert anybody <= {
        "/livez",
        "/readyz",
        "/openapi.json",
        "/api/v1/session",
        "/login",
        "/setup",
        "/static/{name}",
        "/preferences",
    }


def test_a_route_without_roles_cannot_be_made(hub: Hub) -> None:
    app: FastAPI = make_app(hub)
    with pytest.raises((KeyError, TypeError)):
        app.add_api_route("/more", lambda: None)
    routes = Routes()
    with pytest.raises(TypeError):
        routes("GET", "/more")  # type: ignore[call-arg]
    routes("GET", "/twice", {Role.ADMIN})(lambda: None)
    routes("GET", "/twice", {Role.EXAMINER})(lambda: None)
    with pytest.raises(ValueError, match="twice"):
        table([routes])


def test_each_role_on_each_route(client: TestClient, hub: Hub) -> None:
    """A role that may not gets 403 and an entry in the log; one that may gets past the door, wherever it then ends."""
    people = {role: Person(client, f"{role}-1") for role in Role}
    for route in (each for each in all_routes() if each.roles != ANYBODY):
        if (route.method, route.path) in {("DELETE", "/api/v1/session"), ("POST", "/logout")}:
            continue  # would end the sessions that the others are tried with
        nobody = client.request(route.method, address(route.path), follow_redirects=False)
        assert nobody.status_code in (401, 303), (route.method, route.path, nobody.status_code)
        for role, person in people.items():
            answer = person(route.method, address(route.path))
            may = answer.status_code != 403
            assert may == (role in route.roles), (route.method, route.path, role, answer.text)
            assert answer.status_code < 500, (route.method, route.path, role, answer.text)
    refused = [entry for _, entry in read_entries(hub.settings.data / "audit") if entry["act"] == "refused"]
    out = {("DELETE", "/api/v1/session"), ("POST", "/logout")}
    asked = [each for each in all_routes() if each.roles != ANYBODY and (each.method, each.path) not in out]
    assert len(refused) == sum(len(set(Role) - route.roles) for route in asked)
    assert {entry["details"]["route"] for entry in refused} <= {route.path for route in asked}


def test_each_picture_of_a_face_is_in_the_log_before_it_is_shown(client: TestClient, hub: Hub, probe: Path) -> None:
    browser, enroller = Browser(client, "examiner-1"), Browser(client, "enroller-1")
    case, search = opened(browser, probe)
    for address, where, what in (
        (f"{case}/evidence/E0001.png", browser, "picture E0001.png"),
        (f"{search}/probe", browser, "search S0001, picture 1"),
        ("/gallery/people/rows/0/face", enroller, "face"),
    ):
        log = (hub.cases.folder / case.split("/")[-1] if where is browser else hub.settings.data) / "audit"
        before = len(list(read_entries(log)))
        assert where.get(address).headers["content-type"] == "image/jpeg"
        (entry,) = [each for _, each in read_entries(log)][before:]
        assert (entry["act"], entry["details"]["what"], entry["role"]) == ("view", what, entry["actor"][:-2])


def test_routes_are_ours_alone(hub: Hub) -> None:
    assert not [route for route in make_app(hub).routes if not isinstance(route, APIRoute)]
