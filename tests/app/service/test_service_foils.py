"""Foils in the service: no page, picture, address or answer tells one from a candidate before it is unmasked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from service_helpers import Browser, Person
from test_service_blind import compare, opened, secrets
from test_service_pages import check

from pipelines.casework.case.case import Case
from pipelines.casework.case.lab import Lab
from pipelines.casework.review.examiners import count_case, examiners
from tgfr_search.app.service.casebook import Casebook
from tgfr_search.app.service.casework import EXAMINERS
from tgfr_search.app.service.hub import Hub


@pytest.fixture
def hub(hub: Hub) -> Hub:
    """Of a laboratory that brings one foil for each candidate, of all but the probe's person."""
    return replace(hub, cases=Casebook(hub.settings.data, Lab(foils=1.0, foil_where="subject_id != 'person0000'")))


def test_a_foil_is_no_other_than_a_candidate_until_it_is_unmasked(client: TestClient, hub: Hub, probe: Path) -> None:
    first = Browser(client, "examiner-1")
    case, search = opened(first, probe, top_k="2")
    kept = Case.open(hub.cases.folder / case.split("/")[-1]).read_search("S0001")
    people = [row.subject_id for row in hub.gallery()[1].store.rows(kept["foils"]["rows"])]
    assert len(people) == 2
    assert not {*people} & {each["subject_id"] for each in kept["result"]["candidates"]}
    secret = [*secrets(hub, case, search), *people, "foil"]
    pictures = compare(first, search, secret, case, decision="support for same")
    assert len({*pictures}) == 4
    assert first.post(search, act="unmask").status_code == 303
    text = first.get(search).text
    check(text)
    assert text.count("false positive") == 2
    assert [each for each in people if each in text] == [], "who a foil is belongs into no case"
    seen = Person(client, "examiner-1")("GET", f"/api/v1{search}").json()
    assert seen["count"] == 4
    assert sorted(each.get("foil", False) for each in seen["candidates"]) == [False, False, True, True]
    assert first.post(search, act="conclude", conclusion="potential candidates").status_code == 303
    (own,) = examiners(hub.settings.data / EXAMINERS)
    assert (own.name, own.foils_same.count, own.foils_same.of) == ("examiner-1", 2, 2)
    second = Browser(client, "examiner-2")
    compare(second, search, secret, case, decision="support for same")
    for act in ({"act": "unmask"}, {"act": "conclude", "conclusion": "potential candidates"}):
        assert second.post(search, **act).status_code == 303
    released = Browser(client, "reviewer-1").get(search).text
    check(released)
    assert released.count("false positive") == 4
    assert [each for each in people if each in released] == []
    answer = json.dumps(Person(client, "reviewer-1")("GET", f"/api/v1{search}").json()["hits"])
    assert [each for each in people if each in answer] == []


def test_an_act_is_done_also_where_it_cannot_be_counted(
    client: TestClient, hub: Hub, probe: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (hub.settings.data / EXAMINERS).write_text("no folder")
    first = Browser(client, "examiner-1")
    case, search = opened(first, probe, top_k="2")
    compare(first, search, [], case, decision="excluded")
    assert first.post(search, act="unmask").status_code == 303
    assert first.post(search, act="conclude", conclusion="no candidate").status_code == 303
    assert "examiner stats --from CASE" in caplog.text
    kept = Case.open(hub.cases.folder / case.split("/")[-1])
    (hub.settings.data / EXAMINERS).unlink()
    assert count_case(hub.settings.data / EXAMINERS, kept) == 1
