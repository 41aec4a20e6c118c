"""The client against the running service: what it is told, and what it does where no answer comes."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tgfr_search.app.service.app import make_app
from tgfr_search.app.service.enrolling import Enroller
from tgfr_search.app.service.hub import Hub
from tgfr_search.client import Client, ServiceError
from tgfr_search.client.wire import multipart

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def base(hub: Hub) -> Iterator[str]:
    """The address of a running service."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(hub), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    enroller = Enroller(hub)
    enroller.start()
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
    enroller.stop()


def client_of(hub: Hub, base: str, name: str) -> Client:
    account = hub.accounts.get(name)
    assert account is not None
    return Client(base, hub.sessions.make_token(account, 1))


def test_a_case_from_the_photo_to_the_decision(hub: Hub, base: str, probe: Path) -> None:
    service = client_of(hub, base, "examiner-1")
    assert service.ready() == {"ready": True, "problems": []}
    assert [each["name"] for each in service.galleries()] == ["people"]
    found = service.search(photo=probe, captions=["a man"], purpose="fraud", basis="law", top_k=2)
    assert [each["rank"] for each in found["candidates"]] == [1, 2]
    told = service.compare(probe, probe, purpose="fraud", basis="law", captions=["a man"], population="somewhere else")
    assert (told["mode"], told["lr"]["refused"]) == ("fused", "population_mismatch")
    case = service.new_case(purpose="fraud", basis="law")
    name = service.add_evidence(case, probe)
    witnesses = [{"lines": ["a man with a beard"], "reliability": 0.5}]
    search = service.search_case(case, pictures=[{"evidence": name}], witnesses=witnesses, top_k=1)  # type: ignore[list-item]
    assert service.case(case)["searches"][0]["name"] == search
    service.act(case, search, "begin")
    service.act(case, search, "analyse", text="sharp", suitable=True)
    told = service.act(case, search, "decide", label="C01", decision="inconclusive")
    assert "subject_id" not in told["candidates"][0]
    assert service.review(case, search)["turn"] == "unmask"
    with pytest.raises(ServiceError) as early:
        service.report(case)
    assert early.value.status == 409
    service.act(case, search, "unmask")
    service.act(case, search, "conclude", conclusion="inconclusive")
    second = client_of(hub, base, "examiner-2")
    second.act(case, search, "begin")
    second.act(case, search, "analyse", text="sharp", suitable=True)
    second.act(case, search, "decide", label="C01", decision="inconclusive")
    second.act(case, search, "unmask")
    second.act(case, search, "conclude", conclusion="inconclusive")
    client_of(hub, base, "reviewer-1").act(case, search, "release")
    assert b'lang="de"' in service.report(case, language="de")
    with pytest.raises(ServiceError) as refused:
        service.enrol("people", [probe], subject="x")
    assert (refused.value.status, refused.value.code) == (403, "not_allowed")


def test_enrolling_and_deleting(hub: Hub, base: str, probe: Path) -> None:
    service = client_of(hub, base, "enroller-1")
    job = service.enrol("people", [probe, b"no picture"], subject='Jürgen "x"', captions=["a man"])
    told = service.wait(job["id"], timeout_s=120, every_s=0.1)
    assert told["counts"] == {"enrolled": 1, "refused": 1}
    assert [each["number"] for each in service.job_photos(job["id"], state="refused")] == [2]
    with pytest.raises(ServiceError, match="quarantine"):
        service.enrol("people", [probe], subject="x", quarantined="nobody.png")
    (row,) = service.rows("people", subject='Jürgen "x"')
    assert service.delete("people", rows=[row["row_id"]])["deleted"] == 1
    assert len(list(service.rows("people"))) == len(hub.gallery()[1])


def test_where_no_answer_comes_the_same_key_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs up twice, then answers: three requests with one key."""
    monkeypatch.setattr("tgfr_search.client.wire.PAUSE_S", 0.01)
    listening, keys = socket.create_server(("127.0.0.1", 0)), list[str]()

    def answer() -> None:
        for number in range(3):
            line, _ = listening.accept()
            with line:
                text = line.recv(65536).decode("latin-1")
                keys.append(next(each for each in text.split("\r\n") if each.lower().startswith("idempotency-key")))
                if number == 2:
                    body = b'{"name": "2026-0001"}'
                    line.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    thread = threading.Thread(target=answer)
    thread.start()
    service = Client(f"http://127.0.0.1:{listening.getsockname()[1]}", "token")
    assert service.new_case(purpose="fraud", basis="law") == "2026-0001"
    thread.join()
    listening.close()
    assert len(keys) == 3
    assert len(set(keys)) == 1
    with pytest.raises(ServiceError, match=r"refused|reset"):
        service.case("2026-0001")


def test_a_request_that_is_being_carried_out_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded service needs longer than all tries: what it does for an earlier one is no refusal."""
    monkeypatch.setattr("tgfr_search.client.wire.PAUSE_S", 0.01)
    listening = socket.create_server(("127.0.0.1", 0))
    busy, done = (b"409 Conflict", b'{"code": "at_work"}'), (b"201 Created", b'{"name": "2026-0001"}')

    def answer(told: list[tuple[bytes, bytes]]) -> None:
        for status, body in told:
            line, _ = listening.accept()
            with line:
                line.recv(65536)
                line.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    thread = threading.Thread(target=answer, args=([*[busy] * 9, done, *[busy] * 4],))
    thread.start()
    service = Client(f"http://127.0.0.1:{listening.getsockname()[1]}", "token")
    assert service.new_case(purpose="fraud", basis="law") == "2026-0001"
    with pytest.raises(ServiceError, match="at_work"):  # but not for ever
        Client(service._wire.base, "token", timeout_s=0.03).new_case(purpose="fraud", basis="law")
    thread.join()
    listening.close()


def test_a_form_holds_no_more_than_it_says() -> None:
    data, kind = multipart([("a", "ü")], [("file", ('x"\r\n.png', b"\0"))])
    assert kind.startswith("multipart/form-data; boundary=")
    assert data.count(b"Content-Disposition") == 2
    assert b'filename="x%22%0D%0A.png"' in data


def test_the_types_are_those_of_the_description() -> None:
    spec = importlib.util.spec_from_file_location("openapi_script", ROOT / ".ci" / "openapi.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.client_types(script.FILE.read_text("utf-8")) == script.TYPES.read_text("utf-8")
