"""A new search on the page and by the API: several photos of one unknown, witnesses, what their words were read as."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from service_helpers import SEARCH, Browser, Person
from test_service_pages import check

from pipelines.casework.case.case import Case
from pipelines.search.answers.ask import QUESTIONS
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.spoken import PERHAPS, understood
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.pages.catalogue import texts


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(people: Path) -> list[tuple[str, tuple[str, bytes]]]:
    """Two people in one photo, person0003 as the second; a wall; person0003 alone; as a browser sends them."""
    first, second = (Image.open(people / f"probes/person000{who}.png").convert("RGB") for who in (0, 3))
    both = Image.new("RGB", (first.width * 2, first.height), "white")
    both.paste(first, (0, 0))
    both.paste(second.resize((second.width * 3 // 4, second.height * 3 // 4)), (first.width, 20))
    alone = next((people / "gallery/person0003").glob("*.png")).read_bytes()
    wall = Image.new("RGB", (200, 200), "white")
    return [("file", (f"{at}.png", data)) for at, data in enumerate((png(both), png(wall), alone))]


def test_several_photos_without_a_script(
    client: TestClient, hub: Hub, photos: list[tuple[str, tuple[str, bytes]]]
) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", **SEARCH).headers["location"]
    sent = browser.post(f"{case}/evidence", files=photos, kind="still")
    names = ["E0001.png", "E0002.png", "E0003.png"]
    assert sent.headers["location"] == f"{case}/search?" + "&".join(f"evidence={name}" for name in names)
    page = browser.get(sent.headers["location"]).text
    check(page)
    assert page.count('name="reliability"') == 3, "of so many witnesses, beside however many photos"
    assert re.findall(r'name="evidence" value="([^"]+)"', page) == names
    boxes = page.count('class="box') - page.count('class="box-number')
    assert boxes == 3, "two faces in the first photo, one in the last"
    assert re.findall(r'name="face-E0001.png" value="(\w+)"( checked)?', page) == [
        ("1", " checked"), ("2", ""), ("none", ""),
    ]  # fmt: skip
    assert re.findall(r'name="face-E0002.png" value="(\w+)"( checked)?', page) == [("none", " checked")]
    assert "no_face" in page
    assert 'name="evidence" value="E0002.png"' in browser.get(case).text, "or they are chosen among the evidence"
    faces = {"face-E0001.png": "2", "face-E0002.png": "", "face-E0003.png": "1"}
    said = {"lines": ["a man", "a young man"], "reliability": ["0.5", ""]}
    search = browser.post(f"{case}/searches", evidence=names, top_k="2", **faces, **said).headers["location"]
    kept = Case.open(hub.cases.folder / case.split("/")[-1]).read_search("S0001")
    assert kept["asked"]["pictures"][0] == {"evidence": "E0001.png", "face": {"number": 2}}
    assert [each["reliability"] for each in kept["asked"]["witnesses"]] == [0.5, 1.0]
    assert kept["result"]["candidates"][0]["subject_id"] == "person0003"
    assert browser.post(f"{case}/searches", evidence=names[0], **{"face-E0001.png": "none"}).status_code == 422
    browser.post(search, act="begin")
    text = browser.get(search).text
    check(text)
    assert re.search(r"E0002.png \(left out: <code>no_face</code>\)", text)
    shown = [browser.get(f"{search}/probe?picture={at}").content for at in (1, 2, 3)]
    assert len(set(shown)) == 3
    best = [each["best"] for each in _pictures(client, search)].index(True) + 1
    assert f"/probe?picture={best}" in text
    assert "/probe?picture=3" in browser.get(f"{search}?picture=3").text
    assert browser.get(f"{search}/probe?picture=4").status_code == 404
    assert ", ".join(names) in browser.get(case).text


def _pictures(client: TestClient, search: str) -> list[dict[str, bool]]:
    found: list[dict[str, bool]] = Person(client, "examiner-1")("GET", f"/api/v1{search}").json()["pictures"]
    return found


def test_who_might_be_in_the_picture_is_declared(client: TestClient, hub: Hub, probe: Path) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", **SEARCH).headers["location"]
    browser.post(f"{case}/evidence", files=[("file", ("a.png", probe.read_bytes()))], kind="still")
    assert 'name="population"' in browser.get(f"{case}/search?evidence=E0001.png").text
    browser.post(f"{case}/searches", evidence="E0001.png", top_k="2", population=" people who do not exist ")
    body = {"evidence": "E0001.png", "top_k": 2, "population": "people who do not exist"}
    assert Person(client, "examiner-1")("POST", f"/api/v1{case}/searches", json=body).status_code == 201
    for name in ("S0001", "S0002"):
        kept = Case.open(hub.cases.folder / case.split("/")[-1]).read_search(name)
        assert kept["asked"]["population"] == "people who do not exist"
        assert {each["lr"]["refused"] for each in kept["result"]["candidates"]} == {"population_mismatch"}


def test_an_empty_file_among_several_leaves_nothing(
    client: TestClient, hub: Hub, photos: list[tuple[str, tuple[str, bytes]]]
) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", **SEARCH).headers["location"]
    sent = browser.post(f"{case}/evidence", files=[photos[0], ("file", ("b.png", b""))], kind="still")
    assert sent.status_code == 422
    assert "file 2 of 2 is empty" in sent.text
    assert "E0001" not in browser.get(case).text


def test_witnesses_and_what_their_words_were_read_as(client: TestClient, hub: Hub, probe: Path) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", **SEARCH).headers["location"]
    browser.post(f"{case}/evidence", files=[("file", ("a.png", probe.read_bytes()))], kind="still")
    said = {"lines": ["an old man, perhaps with glasses\nwith a tattoo", "he had no beard", ""], "origin": "witness"}
    for wrong in ("much", "2", "nan"):
        assert (
            browser.post(f"{case}/searches", evidence="E0001.png", reliability=[wrong, "", ""], **said).status_code
            == 422
        )
    sent = browser.post(f"{case}/searches", evidence="E0001.png", reliability=["0,5", ".9", ""], top_k="3", **said)
    search = sent.headers["location"]
    asked = Case.open(hub.cases.folder / case.split("/")[-1]).read_search("S0001")["asked"]
    assert [(each["lines"], each["reliability"]) for each in asked["witnesses"]] == [
        (["an old man, perhaps with glasses", "with a tattoo"], 0.5), (["he had no beard"], 0.9),
    ]  # fmt: skip
    browser.post(search, act="begin")
    text = browser.get(search).text
    check(text)
    for expected in ("not: young", "perhaps: glasses", "no beard", "Not understood: tattoo", "believed 0.5"):
        assert expected in text, expected
    browser.post(search, act="analyse", text="sharp")
    for label in ("C01", "C02", "C03"):
        masked = browser.get(search).text
        assert "bits expected" not in masked
        assert "enrolled face shows" not in masked
        browser.post(search, act="decide", label=label, decision="inconclusive")
    browser.post(search, act="unmask")
    told = browser.get(search).text
    check(told)
    assert "bits expected" in told
    assert "enrolled face shows" in told
    assert re.search(r"no beard: <b>(agrees|contradicts|cannot be seen)</b>", told)
    browser.client.post("/preferences", data={"language": "de"})
    german = browser.get(search).text
    assert "zu erwarten" in german
    assert "kein Bart: <b>" in german


def test_by_the_api(client: TestClient, hub: Hub, photos: list[tuple[str, tuple[str, bytes]]]) -> None:
    person = Person(client, "examiner-1")
    case = person("POST", "/api/v1/cases", json=SEARCH).headers["location"]
    names = [person("POST", f"{case}/evidence", files=[each]).json()["name"] for each in photos]
    asked = {"evidence": names[0], "face": 2, "more": [{"evidence": names[2]}], "top_k": 2}
    name = person("POST", f"{case}/searches", json=asked).json()["name"]
    kept = Case.open(hub.cases.folder / case.split("/")[-1]).read_search(name)
    assert [each["evidence"] for each in kept["asked"]["pictures"]] == [names[0], names[2]]
    assert kept["result"]["candidates"][0]["subject_id"] == "person0003"
    witnesses = [{"lines": ["a man with a beard"], "reliability": 0.5}]
    for pictures in ({}, asked):
        assert person("POST", f"{case}/searches", json={**pictures, "witnesses": witnesses}).status_code == 201
    for wrong in (
        {"more": [{"evidence": names[0]}]},
        {"face": 1, "lines": ["a man"]},
        {"witnesses": [{"lines": [], "reliability": 0.5}]},
        {"witnesses": witnesses, "lines": ["a man"]},
        {"witnesses": [{"lines": ["a man"], "reliability": 2}]},
        {**asked, "more": [{"evidence": names[0]}]},
    ):
        answer = person("POST", f"{case}/searches", json=wrong)
        assert answer.status_code == 422, (wrong, answer.text)


def test_the_catalogue_names_each_attribute_and_question() -> None:
    known = texts()
    for name in (*ATTRIBUTES, "long_hair"):
        assert f"attribute.{name}" in known
    assert {
        name.removeprefix("question."): both[0] for name, both in known.items() if name.startswith("question.")
    } == QUESTIONS


def test_what_is_said_twice_is_told_once() -> None:
    said = {"attribute": "male", "holds": True, "sure": 0.5}
    assert understood({"statements": [said, said, {**said, "sure": 0.0}]})["says"] == [(PERHAPS, "male")]
    assert understood(None) == {}


def test_what_was_searched_is_told_as_a_sentence(client: TestClient, hub: Hub) -> None:
    browser, store = Browser(client, "examiner-1"), hub.galleries["people"].store
    case = browser.post("/cases", **SEARCH).headers["location"]
    given = {"lines": "a man", "where": "subject_id = 'person0002'", "top_k": "2"}
    search = browser.post(f"{case}/searches", **given).headers["location"]
    browser.post(search, act="begin")
    text = browser.get(search).text
    check(text)
    count = store.searched(given["where"])
    assert 0 < count < len(store)
    assert f"Searched: {count} of {len(store)} records. Those of which this is true:" in text
    assert "<code>subject_id = &#39;person0002&#39;</code>" in text
