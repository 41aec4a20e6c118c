"""Enrolling, changing and deleting by the service: jobs that survive a kill, one row for one photo, hostile uploads."""

from __future__ import annotations

import io
import json
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from service_helpers import Browser, Person
from test_service_pages import check

from indexer import Store
from pipelines.enrol.rows.add import Outcome, Told, add_photos
from pipelines.search.gallery import Gallery
from pipelines.search.watch.keep import Limit, add_watch
from pipelines.search.watch.listed import list_watches
from tgfr_search.app.service.enrolling import Enroller
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.job import State
from tgfr_search.app.service.jobs import Jobs
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import check_log
from tgfr_search.types import Record

JOBS = "/api/v1/galleries/people/jobs"


@pytest.fixture
def enroller(client: TestClient) -> Person:
    return Person(client, "enroller-1")


@pytest.fixture
def faces(people: Path) -> list[bytes]:
    """Clean photos of two people, as probes show them: none is enrolled with these bytes."""
    return [(people / f"probes/person000{who}.png").read_bytes() for who in (0, 3)]


def photo(data: bytes, name: str = "Heidi Muster.png") -> tuple[str, tuple[str, bytes]]:
    return "photos", (name, data)


def wall() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda info: None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            change(info)
            archive.writestr(info, data)
    return buffer.getvalue()


def subjects(index: Path) -> list[str]:
    return sorted(subject for _, subject in Store.open(index).photos_by_image().values())


def test_one_row_for_one_photo_and_the_quarantine_is_mended(
    enroller: Person, hub: Hub, index: Path, faces: list[bytes]
) -> None:
    before = subjects(index)
    sent = {"data": {"subject": "new-1", "caption": ["a man", "with a beard"]}, "headers": {"Idempotency-Key": "k"}}
    files = [
        photo(faces[0]),
        photo(faces[0], "again.png"),
        photo(wall(), "wall.png"),
        photo(b"no picture", "x.jpg"),
    ]
    first = enroller("POST", JOBS, files=files, **sent)
    assert first.status_code == 202, first.text
    assert enroller("POST", JOBS, files=files, **sent).json() == first.json()
    job = f"/api/v1/jobs/{first.json()['id']}"
    assert first.headers["location"] == job
    assert Enroller(hub).run_waiting() == 1
    told = enroller("GET", job).json()
    assert (told["state"], told["done"], told["counts"]) == ("done", 4, {"enrolled": 1, "duplicate": 1, "refused": 2})
    assert subjects(index) == sorted([*before, "new-1"])
    (row,) = enroller("GET", "/api/v1/galleries/people/rows", params={"subject": "new-1"}).json()["rows"]
    assert row["captions"] == ["a man", "with a beard"]
    refused = enroller("GET", f"{job}/photos", params={"state": "refused"}).json()
    assert [(each["number"], each["reason"]) for each in refused] == [(3, "no_face"), (4, "unsupported_format")]
    assert {"no_face", "unsupported_format"} <= {each.reason for each in Store.open(index).quarantined()}
    kept = hub.jobs.folder / first.json()["id"]
    assert sorted(path.name for path in kept.iterdir()) == ["3", "4"], "what is enrolled is not kept twice"
    other = enroller("POST", JOBS, files=[photo(faces[0])], data={"subject": "new-1"}, headers={"Idempotency-Key": "l"})
    Enroller(hub).run_waiting()
    assert enroller("GET", f"/api/v1/jobs/{other.json()['id']}").json()["done"] == 1
    assert subjects(index).count("new-1") == 1
    assert enroller("DELETE", f"{job}/photos/4").status_code == 204
    assert "unsupported_format" not in {each.reason for each in Store.open(index).quarantined()}
    assert enroller("POST", f"{job}/photos/3/mend", json={}).status_code == 422
    assert enroller("POST", f"{job}/photos/1/mend", json={"eyes": [60, 80, 120, 80]}).status_code == 409
    assert enroller("POST", f"{job}/photos/3/mend", json={"eyes": [60, 80, 120, 80]}).status_code == 200
    Enroller(hub).run_waiting()
    assert enroller("GET", job).json()["counts"] == {"enrolled": 2, "duplicate": 1, "dismissed": 1}
    assert subjects(index).count("new-1") == 2
    assert not list(kept.iterdir())
    log = (hub.settings.data / "audit" / "log.jsonl").read_text()
    assert not [each for each in ("Heidi", "new-1", "with a beard") if each in log]
    phases = [e["details"].get("phase") for _, e in read_entries(hub.settings.data / "audit") if e["act"] == "enrol"]
    assert phases.count("received") == 2, "a request that comes again with its key is not carried out again"
    assert {"begun", "done", "mended", "dismissed"} <= set(phases)
    assert check_log(hub.settings.data / "audit").problems == []


