"""People of a service, as a test plays them."""

from __future__ import annotations

import re
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


class Browser:
    """A person's browser: it keeps cookies, sends the token of the last page's form along, and knows no JavaScript."""

    def __init__(self, client: TestClient, name: str = "") -> None:
        self.client = TestClient(client.app, base_url=str(client.base_url), raise_server_exceptions=False)
        self.csrf, self.name = "", name
        if name:
            assert self.post("/login", name=name, password=PASSWORD).status_code == 303
            self.csrf = self.client.get("/api/v1/session").json()["csrf"]

    def get(self, path: str) -> Any:
        answer = self.client.get(path, headers={"Accept": "text/html"}, follow_redirects=False)
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.content.decode("latin-1")):
            self.csrf = found[1]
        return answer

    def post(self, path: str, *, files: Any = None, **fields: Any) -> Any:
        headers = {"Accept": "text/html", "Origin": str(self.client.base_url).rstrip("/")}
        data = {"csrf": self.csrf, **fields}
        return self.client.post(path, data=data, files=files, headers=headers, follow_redirects=False)
