"""What a search costs the service beside its encoding: nothing of the model is read again, and few threads work."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_helpers import SEARCH, Browser, Person
from test_service_blind import opened

from pipelines.search.evidence import Judge
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.passes import SharedPasses
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.types import ByteArray


def test_faces_are_found_and_encoded_by_a_few_threads_with_what_was_read_once(
    client: TestClient, hub: Hub, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allocator keeps for each thread what it once needed; and a search that read its cohort anew took as much."""
    threads, cut = set[str](), FaceFinder.cut

    def watched(*given: Any, **options: Any) -> Any:
        threads.add(threading.current_thread().name)
        return cut(*given, **options)

    def never(*given: Any, **options: Any) -> Any:
        raise AssertionError("calibration and cohort are read at the start")

    monkeypatch.setattr(FaceFinder, "cut", watched)
    monkeypatch.setattr(Judge, "of", never)
    browser, person = Browser(client, "examiner-1"), Person(client, "examiner-2")
    _, search = opened(browser, probe, "2")
    browser.post(search, act="begin")
    assert "data-place" in browser.get(search).text
    for _ in range(3):
        with probe.open("rb") as photo:
            answer = person("POST", "/api/v1/search", data=SEARCH, files={"photo": ("a.jpg", photo)})
        assert answer.status_code == 200, answer.text
    assert threads <= {f"encoder_{at}" for at in range(hub.settings.limits.encoders)}
    assert threads


def test_only_a_search_of_no_case_goes_in_a_batch(
    client: TestClient, hub: Hub, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of a batch differ by more than the replay of a case lets pass."""
    passes, encode = list[int](), SharedPasses.encode

    def counted(self: SharedPasses, chips: ByteArray) -> FaceFeatures:
        passes.append(len(chips))
        return encode(self, chips)

    monkeypatch.setattr(SharedPasses, "encode", counted)
    opened(Browser(client, "examiner-1"), probe, "2")
    assert not passes
    with probe.open("rb") as photo:
        assert Person(client, "examiner-2")("POST", "/api/v1/search", data=SEARCH, files={"photo": photo}).is_success
    assert passes == [1]