def test_what_a_job_enrols_is_matched_with_the_probes_that_are_kept(
    enroller: Person, hub: Hub, index: Path, people: Path, faces: list[bytes]
) -> None:
    gallery = Gallery.open(index, model=hub.gallery()[1].model)
    watch, _ = add_watch(gallery, people / "probes/person0000.png", limit=Limit(-1000.0))
    enroller("POST", JOBS, files=[photo(faces[0])], data={"subject": "new-1"})
    assert Enroller(hub).run_waiting() == 1
    (told,) = list_watches(index)
    assert [hit["subject_id"] for hit in told["hits"]] == ["new-1"]
    hits = [entry for _, entry in read_entries(hub.settings.data / "audit") if entry["act"] == "watch hit"]
    assert [entry["details"]["watch"] for entry in hits] == [watch.name]


def test_a_zip_of_a_gallery_folder(enroller: Person, hub: Hub, index: Path, faces: list[bytes]) -> None:
    table = "image,caption\nnew-2/a.png,an old man\n"
    files = {"new-2/a.png": faces[0], "new-3/b.jpg": faces[1], "captions.csv": table.encode(), "new-3/note.txt": b"x"}
    job = enroller("POST", JOBS, files=[photo(zipped(files), "not named a zip")]).json()
    Enroller(hub).run_waiting()
    assert enroller("GET", f"/api/v1/jobs/{job['id']}").json()["counts"] == {"enrolled": 2}
    assert {"new-2", "new-3"} <= set(subjects(index))
    (row,) = enroller("GET", "/api/v1/galleries/people/rows", params={"subject": "new-2"}).json()["rows"]
    assert row["captions"] == ["an old man"]
    assert not list(hub.cases.incoming.iterdir())


def link(info: zipfile.ZipInfo) -> None:
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (zipped({"../evil.png": b"x"}), "bad_zip"),
        (zipped({"a/../../evil.png": b"x"}), "bad_zip"),
        (zipped({"/etc/evil.png": b"x"}), "bad_zip"),
        (zipped({"a\\..\\evil.png": b"x"}), "bad_zip"),
        (zipped({"C:/evil.png": b"x"}), "bad_zip"),
        (zipped({"a/evil.png": b"/etc/passwd"}, link), "bad_zip"),
        (zipped({"a/b.png": b"x" * 100})[:-30], "bad_zip"),
        (b"PK\x03\x04 and nothing else", "bad_zip"),
        (zipped({"note.txt": b"no photo"}), "bad_zip"),
        (b"", "empty_file"),
        (b"no picture", "no_subject"),
    ],
)
def test_hostile_uploads_leave_nothing(enroller: Person, hub: Hub, tmp_path: Path, data: bytes, code: str) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "service.sqlite" not in path.name)
    answer = enroller("POST", JOBS, files=[photo(data, "../../x.zip")])
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert str(tmp_path) not in answer.text
    assert sorted(path for path in tmp_path.rglob("*") if "service.sqlite" not in path.name) == before
    assert hub.jobs.all("people") == []


