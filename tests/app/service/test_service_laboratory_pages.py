"""What the laboratory looks at beside cases: labels that the pictures contradict, and its own reports."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from service_helpers import Browser
from test_service_pages import check

from indexer import Store
from pipelines.enrol.rows.edit import update_row
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.pages import gallery as gallery_pages
from tgfr_search.app.service.pages.reports import FOLDER, POLICY


def test_two_names_of_one_person_are_shown_until_they_have_one(
    client: TestClient, hub: Hub, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(index)
    row, other = (int(each) for each in store.row_ids("person0002")[:2])
    update_row(store, row, subject="<i>renamed")
    browser = Browser(client, "enroller-1")
    assert 'href="/gallery/people/labels"' in browser.get("/gallery/people").text
    text = browser.get("/gallery/people/labels").text
    check(text)
    alike = text[: text.index("<h2>", text.index("<h2>") + 1)]
    assert "&lt;i&gt;renamed" in alike
    assert "person0002" in alike
    assert f'src="/gallery/people/rows/{row}/face"' in alike
    assert hub.labels["people"][0] == Store.open(index).generation
    update_row(store, row, subject="person0002")
    assert "renamed" not in browser.get("/gallery/people/labels").text, "it is looked at anew when the gallery changes"
    assert other
    monkeypatch.setattr(gallery_pages, "MOST_CHECKED", 3)
    assert "gallery check INDEX" in browser.get("/gallery/people/labels").text


def test_reports_are_linked_and_can_do_nothing(client: TestClient, hub: Hub, tmp_path: Path) -> None:
    auditor = Browser(client, "auditor-1")
    assert auditor.get("/").headers["location"] == "/log"
    check(auditor.get("/reports").text)
    folder = hub.settings.data / FOLDER
    folder.mkdir()
    (folder / "validation.html").write_text("<html><script>alert(1)</script><style>p{color:red}</style></html>")
    (tmp_path / "secret.html").write_text("secret")
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    shutil.copy(folder / "validation.html", folder / "a b.html")
    text = auditor.get("/reports").text
    check(text)
    assert re.findall(r'href="/reports/([^"]+)"', text) == ["validation.html"]
    answer = auditor.get("/reports/validation.html")
    assert answer.headers["content-security-policy"] == POLICY
    assert "script" not in POLICY
    assert answer.text.startswith("<html>")
    for name in ("none.html", "link.html", "..%2f..%2fsecret.html", "a%20b.html", "%2e%2e/secret.html"):
        assert auditor.get(f"/reports/{name}").status_code == 404, name
    assert Browser(client, "admin-1").get("/reports").status_code == 403
