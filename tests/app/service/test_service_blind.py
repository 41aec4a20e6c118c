"""From evidence to the released report by two accounts, and that nothing of a candidate is told before its time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_helpers import Browser, Person
from test_service_pages import check

from indexer import purge
from pipelines.casework.case.case import Case
from tgfr_search.app.service.hub import Hub
from tgfr_search.audit.verify import check_log

WORDS = "a man with a beard"


def opened(browser: Browser, probe: Path, top_k: str = "4") -> tuple[str, str]:
    """A case with a search; returns the addresses of both."""
    case = browser.post("/cases", purpose="fraud", basis="§ 98c StPO").headers["location"]
    with probe.open("rb") as photo:
        where = browser.post(f"{case}/evidence", files={"file": ("Heidi Muster.png", photo)}, kind="still")
    assert where.status_code == 303, where.text
    form = browser.get(where.headers["location"])
    check(form.text)
    assert "<rect" in form.text
    evidence = where.headers["location"].split("=")[-1]
    search = browser.post(f"{case}/searches", evidence=evidence, lines=WORDS, origin="witness", top_k=top_k)
    assert search.status_code == 303, search.text
    return case, search.headers["location"]


def secrets(hub: Hub, case: str, search: str) -> list[str]:
    """What must not be told before its time: whatever an answer says of its candidates."""
    kept = Case.open(hub.cases.folder / case.split("/")[-1]).read_search(search.split("/")[-1])
    found = {"subject_id", "row_id", "index_id", '"score"'}  # a page may speak of scores
    for hit in kept["result"]["candidates"]:
        found |= {hit["subject_id"], hit["image"], hit["caption"], f"{hit['score']:.3f}", f"{hit['score']:.2f}"}
    return sorted(each for each in found if each)


def told(answer: Any) -> str:
    """All that an answer tells, headers and address with it."""
    return f"{answer.url} {dict(answer.headers)} {answer.content.decode('latin-1')}"


def everything(browser: Browser, case: str, search: str) -> str:
    """All that a person can get of a search at this moment, from pages, pictures, and the API."""
    api = f"/api/v1{search}"
    addresses = [case, search, "/cases", f"/api/v1{case}", api, f"{search}/probe"]
    addresses += [f"{search}/candidates/C{at:02d}" for at in range(1, 6)]
    return "\n".join(told(browser.get(address)) for address in addresses)


def next_label(text: str) -> str:
    found = re.search(r'name="label" value="(C\d+)"', text)
    assert found is not None
    return found[1]


def compare(browser: Browser, search: str, secret: list[str], case: str, decision: str = "excluded") -> list[bytes]:
    """Analyses and decides on all four, watching that nothing is told; returns the pictures in the order shown."""
    assert browser.post(search, act="begin").status_code == 303
    assert browser.get(f"{search}/candidates/C01").status_code == 409, "before the analysis no candidate is shown"
    check(browser.get(search).text)
    assert browser.post(search, act="analyse", text="a face, sharp", suitable="yes").status_code == 303
    pictures = []
    for at in range(4):
        text = browser.get(search).text
        check(text)
        label = next_label(text)
        assert label == f"C{at + 1:02d}"
        assert browser.get(f"{search}/candidates/C{at + 2:02d}").status_code == 409, "the next one is not shown yet"
        picture = browser.get(f"{search}/candidates/{label}")
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.headers["cache-control"] == "no-store"
        assert "content-disposition" not in picture.headers
        pictures.append(picture.content)
        all_of_it = everything(browser, case, search)
        assert [each for each in secret if each in all_of_it] == []
        assert browser.post(search, act="decide", label=label, decision=decision).status_code == 303
    all_of_it = everything(browser, case, search)
    assert [each for each in secret if each in all_of_it] == []
    return pictures


def test_two_people_to_the_released_report(client: TestClient, hub: Hub, probe: Path) -> None:
    first, second, reviewer = (Browser(client, name) for name in ("examiner-1", "examiner-2", "reviewer-1"))
    case, search = opened(first, probe)
    secret = secrets(hub, case, search)
    assert len(secret) > 10
    shown = compare(first, search, secret, case)
    masked = first.get(search).text
    check(masked)
    assert first.post(search, act="unmask").status_code == 303
    text = first.get(search).text
    check(text)
    assert all(each in text for each in secret if each.startswith("person") and "/" not in each)
    other = everything(second, case, search)
    assert [each for each in secret if each in other] == [], "one's unmasking shows nothing to another"
    assert first.post(search, act="revise", label="C02", decision="inconclusive", reason="the ear").status_code == 303
    assert first.post(search, act="conclude", conclusion="no candidate").status_code == 303
    assert first.post(search, act="begin").status_code == 409, "nobody is both persons"
    again = compare(second, search, secret, case)
    assert sorted(again) == sorted(shown)
    assert second.post(search, act="unmask").status_code == 303
    assert second.post(search, act="conclude", conclusion="no candidate").status_code == 303
    assert second.post(search, act="release").status_code == 403, "an examiner does not release"
    check(second.get(search).text)
    assert reviewer.get(f"{case}/report").status_code == 409, "nothing is reported that is not released"
    assert reviewer.post(search, act="release").status_code == 303
    state = re.search(r'name="state" value="([^"]+)"', reviewer.get(case).text)
    whole = reviewer.get(f"{case}/report")
    assert whole.status_code == 200
    assert whole.headers["content-security-policy"].startswith("sandbox")
    assert "person0000" in whole.text
    api = first.client.get(f"/api/v1{case}/report", params={"language": "de"})
    assert 'lang="de"' in api.text
    assert state is not None
    assert state[0] in reviewer.get(case).text, "a report changes nothing"
    report = reviewer.get(search).text
    check(report)
    for expected in ("examiner-1", "examiner-2", "the ear", "§ 98c StPO", WORDS, "person0000"):
        assert expected in report
    folder = hub.cases.folder / case.split("/")[-1]
    told = Case.open(folder).entries()
    acts = [entry["act"] for entry in told]
    assert acts.count("decision") == 11
    roles = {(entry["actor"], entry.get("role")) for entry in told if "actor" in entry}
    assert roles == {(name, name[:-2]) for name in ("examiner-1", "examiner-2", "reviewer-1")}
    looked = [entry["details"]["what"] for entry in told if entry["act"] == "view" and entry["actor"] == "examiner-2"]
    assert {f"search S0001, C0{at}" for at in range(1, 5)} <= {*looked}, "each face that was shown"
    assert acts.count("unmask") == 2
    assert acts.count("view") > 20
    assert check_log(folder / "audit").problems == []
    log = (folder / "audit" / "log.jsonl").read_text()
    assert not [each for each in ("Heidi", "fraud", WORDS, "person0", "the ear") if each in log]


def test_two_browsers_in_one_case(client: TestClient, probe: Path) -> None:
    one, two = Browser(client, "examiner-1"), Browser(client, "examiner-1")
    case, search = opened(one, probe)
    states = [re.search(r'name="state" value="([^"]+)"', browser.get(search).text) for browser in (one, two)]
    assert states[0] is not None
    state = states[0][1].replace("&#34;", '"')
    assert one.post(search, act="begin", state=state).status_code == 303
    late = two.post(search, act="begin", state=state)
    assert late.status_code == 412
    check(late.text)
    person = Person(client, "examiner-1")
    seen = person("GET", f"/api/v1{case}")
    etag = seen.headers["etag"]
    noted = person("POST", f"/api/v1{case}/notes", data={"text": "one"}, headers={"If-Match": etag})
    assert noted.status_code == 201
    lost = person("POST", f"/api/v1{case}/notes", data={"text": "two"}, headers={"If-Match": etag})
    assert (lost.status_code, lost.json()["code"]) == (412, "case_moved_on")
    assert [each["text"] for each in person("GET", f"/api/v1{case}").json()["notes"]] == ["one"]


def test_by_the_api(client: TestClient, probe: Path) -> None:
    person = Person(client, "examiner-1")
    made = person("POST", "/api/v1/cases", json={"purpose": "fraud", "basis": "law"})
    case = made.headers["location"]
    files = {"file": ("x.png", probe.read_bytes())}
    name = person("POST", f"{case}/evidence", files=files).json()["name"]
    assert person("POST", f"{case}/evidence", files=files).json()["name"] == name, "the same bytes are received once"
    key = {"Idempotency-Key": "a-search"}
    asked = {"evidence": name, "top_k": 2}
    one = person("POST", f"{case}/searches", json=asked, headers=key)
    assert person("POST", f"{case}/searches", json=asked, headers=key).json() == one.json()
    assert person("POST", f"{case}/searches", json=asked | {"top_k": 3}, headers=key).status_code == 422
    assert len(person("GET", case).json()["searches"]) == 1
    search = f"{case}/searches/{one.json()['name']}"
    for body in ({"act": "begin"}, {"act": "analyse", "text": "seen"}):
        assert person("POST", f"{search}/review", json=body).status_code == 200
    wrong = person("POST", f"{search}/review", json={"act": "decide", "label": "C02", "decision": "excluded"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "not_now")
    assert person("POST", f"{search}/review", json={"act": "decide", "text": "x"}).status_code == 409
    seen = person("POST", f"{search}/review", json={"act": "decide", "label": "C01", "decision": "excluded"}).json()
    assert json.dumps(seen).count("person0") == 0
    assert [each["label"] for each in seen["candidates"]] == ["C01", "C02"]
    for path in (
        f"{case}/searches/S0009",
        "/api/v1/cases/2026-9999",
        "/api/v1/cases/..%2f..%2fetc",
        f"{case}/searches/passwd",
    ):
        answer = person("GET", path)
        assert answer.status_code in (404, 422), path


def test_a_candidate_who_was_deleted_since_is_still_shown(client: TestClient, hub: Hub, probe: Path) -> None:
    browser = Browser(client, "examiner-1")
    _, search = opened(browser, probe)
    for given in ({"act": "begin"}, {"act": "analyse", "text": "sharp", "suitable": "yes"}):
        assert browser.post(search, **given).status_code == 303
    before = browser.get(f"{search}/candidates/C01")
    store = hub.store(hub.gallery()[1])
    with store.writer() as writer:
        writer.delete(row_ids=store.row_ids().tolist())
        writer.commit()
    purge(store)
    assert browser.get(f"{search}/candidates/C01").content == before.content, "the one that was searched, which is held"
    purge(store, over=[holder.case for holder in purge(store).held_by])
    gone = browser.get(f"{search}/candidates/C01")
    assert (gone.status_code, "not held" in gone.text) == (404, True)


@pytest.mark.parametrize("origin", ["hearsay"])
def test_what_a_case_refuses_is_a_page(client: TestClient, origin: str) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", purpose="fraud", basis="law").headers["location"]
    assert browser.post("/cases", purpose=" ", basis="law").status_code == 422
    for given in ({"lines": WORDS, "origin": origin}, {"lines": ""}, {"lines": WORDS, "where": "no ( filter"}):
        answer = browser.post(f"{case}/searches", **given)
        assert answer.status_code == 422
        check(answer.text)
    empty = browser.post(f"{case}/evidence", files={"file": ("", b"")}, kind="still")
    assert empty.status_code == 422
    assert browser.get(f"{case}/search?evidence=E0009.png").status_code == 404
