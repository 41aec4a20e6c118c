"""What goes wrong around a service: a full disk, a log that was changed, an expired certificate, a missing file.

The rest of the kind stands elsewhere: a port in use (`test_service_serve.py`), a session over a restart and a database
of a newer version (`test_service_sign_in.py`), 2 GB (`test_service_search.py`), 10,000 files and a ZIP with `../`
(`test_service_enrolment.py`), kills at work (there, and `benchmarks/speed/served_load.py`).
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi.testclient import TestClient
from service_helpers import SEARCH, Browser, Person
from test_service_pages import check
from test_service_serve import free_port
from typer.testing import CliRunner

from indexer.errors import NotAnIndexError
from tgfr_search.app.cli.main import app
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.run import listen
from tgfr_search.app.service.settings import Settings
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.model.loaded import FaceTextModel


def test_a_full_disk_is_told_and_nothing_is_half_there(
    client: TestClient, hub: Hub, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, enroller = Browser(client, "examiner-1"), Person(client, "enroller-1")
    case = browser.post("/cases", **SEARCH).headers["location"]
    photo = probe.read_bytes()

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    sent = browser.post(f"{case}/evidence", files=[("file", ("a.png", photo))], kind="still")
    assert sent.status_code == 507
    check(sent.text)
    assert "no room on a disk" in sent.text
    assert str(hub.settings.data) not in sent.text
    files = {"photos": ("a.png", photo)}
    answer = enroller("POST", "/api/v1/galleries/people/jobs", files=files, data={"subject": "new"})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    monkeypatch.undo()
    assert hub.jobs.all("people") == []
    assert "E0001" not in browser.get(case).text
    assert browser.post(f"{case}/evidence", files=[("file", ("a.png", photo))], kind="still").status_code == 303


def test_tables_that_cannot_grow(client: TestClient, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Person(client, "admin-1")
    connect = hub.database._connect

    def full() -> sqlite3.Connection:
        made = connect()
        made.execute(f"PRAGMA max_page_count = {made.execute('PRAGMA page_count').fetchone()[0]}")
        return made

    monkeypatch.setattr(hub.database, "_connect", full)
    codes = set[tuple[int, str]]()
    for at in range(200):
        name = f"{at:03}-" + "x" * 60
        answer = admin("POST", "/api/v1/accounts", json={"name": name, "role": "auditor", "password": "x" * 20})
        codes.add((answer.status_code, answer.json().get("code", "")))
        if answer.status_code != 201:
            break
    assert (507, "disk_full") in codes, codes
    monkeypatch.undo()
    assert name not in {each.name for each in hub.accounts.all()}
    assert admin("GET", "/api/v1/accounts").status_code == 200


def test_an_error_of_another_kind_stays_one(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", **SEARCH).headers["location"]

    def broken(path: Path, data: bytes) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "write_bytes", broken)
    sent = browser.post(f"{case}/evidence", files=[("file", ("a.png", b"x"))], kind="still")
    assert sent.status_code == 500
    assert "Input/output" not in sent.text


def test_a_log_that_somebody_changed_makes_the_next_start_read_only(
    client: TestClient, hub: Hub, index: Path, model: FaceTextModel
) -> None:
    Person(client, "examiner-1")
    path = hub.settings.data / "audit" / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b"signed in", b"signed on", 1))
    again = Hub.open(hub.settings, [index], model=model)
    assert again.damage
    answer = Person(client, "examiner-1")("GET", "/readyz")
    assert answer.status_code == 200, "the one that runs does not read it again"
    hub.damage = again.damage
    refused = Browser(client).post("/login", name="examiner-1", password="wrong")
    assert refused.status_code == 503
    assert "does not verify" in refused.text


def certificate(folder: Path, begins: int, ends: int) -> tuple[Path, Path]:
    """Files of a certificate that is valid from and to so many days from now, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now + dt.timedelta(begins), now + dt.timedelta(ends)
    )
    pem = serialization.Encoding.PEM
    plain: Any = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize(("begins", "ends", "good"), [(-30, -1, False), (1, 30, False), (-1, 30, True)])
def test_a_certificate_whose_time_is_over_is_told_at_start(tmp_path: Path, begins: int, ends: int, good: bool) -> None:
    cert, key = certificate(tmp_path, begins, ends)
    settings = Settings(tmp_path / "data", port=0, tls_cert=cert, tls_key=key)
    if good:
        listen(settings).close()
    else:
        with pytest.raises(InputError, match=r"cert\.pem.*a certificate from .*valid now.*renew"):
            listen(settings)


def test_an_index_or_a_model_that_is_not_there_is_told_at_start(tmp_path: Path, enrolled: Path) -> None:
    command = ["serve", "--data", str(tmp_path / "data"), "--bind", f"127.0.0.1:{free_port()}", "--insecure-loopback"]
    for given, kind in (
        ([str(tmp_path / "none")], NotAnIndexError),
        ([str(enrolled), "--model", "none"], CheckpointError),
    ):
        with pytest.raises(kind, match="none"):
            CliRunner().invoke(app, [*command, *given], catch_exceptions=False)
    assert not (tmp_path / "data").exists(), "nothing was made for a service that did not start"
