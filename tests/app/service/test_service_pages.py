"""Pages: whole without JavaScript, in two languages and themes, nothing inline, nothing from elsewhere."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from service_helpers import PASSWORD, SEARCH, Browser

import pipelines.casework.report
import tgfr_search.app.service
import tgfr_search.pages
from pipelines.casework.case.case import Case
from tgfr_search.app.service.app import all_routes
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.roles import Role
from tgfr_search.audit.entries import Act
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import Key, read_checkpoint
from tgfr_search.forensic.statement import log10_text
from tgfr_search.pages import catalogue, sentences
from tgfr_search.pages.catalogue import Words, preferred, texts
from tgfr_search.pages.sentences import GROUP, PARTS

PAGES = Path(str(tgfr_search.pages.__file__)).parent
TEMPLATES = [*PAGES.glob("templates/service/*"), *PAGES.glob("templates/case_report.*")]
SPEAKERS = [Path(str(package.__file__)).parent for package in (tgfr_search.app.service, pipelines.casework.report)]
SOURCES = [*TEMPLATES, *(path for each in SPEAKERS for path in each.rglob("*.py"))]
SOURCES += [Path(catalogue.__file__), Path(sentences.__file__)]


class Checker(HTMLParser):
    """Collects what a strict policy forbids, and what a person with a screen reader would miss."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.wrong += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        self.wrong += [
            f"{tag} {given[n]}"
            for n in ("src", "href", "action")
            if n in given and not str(given[n]).startswith(("/", "#"))
        ]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.wrong.append(f"inline {tag}")
        if tag == "img" and "alt" not in given:
            self.wrong.append("img without alt")
        if "id" in given:
            self.ids.append(str(given["id"]))


def check(text: str) -> None:
    checker = Checker()
    checker.feed(text)
    assert checker.wrong == []
    assert len(checker.ids) == len(set(checker.ids))
    assert re.search(r"<html lang=\"(en|de)\"", text)
    assert text.count("<h1>") == 1


@pytest.fixture
def admin(client: TestClient) -> Browser:
    return Browser(client, "admin-1")


def test_signing_in_and_out(client: TestClient, hub: Hub) -> None:
    browser = Browser(client)
    assert browser.get("/").headers["location"] == "/login"
    page = browser.get("/login")
    check(page.text)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert page.headers["cache-control"] == "no-store"
    wrong = browser.post("/login", name="admin-1", password="wrong wrong wrong")
    assert wrong.status_code == 401
    assert 'role="alert"' in wrong.text
    assert browser.post("/login", name="admin-1", password=PASSWORD).headers["location"] == "/accounts"
    check(browser.get("/accounts").text)
    assert browser.post("/logout").headers["location"] == "/login"
    assert browser.get("/accounts").headers["location"] == "/login"


def test_each_role_begins_somewhere_it_may(client: TestClient) -> None:
    may = {(route.method, route.path): route.roles for route in all_routes()}
    for role in Role:
        browser = Browser(client, f"{role}-1")
        where = browser.get("/").headers["location"]
        assert role in may["GET", where]
        page = browser.get(where)
        check((browser.get(page.headers["location"]) if page.status_code == 303 else page).text)


def test_accounts_by_forms(admin: Browser, hub: Hub) -> None:
    assert admin.post("/accounts", name="new-1", role="auditor", password=PASSWORD).status_code == 303
    assert admin.post("/accounts/new-1", role="reviewer").status_code == 303
    assert admin.post("/accounts/new-1", disabled="yes").status_code == 303
    account = hub.accounts.get("new-1")
    assert account is not None
    assert (account.role, account.disabled) == ("reviewer", True)
    refused = admin.post("/accounts", name="<script>alert(1)</script>", role="auditor", password=PASSWORD)
    assert refused.status_code == 422
    assert "<script>alert" not in refused.text
    check(refused.text)
    assert admin.client.post("/accounts/new-1", data={"disabled": "no"}).status_code == 403, "without the form's token"


def test_the_log_is_read_in_pages_and_its_head_is_taken(client: TestClient, hub: Hub) -> None:
    for number in range(60):
        hub.tell(Act.NOTE, number=number)
    auditor = Browser(client, "auditor-1")
    first = auditor.get("/log")
    check(first.text)
    assert "number 59" in first.text
    cursor = re.search(r"/log\?cursor=([\w-]+)", first.text)
    assert cursor is not None
    older = auditor.get(f"/log?cursor={cursor[1]}")
    assert "number 2<" in older.text
    assert "number 59" not in older.text
    assert auditor.get("/log?cursor=guess").status_code == 422
    taken = auditor.post("/log/checkpoint").text
    note = re.search(r"<pre[^>]*>(.*?)</pre>", taken, re.S)
    assert note is not None
    log = hub.settings.data / "audit"
    key = Key.read((log / "log.vkey").read_text())
    size, _ = read_checkpoint(note[1].replace("&#43;", "+"), key)
    assert size == len(list(read_entries(log)))
    whole = auditor.client.get("/api/v1/log").json()
    assert whole["entries"][0]["act"] == "anchor"
    assert len(auditor.client.get("/api/v1/log", params={"cursor": whole["next"]}).json()["entries"]) > 10


