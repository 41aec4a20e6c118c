"""Marks that are not locked yet outlive the page: for one account, for the candidate that it compares, sealed."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_helpers import Browser
from test_service_blind import next_label, opened

from pipelines.casework.case.case import Case
from tgfr_search.app.service.database import FILE
from tgfr_search.app.service.drafts import Drafts
from tgfr_search.app.service.hub import Hub

MARK = {
    "feature": "ears",
    "found": "not visible",
    "note": 'Heidi\'s <b>"scar"</b>',
    "probe": None,
    "candidate": [0.1, 0],
}


def draft(text: str) -> Any:
    """What a page has of marks that were not locked."""
    (found,) = re.findall(r'data-draft="([^"]*)"', text)
    return json.loads(html.unescape(found))


@pytest.fixture
def comparing(client: TestClient, probe: Path) -> tuple[Browser, str, str]:
    """An examiner at their first candidate; the addresses of case and search."""
    browser = Browser(client, "examiner-1")
    case, search = opened(browser, probe, "2")
    browser.post(search, act="begin")
    browser.post(search, act="analyse", text="sharp")
    return browser, case, search


def test_marks_are_there_when_the_page_is_loaded_again_until_they_are_locked(
    client: TestClient, hub: Hub, comparing: tuple[Browser, str, str]
) -> None:
    browser, case, search = comparing
    text = browser.get(search).text
    label, state = next_label(text), re.search(r'name="state" value="([^"]+)"', text)
    assert draft(text) == []
    before = len(Case.open(hub.cases.folder / case.split("/")[-1]).entries())
    kept = browser.post(f"{search}/draft", label=label, marks=json.dumps([MARK]))
    assert (kept.status_code, kept.text) == (204, "")
    assert len(Case.open(hub.cases.folder / case.split("/")[-1]).entries()) == before, "a draft is no act"
    again = browser.get(search).text
    assert draft(again) == [MARK]
    assert state is not None
    assert state[0] in again, "what was begun on the page before can still be locked"
    files = list(hub.settings.data.glob(f"{FILE}*"))
    assert files
    assert not [each for each in files if b"scar" in each.read_bytes()], "sealed under the key of the case"
    Browser(client, "examiner-2").get(search)
    browser.post(search, act="decide", label=label, decision="excluded", marks=json.dumps([MARK]))
    text = browser.get(search).text
    assert next_label(text) != label
    assert draft(text) == []
    browser.post(f"{search}/draft", label=next_label(text), marks=json.dumps([MARK]))
    browser.post(f"{search}/draft", label=next_label(text), marks="[]")
    assert draft(browser.get(search).text) == []


def test_a_draft_is_of_the_candidate_that_is_compared_by_the_account_that_compares(
    client: TestClient, hub: Hub, comparing: tuple[Browser, str, str]
) -> None:
    browser, _, search = comparing
    label = next_label(browser.get(search).text)
    wrong = [("C02" if label == "C01" else "C01", "[]"), (label, "x"), (label, json.dumps([{**MARK, "found": "?"}]))]
    for name, marks in wrong:
        assert browser.post(f"{search}/draft", label=name, marks=marks).status_code == 409, (name, marks)
    assert browser.post(f"{search}/draft", label=label, marks=json.dumps([MARK])).status_code == 204
    other = Browser(client, "examiner-2")
    other.get(search)
    assert other.post(f"{search}/draft", label=label, marks="[]").status_code == 409
    assert draft(browser.get(search).text) == [MARK]
    assert browser.client.post(f"{search}/draft", data={"label": label, "marks": "[]"}).status_code == 403, "no token"


def test_without_the_key_of_the_case_nothing_of_it_can_be_read(
    client: TestClient, hub: Hub, comparing: tuple[Browser, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, case, search = comparing
    label = next_label(browser.get(search).text)
    browser.post(f"{search}/draft", label=label, marks=json.dumps([MARK]))
    opened_case, name = Case.open(hub.cases.folder / case.split("/")[-1]), search.split("/")[-1]
    assert [each.note for each in hub.drafts.find(opened_case, name, "examiner-1", label)] == [MARK["note"]]
    files = opened_case.files
    without = Case(opened_case.folder, opened_case.id, "", "", type(files)(files.folder, files.log, b"another key"))
    assert Drafts(hub.database).find(without, name, "examiner-1", label) == ()
