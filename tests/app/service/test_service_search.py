"""Searching by the API: the answer of `query`, logged first; what is wrong is a problem with a stable code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from service_helpers import SEARCH, Person

from indexer import Store
from pipelines.search.compare import compare
from pipelines.search.gallery import Gallery
from tgfr_search.app.service.buckets import Buckets
from tgfr_search.app.service.hub import Hub
from tgfr_search.audit.retention import read_entries

WORDS = "a man with a beard"
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
BEGIN = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'


def test_the_answer_is_that_of_query(examiner: Person, hub: Hub, probe: Path) -> None:
    with probe.open("rb") as photo:
        answer = examiner("POST", "/api/v1/search", data={**SEARCH, "caption": [WORDS, "glasses"], "top_k": 3},
                          files={"photo": ("Heidi.jpg", photo)})  # fmt: skip
    assert answer.status_code == 200, answer.text
    found = answer.json()
    gallery = hub.galleries["people"]
    same = Gallery(gallery.store, gallery.model, gallery.finder).query(probe, caption=[WORDS, "glasses"], top_k=3)
    want = json.loads(json.dumps(same.as_dict()))
    for told in (found, want):
        del told["timing_ms"]
    assert found == want
    told = [entry for _, entry in read_entries(hub.settings.data / "audit")][-1]
    assert (told["act"], told["actor"], told["role"], told["list_length"]) == ("search", "examiner-1", "examiner", 3)
    assert told["purpose_hmac"] == hub.journal.commitment(SEARCH["purpose"])
    log = (hub.settings.data / "audit" / "log.jsonl").read_text()
    assert not [secret for secret in (*SEARCH.values(), WORDS, "Heidi", "person0") if secret in log]


def test_other_people_than_the_calibration_is_of_have_no_ratio(examiner: Person, probe: Path) -> None:
    told = []
    for who in ({}, {"population": "people who do not exist"}):
        with probe.open("rb") as photo:
            answer = examiner("POST", "/api/v1/search", data={**SEARCH, **who}, files={"photo": ("a.jpg", photo)})
        told.append({each["lr"]["refused"] for each in answer.json()["candidates"]})
    assert "population_mismatch" not in told[0]
    assert told[1] == {"population_mismatch"}


def test_one_picture_against_one(examiner: Person, hub: Hub, probe: Path, people: Path) -> None:
    same, other = people / "gallery" / "person0000", people / "gallery" / "person0003"
    told = []
    for folder in (same, other):
        record = next(iter(sorted(folder.iterdir())))
        files = {"probe": ("Heidi.jpg", probe.read_bytes()), "record": ("b.jpg", record.read_bytes())}
        answer = examiner("POST", "/api/v1/compare", data={**SEARCH, "caption": [WORDS]}, files=files)
        assert answer.status_code == 200, answer.text
        told.append(answer.json())
    assert probe.stem == "person0000"
    assert told[0]["score"] > told[1]["score"]
    assert told[0]["mode"] == "fused"
    gallery = hub.galleries["people"]
    alone = compare(gallery.model, gallery.finder, gallery.judge, probe.read_bytes(), record.read_bytes(), [WORDS])
    assert told[1] == json.loads(json.dumps(alone.as_dict()))
    entry = [entry for _, entry in read_entries(hub.settings.data / "audit")][-1]
    assert (entry["act"], entry["actor"]) == ("comparison", "examiner-1")
    assert entry["result_hmac"]
    wall = {"probe": ("a.jpg", b"none"), "record": ("b.jpg", probe.read_bytes())}
    assert examiner("POST", "/api/v1/compare", data=SEARCH, files=wall).status_code == 422
    assert examiner("POST", "/api/v1/compare", data=SEARCH, files={"probe": ("a", b"x")}).status_code == 422


def test_by_words_alone_among_some_rows(examiner: Person) -> None:
    answer = examiner("POST", "/api/v1/search", data={**SEARCH, "caption": WORDS, "where": "subject_id = 'person0002'"})
    assert [each["subject_id"] for each in answer.json()["candidates"]] == ["person0002"]


@pytest.mark.parametrize(
    ("data", "photo", "status", "code"),
    [
        ({}, None, 422, "bad_input"),
        ({"caption": WORDS, "where": "no filter ("}, None, 422, "bad_filter"),
        ({"caption": WORDS, "index": "other"}, None, 404, "no_such_index"),
        ({"caption": WORDS, "top_k": "0"}, None, 422, "bad_input"),
        ({"caption": WORDS, "mode": "guess"}, None, 422, "bad_input"),
        ({"caption": WORDS, "purpose": ""}, None, 422, "bad_input"),
        ({}, b"no picture", 422, "unsupported_format"),
        ({}, b"\xff\xd8\xff\xe0 cut off", 422, "undecodable"),
        ({}, b"", 422, "bad_input"),
    ],
)
def test_what_is_wrong_is_a_problem(
    examiner: Person, hub: Hub, data: dict[str, Any], photo: bytes | None, status: int, code: str
) -> None:
    files = None if photo is None else {"photo": ("probe.jpg", photo)}
    answer = examiner("POST", "/api/v1/search", data={**SEARCH, **data}, files=files)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:tgfr-search:problem:{code}"
    assert str(hub.settings.data) not in answer.text


def test_what_cannot_be_logged_is_not_answered(examiner: Person, hub: Hub) -> None:
    def full(step: str) -> None:
        raise OSError(28, "No space left on device")

    hub.journal.log.on_step = full
    answer = examiner("POST", "/api/v1/search", data={**SEARCH, "caption": WORDS})
    assert (answer.status_code, answer.json()["code"]) == (503, "not_logged")
    assert "candidates" not in answer.text
    assert "log.jsonl" in answer.json()["detail"]
    assert str(hub.settings.data) not in answer.text


def test_a_log_that_does_not_verify_makes_the_service_read_only(examiner: Person, hub: Hub) -> None:
    hub.damage = "entry 3 is another"
    answer = examiner("POST", "/api/v1/search", data={**SEARCH, "caption": WORDS})
    assert (answer.status_code, answer.json()["code"]) == (503, "log_damaged")
    assert examiner("GET", "/readyz").json() == {"ready": False, "problems": ["the log does not verify"]}
    assert examiner("GET", "/api/v1/galleries").status_code == 200


def test_who_searches_too_fast_waits(examiner: Person, hub: Hub) -> None:
    hub.searches = Buckets(2, 60)
    codes = [examiner("POST", "/api/v1/search", data={**SEARCH, "caption": WORDS}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def test_what_others_commit_is_searched(examiner: Person, hub: Hub, index: Path) -> None:
    """Another process deletes a subject; the next search does not find it."""
    before = examiner("POST", "/api/v1/search", data={**SEARCH, "caption": WORDS, "top_k": 20}).json()
    assert "person0001" in {each["subject_id"] for each in before["candidates"]}
    with Store.open(index).writer() as writer:
        writer.delete(subject_id="person0001")
        writer.commit()
    after = examiner("POST", "/api/v1/search", data={**SEARCH, "caption": WORDS, "top_k": 20}).json()
    assert len(after["candidates"]) == len(before["candidates"]) - 1
    assert "person0001" not in {each["subject_id"] for each in after["candidates"]}
    (told,) = examiner("GET", "/api/v1/galleries").json()
    assert told["generation"] == 2


def test_an_upload_that_is_too_large_is_refused_while_it_comes(examiner: Person, hub: Hub) -> None:
    limit = hub.settings.limits.upload_bytes
    said = examiner("POST", "/api/v1/search", content=b"x", headers={"Content-Length": str(2 * 2**30)})
    assert (said.status_code, said.json()["code"]) == (413, "too_many_bytes")

    sent = 0

    def endless() -> Any:
        nonlocal sent
        yield BEGIN
        while sent < 3 * limit:
            sent += 2**20
            yield b"x" * 2**20

    answer = examiner("POST", "/api/v1/search", content=endless(), headers=FORM)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_bytes")
