"""A photo that `index` refused is mended by the page: it is sent again, and its face is shown or its eyes are set."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from fastapi.testclient import TestClient
from service_helpers import Browser
from test_service_enrolment import photo, subjects, wall
from test_service_pages import check

from indexer import Store
from pipelines.enrol.index import index_gallery
from tgfr_search.app.service.enrolling import Enroller
from tgfr_search.app.service.hub import Hub


def test_what_index_refused_is_sent_again_and_mended(
    client: TestClient, hub: Hub, index: Path, people: Path, tmp_path: Path
) -> None:
    """The index has no picture of it: whoever sends it says that it is that photo, and `index` looks at it again."""
    folder, name = Path(shutil.copytree(people / "gallery", tmp_path / "gallery")), "new-7/<b>wall.png"
    (folder / "new-7").mkdir()
    (folder / name).write_bytes(wall())
    model = hub.galleries["people"].model
    index_gallery(folder, index, model, workers=0)

    def quarantined() -> list[str]:
        return [each.image for each in Store.open(index).quarantined()]

    assert name in quarantined()
    browser = Browser(client, "enroller-1")
    text = browser.get("/gallery/people").text
    check(text)
    (where,) = re.findall(r'href="(/gallery/people/quarantine\?image=new-7[^"]+)"', text)
    asked = browser.get(where).text
    check(asked)
    assert '<input name="subject" value="new-7"' in asked
    given = {"subject": "new-7", "quarantined": name}
    assert browser.post("/gallery/people/jobs", files=[photo(wall())] * 2, **given).status_code == 422
    nobody = browser.post("/gallery/people/jobs", files=[photo(wall())], subject="x", quarantined="none.png")
    assert nobody.status_code == 404
    job = browser.post("/gallery/people/jobs", files=[photo(wall())], **given).headers["location"]
    Enroller(hub).run_waiting()
    assert browser.get(where).headers["location"] == f"{job}/photos/1", "it is here now: it is mended where it is"
    assert browser.post(f"{job}/photos/1", act="dismiss").status_code == 303
    assert name in quarantined(), "the gallery has it still"
    job = browser.post("/gallery/people/jobs", files=[photo(wall())], **given, captions="a man").headers["location"]
    Enroller(hub).run_waiting()
    assert browser.post(f"{job}/photos/1", act="mend", eyes="60,80,120,80").status_code == 303
    Enroller(hub).run_waiting()
    assert name not in quarantined()
    assert subjects(index).count("new-7") == 1
    assert index_gallery(folder, index, model, workers=0).outdated == 1
    assert subjects(index).count("new-7") == 1, "the photo in the gallery is the one that was mended"
    (folder / name).write_bytes(wall() + b"another")
    index_gallery(folder, index, model, workers=0)
    assert name in quarantined()
    assert "new-7" not in subjects(index), "it is another one"