def test_a_zip_that_says_less_than_it_holds(enroller: Person) -> None:
    honest = zipped({"a/b.png": b"x" * 1000})
    lying = honest.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert enroller("POST", JOBS, files=[photo(lying)]).status_code in (413, 422)
    many = zipped({f"a/{at}.png": b"" for at in range(10_001)})
    assert enroller("POST", JOBS, files=[photo(many)]).json()["code"] == "too_many_files"
    assert enroller("POST", JOBS, files=[photo(b"x")] * 201, data={"subject": "a"}).json()["code"] == "too_many_files"


def test_cancelled_resumed_and_failed(enroller: Person, hub: Hub, index: Path, faces: list[bytes]) -> None:
    sent = enroller("POST", JOBS, files=[photo(faces[0])], data={"subject": "new-1"}).json()
    job = f"/api/v1/jobs/{sent['id']}"
    assert enroller("POST", f"{job}/resume").status_code == 409
    assert enroller("POST", f"{job}/cancel").json()["state"] == "cancelled"
    assert Enroller(hub).run_waiting() == 0
    assert enroller("POST", f"{job}/cancel").status_code == 409
    assert enroller("POST", f"{job}/resume").json()["state"] == "waiting"
    with Store.open(index).writer():
        Enroller(hub).run_waiting()
        told = enroller("GET", job).json()
        assert (told["state"], told["code"]) == ("waiting", "index_locked")
    hub.damage = "entry 3 is another"
    Enroller(hub).run_waiting()
    told = enroller("GET", job).json()
    assert (told["state"], told["code"]) == ("failed", "log_damaged")
    assert "new-1" not in subjects(index)
    hub.damage = ""
    enroller("POST", f"{job}/resume")
    Enroller(hub).run_waiting()
    assert enroller("GET", job).json()["state"] == "done"
    assert subjects(index).count("new-1") == 1


def test_cancelled_at_work_keeps_what_is_committed(hub: Hub, index: Path, faces: list[bytes]) -> None:
    """Stopping is asked before each photo; what came before stays, and a second call goes on."""
    gallery = hub.galleries["people"]
    records = [Record(f"u/{at}", f"new-{at}", data=data) for at, data in enumerate(faces)]
    told, asked = list[Told](), iter((False, True))
    given: dict[str, Any] = {"finder": gallery.finder, "told": told.extend}
    add_photos(index, records, gallery.model, stop=lambda: next(asked), **given)
    assert [(each.name, each.outcome) for each in told] == [("u/0", Outcome.ENROLLED)]
    add_photos(index, records, gallery.model, **given)
    assert [each.outcome for each in told] == [Outcome.ENROLLED, Outcome.UNCHANGED, Outcome.ENROLLED]
    quarantine = len(Store.open(index).quarantined())
    add_photos(index, [Record("u/w", "new-9", data=wall())], gallery.model, **given)
    assert told[-1].reason == "no_face"
    assert len(Store.open(index).quarantined()) == quarantine + 1, "the quarantine of others stays"