def test_languages_and_themes(client: TestClient) -> None:
    browser = Browser(client)
    assert 'lang="en"' in browser.get("/login").text
    german = browser.client.get("/login", headers={"Accept-Language": "fr, de-CH;q=0.9", "Accept": "text/html"})
    assert "Anmelden" in german.text
    browser.client.post("/preferences", data={"language": "de"}, headers={"Referer": "http://127.0.0.1:8443/login"})
    browser.client.post("/preferences", data={"theme": "dark"})
    page = browser.get("/login").text
    assert '<html lang="de" data-theme="dark">' in page
    for elsewhere in ("https://evil.example/x", "http://127.0.0.1:8443//evil.example"):
        sent = browser.client.post(
            "/preferences", data={"theme": "x"}, headers={"Referer": elsewhere}, follow_redirects=False
        )
        assert sent.headers["location"] == "/"
    assert preferred("") == "en"
    assert Words("xx").language == "en"


def test_files_of_the_pages_and_no_others(client: TestClient) -> None:
    for name in ("style.css", "icon.svg", "viewer.js", "keys.js"):
        assert client.get(f"/static/{name}").status_code == 200
    for name in ("../words.toml", "..%2fwords.toml", "words.toml", "%2e%2e/environment.py", "service.css"):
        assert client.get(f"/static/{name}").status_code == 404


def test_the_catalogue_is_whole() -> None:
    """Each text is there in both languages, with the same values; none is asked for that is not there, none unused."""
    for name, both in texts().items():
        assert len(both) == 2, name
        assert all(text.strip() for text in both), name
        fields = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in both]
        # a note's English text is found again in answers; the German one may leave out what only the program says
        assert fields[0] == fields[1] or (name.startswith(f"{GROUP}.") and fields[1] < fields[0]), name
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    asked = set(re.findall(r"\"([a-z_]+\.[a-z_]+)\"", source)) & texts().keys()
    written = set(re.findall(r"\bt\(\"([a-z_.]+)\"[,)]", source))
    assert written <= texts().keys(), written - texts().keys()
    built = set(re.findall(r"t\(\"([a-z_]+\.(?:[a-z]+_)?)\" \+", source)) | {
        f"{g}." for g in re.findall(r"(?:t|self|words)\.of\(\"([a-z_]+)\"", source)
    }
    built |= {f"{group}." for group in (GROUP, *PARTS.values())}
    unused = {name for name in texts() if name not in asked and not name.startswith(tuple(built))}
    assert unused == set()


def test_which_face_is_meant_is_chosen_on_the_page(client: TestClient, hub: Hub, people: Path) -> None:
    """Every face outlined and numbered, one chosen by a form; the review shows that one; all without JavaScript."""
    faces = [Image.open(people / f"probes/person000{who}.png").convert("RGB") for who in (0, 3)]
    photo = Image.new("RGB", (faces[0].width * 2, faces[0].height), "white")
    photo.paste(faces[0], (0, 0))
    photo.paste(faces[1].resize((faces[1].width * 3 // 4, faces[1].height * 3 // 4)), (faces[0].width, 20))
    data = io.BytesIO()
    photo.save(data, "PNG")
    browser = Browser(client, "examiner-1")
    where = browser.post("/cases", **SEARCH).headers["location"]
    sent = browser.post(f"{where}/evidence", files={"file": ("two.png", data.getvalue())}, kind="still")
    page = browser.get(sent.headers["location"]).text
    check(page)
    assert page.count('class="box') - page.count('class="box-number') == 2
    assert re.findall(r'class="box-number">(\d)<', page) == ["1", "2"]
    assert re.findall(r'name="face-E0001.png" value="(\d)"( checked)?', page) == [("1", " checked"), ("2", "")]
    face = "face-E0001.png"
    assert browser.post(f"{where}/searches", evidence="E0001.png", **{face: "second"}).status_code == 422
    assert browser.post(f"{where}/searches", evidence="E0001.png", **{face: "7"}).status_code == 422
    search = browser.post(f"{where}/searches", evidence="E0001.png", top_k="2", **{face: "2"}).headers["location"]
    case = Case.open(hub.cases.folder / where.split("/")[-1])
    kept = case.read_search("S0001")
    assert kept["asked"]["face"] == {"number": 2}
    assert kept["result"]["candidates"][0]["subject_id"] == "person0003"
    shown = browser.get(f"{search}/probe").content
    one = browser.post(f"{where}/searches", evidence="E0001.png", top_k="2").headers["location"]
    assert browser.get(f"{one}/probe").content != shown
    browser.post(search, act="begin")
    browser.post(search, act="analyse", text="sharp")
    for label in ("C01", "C02"):
        masked = browser.get(search).text
        assert "LR" not in masked
        browser.post(search, act="decide", label=label, decision="inconclusive")
    assert "log10 LR" not in browser.get(search).text
    browser.post(search, act="unmask")
    told = browser.get(search).text
    check(told)
    best = kept["result"]["candidates"][0]["lr"]
    assert f"log10 LR {log10_text(best['log10'], best['low'], best['high'])}" in told
    assert "H2" in told
    assert "searched with face 2" in told
    assert "--" not in told.replace("<!--", ""), "what a shell takes is no help on a page"
