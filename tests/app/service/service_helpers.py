"""People of a service, as a test plays them."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

PASSWORD = "correct horse battery staple"
SEARCH = {"purpose": "fraud at Heidi's bank", "basis": "§ 98c StPO"}


class Person:
    """Somebody who is signed in by the API, with a browser of their own."""

    def __init__(self, client: TestClient, name: str) -> None:
        self.name = name
        self.client = TestClient(client.app, base_url=str(client.base_url), raise_server_exceptions=False)
        answer = self.client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        self.csrf = answer.json()["csrf"]

    def __call__(self, method: str, path: str, **given: Any) -> Any:
        headers = {"X-CSRF-Token": self.csrf, **given.pop("headers", {})}
        return self.client.request(method, path, headers=headers, follow_redirects=False, **given)