KILLED = """
import os, sys
from pathlib import Path
from indexer.writer import Writer
from tgfr_search.app.service.enrolling import Enroller
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.jobs import Jobs
from tgfr_search.app.service.settings import Settings
data, index = sys.argv[1:]
before = lambda *a: os._exit(9)
after = lambda self, job, told: told and os._exit(9)
for where, what, dies in ((Writer, "commit", before), (Jobs, "note", after)):
    if not os.fork():  # what takes long is imported once
        setattr(where, what, dies)
        Enroller(Hub.open(Settings(Path(data), insecure_loopback=True), [Path(index)])).run_waiting()
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def test_kills_lose_nothing_and_double_nothing(enroller: Person, hub: Hub, index: Path, faces: list[bytes]) -> None:
    files = [photo(faces[0]), photo(faces[1], "b.png")]
    job = enroller("POST", JOBS, files=files, data={"subject": "new-1"}).json()["id"]
    stray = hub.jobs.folder / "0123456789abcdef"
    stray.mkdir()
    command = [sys.executable, "-c", KILLED, str(hub.settings.data), str(index)]
    died = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    assert died.stdout.split() == ["9", "9"]
    jobs = Jobs(hub.database, hub.settings.data)
    assert jobs.get(job).state is State.WAITING
    assert not stray.exists(), "what a kill left while it was received is removed"
    assert subjects(index).count("new-1") == 2
    assert {row["state"] for row in jobs.photos(job)} == {"waiting"}
    Enroller(hub).run_waiting()
    assert hub.jobs.get(job).state is State.DONE
    assert hub.jobs.get(job).done == 2
    assert subjects(index).count("new-1") == 2


def test_rows_are_changed_and_subjects_deleted(enroller: Person, hub: Hub, index: Path, people: Path) -> None:
    rows = "/api/v1/galleries/people/rows"
    row = enroller("GET", rows).json()["rows"][0]
    given = {"subject_id": "person0009", "metadata": {"site": "A", "age": 41}}
    changed = enroller("PATCH", f"{rows}/{row['row_id']}", json=given).json()
    assert (changed["subject_id"], changed["metadata"]["site"], changed["metadata"]["age"]) == ("person0009", "A", 41)
    for wrong, status in (({}, 422), ({"metadata": {"row_id": 3}}, 422), ({"unset": ["none"]}, 422)):
        assert enroller("PATCH", f"{rows}/{row['row_id']}", json=wrong).status_code == status, wrong
    assert enroller("PATCH", f"{rows}/99999", json=given).status_code == 404
    assert enroller("DELETE", rows).status_code == 422
    assert enroller("DELETE", rows, params={"subject": "nobody"}).status_code == 404
    assert enroller("DELETE", rows, params={"subject": "person0009"}).json()["deleted"] == 1
    assert "person0009" not in subjects(index)
    path = people / "gallery" / row["image"]
    files, left = [photo(path.read_bytes())], {"subject": "person0009"}
    for again, state in (("false", "removed"), ("true", "enrolled")):
        job = enroller("POST", JOBS, files=files, data={**left, "again": again}).json()["id"]
        Enroller(hub).run_waiting()
        assert hub.jobs.get(job).counts == {state: 1}
    acts = [entry["act"] for _, entry in read_entries(hub.settings.data / "audit")]
    assert {"update", "delete", "enrol"} <= set(acts)


def test_by_pages_without_a_script(client: TestClient, hub: Hub, index: Path, faces: list[bytes]) -> None:
    browser = Browser(client, "enroller-1")
    page = browser.get("/gallery/people").text
    check(page)
    files = [photo(faces[0], "<b>x</b>.png"), photo(wall(), "wall.png")]
    job = browser.post("/gallery/people/jobs", files=files, subject="new-1", captions="a man\n\nold").headers[
        "location"
    ]
    waiting = browser.get(job).text
    check(waiting)
    assert "waiting" in waiting
    assert "<b>x</b>" not in waiting
    assert browser.post(job, act="cancelled").status_code == 303
    check(browser.get(job).text)
    assert browser.post(job, act="resumed").status_code == 303
    Enroller(hub).run_waiting()
    done = browser.get(job).text
    check(done)
    assert re.search(r"no_face", done)
    mend = browser.get(f"{job}/photos/2").text
    check(mend)
    assert browser.get(f"{job}/photos/2/picture").headers["content-type"] == "image/jpeg"
    assert browser.get(f"{job}/photos/1/picture").status_code == 404
    assert browser.post(f"{job}/photos/2", act="mend").status_code == 422
    assert browser.post(f"{job}/photos/2", act="mend", eyes="60,80,120,80").status_code == 303
    Enroller(hub).run_waiting()
    assert subjects(index).count("new-1") == 2
    check(browser.get("/gallery/people?subject=new-1").text)
    assert browser.post("/gallery/people/delete", subject="new-1").status_code == 422, "only where it is meant"
    assert browser.post("/gallery/people/delete", subject="new-1", sure="yes").status_code == 303
    assert "new-1" not in subjects(index)
    row = Gallery.open(index, model=hub.galleries["people"].model).store.row_ids()[0]
    assert browser.post(f"/gallery/people/rows/{row}", subject="person0042").status_code == 303
    assert "person0042" in subjects(index)
    assert json.dumps(browser.get(f"{job}/photos/9").status_code) == "404"
