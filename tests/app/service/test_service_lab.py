"""What the laboratory requires of every case is required by page and API."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from service_helpers import SEARCH, Browser, Person
from test_service_pages import check
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.case.lab import Lab
from tgfr_search.app.cli.main import app
from tgfr_search.app.service.casebook import Casebook
from tgfr_search.app.service.hub import Hub
from tgfr_search.errors import TgfrError

RULES = Lab(required=("reference", "authorised by"), bases=("§ 98c StPO", "§ 81b StPO"), declared_origin=True)


@pytest.fixture
def hub(hub: Hub) -> Hub:
    """Of a laboratory with rules."""
    return replace(hub, cases=Casebook(hub.settings.data, RULES))


def test_by_the_page(client: TestClient, hub: Hub) -> None:
    browser = Browser(client, "examiner-1")
    page = browser.get("/cases").text
    check(page)
    assert 'name="field-authorised by" required' in page
    assert "<option>§ 81b StPO</option>" in page
    given = {"purpose": "fraud", "basis": "§ 98c StPO", "field-reference": "12 Js 3/26"}
    refused = browser.post("/cases", **given)
    assert refused.status_code == 422
    assert "authorised by" in refused.text
    check(refused.text)
    assert browser.post("/cases", **given | {"basis": "none", "field-authorised by": "Heidi"}).status_code == 422
    where = browser.post("/cases", **given | {"field-authorised by": "Heidi"}).headers["location"]
    shown = browser.get(where).text
    check(shown)
    assert "<dt>reference</dt><dd>12 Js 3/26</dd>" in shown
    case = Case.open(hub.cases.folder / where.split("/")[-1])
    assert (case.fields, case.lab) == ({"reference": "12 Js 3/26", "authorised by": "Heidi"}, RULES)
    assert 'value="unknown"' not in browser.get(f"{where}/search").text
    assert browser.post(f"{where}/searches", lines="a man with a beard", origin="unknown").status_code == 422


def test_by_the_api(client: TestClient) -> None:
    person = Person(client, "examiner-1")
    assert person("GET", "/api/v1/lab").json()["required"] == ["reference", "authorised by"]
    answer = person("POST", "/api/v1/cases", json=SEARCH)
    assert (answer.status_code, answer.json()["code"]) == (422, "lab_requires")
    assert "reference and no authorised by" in answer.json()["detail"]
    made = person("POST", "/api/v1/cases", json={**SEARCH, "fields": {"reference": "1", "authorised by": "2"}})
    assert made.status_code == 201, made.text
    case = made.headers["location"]
    lines = {"lines": ["a man with a beard"]}
    assert person("POST", f"{case}/searches", json=lines).status_code == 422
    assert person("POST", f"{case}/searches", json={**lines, "origin": "witness"}).status_code == 201


def test_a_file_that_is_none_is_told_before_anything_is_served(tmp_path: Path) -> None:
    rules = tmp_path / "lab.toml"
    rules.write_text('requires = ["reference"]\n')
    asked = ["serve", str(tmp_path / "none"), "--data", str(tmp_path / "data"), "--insecure-loopback"]
    with pytest.raises(TgfrError, match="requires"):
        CliRunner().invoke(app, [*asked, "--lab", str(rules)], catch_exceptions=False)
    assert not (tmp_path / "data").exists()
