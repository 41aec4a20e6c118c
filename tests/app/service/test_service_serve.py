"""The commands: a real server on a real port, and what keeps it from starting."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx2
import pytest
from service_helpers import PASSWORD, SEARCH
from typer.testing import CliRunner

from tgfr_search.app.cli.main import app
from tgfr_search.app.service.settings import Settings, read_bind
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import check_log
from tgfr_search.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.slow
def test_from_the_first_start_to_an_answer(enrolled: Path, probe: Path, tmp_path: Path) -> None:
    data, password = tmp_path / "data", tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    run("user", "add", "examiner-1", "--role", "examiner", "--password-file", str(password), "--data", str(data))
    told = json.loads(run("user", "list", "--data", str(data), "--json"))
    assert told == {"accounts": [{"account": "examiner-1", "role": "examiner", "disabled": False}]}
    base = f"http://127.0.0.1:{(port := free_port())}"
    command = ["serve", str(enrolled), "--data", str(data), "--bind", f"127.0.0.1:{port}", "--insecure-loopback"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", "tgfr_search", *command],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(f"{base}/livez", server)
        with httpx2.Client(base_url=base) as client:
            assert client.get("/readyz").json() == {"ready": True, "problems": []}
            assert client.get("/openapi.json").json()["info"]["title"] == "tgfr-search"
            body = {"name": "examiner-1", "password": PASSWORD}
            csrf = client.post("/api/v1/session", json=body).json()["csrf"]
            found = client.post(
                "/api/v1/search", data=SEARCH, files={"photo": probe.read_bytes()}, headers={"X-CSRF-Token": csrf}
            )
            assert found.json()["candidates"][0]["subject_id"] == probe.stem
    finally:
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=30)
    assert f"serving at {base}" in out
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert {line["route"] for line in lines} >= {"/livez", "/readyz", "/api/v1/search"}
    assert not [secret for secret in ("examiner-1", PASSWORD, "Heidi", "person0") if secret in err]
    acts = [entry["act"] for _, entry in read_entries(data / "audit")]
    assert acts == ["log opened", "account changed", "signed in", "search"]
    assert check_log(data / "audit").problems == []


def wait_for(url: str, server: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.poll() is None, server.communicate()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the service does not answer")


def test_accounts_by_the_command_line(tmp_path: Path) -> None:
    data, password = str(tmp_path / "data"), tmp_path / "password"
    password.write_text(PASSWORD)
    run("user", "add", "auditor-1", "--role", "auditor", "--password-file", str(password), "--data", data)
    assert run("token", "auditor-1", "--data", data).startswith("tgfr_")
    assert json.loads(run("user", "disable", "auditor-1", "--data", data, "--json"))["disabled"] is True
    with pytest.raises(InputError, match="none that is open"):
        run("token", "auditor-1", "--data", data)
    assert json.loads(run("user", "enable", "auditor-1", "--data", data, "--json"))["disabled"] is False
    changes = [entry.get("details", {}).get("change") for _, entry in read_entries(tmp_path / "data" / "audit")]
    assert changes == [None, "added", "token", "changed", "changed"]
    with pytest.raises(InputError, match="--password-file"):
        run("user", "add", "a", "--role", "admin", "--password-file", str(tmp_path / "none"), "--data", data)


def test_what_keeps_it_from_listening(tmp_path: Path) -> None:
    from tgfr_search.app.service.run import listen

    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        settings = Settings(tmp_path, port=busy.getsockname()[1], insecure_loopback=True)
        with pytest.raises(InputError, match="a port in use"):
            listen(settings)
    with pytest.raises(InputError, match="--tls-cert"):
        listen(Settings(tmp_path, tls_cert=tmp_path / "none", tls_key=tmp_path / "none"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "none of them"),
        ({"host": "0.0.0.0"}, "none of them"),
        ({"host": "0.0.0.0", "insecure_loopback": True}, "which others reach"),
        ({"host": "192.168.1.5", "insecure_loopback": True}, "which others reach"),
        ({"insecure_loopback": True, "behind_proxy": True}, "several of them"),
        ({"tls_cert": Path("c")}, "one of the two"),
    ],
)
def test_beyond_this_machine_nothing_goes_without_tls(tmp_path: Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Settings(tmp_path, **options)  # type: ignore[arg-type]


def test_bind() -> None:
    assert read_bind("127.0.0.1:80") == ("127.0.0.1", 80)
    assert read_bind("[::1]:8443") == ("::1", 8443)
    for wrong in ("127.0.0.1", ":80", "host:", "host:http", "host:70000"):
        with pytest.raises(InputError, match="HOST:PORT"):
            read_bind(wrong)
