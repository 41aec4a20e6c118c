"""A service over a small gallery of people who do not exist, in this process."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from service_helpers import PASSWORD, Person

from pipelines.enrol.index import index_gallery
from pipelines.tools.demo import write_demo
from tests.models import FAST_MODEL
from tgfr_search.app.service.app import make_app
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.roles import Role
from tgfr_search.app.service.settings import Limits, Settings
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.loaded import FaceTextModel

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For tests, which sign in hundreds of times."""
BASE = "http://127.0.0.1:8443"


@pytest.fixture(scope="session")
def model() -> FaceTextModel:
    return load_model(FAST_MODEL, device="cpu")


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "data"
    write_demo(folder, people=5, views=3, seed=3)
    return folder


@pytest.fixture(scope="session")
def enrolled(people: Path, model: FaceTextModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "people"
    index_gallery(people / "gallery", path, model, workers=0)
    return path


@pytest.fixture
def index(enrolled: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(enrolled, tmp_path / "people"))


@pytest.fixture
def limits() -> Limits:
    """Wide: a test that is about limits sets its own."""
    return Limits(logins=1000, searches=1000)


@pytest.fixture
def hub(index: Path, model: FaceTextModel, limits: Limits, tmp_path: Path) -> Hub:
    settings = Settings(tmp_path / "data", insecure_loopback=True, limits=limits)
    made = Hub.open(settings, [index], model=model, hasher=CHEAP)
    for role in Role:
        made.accounts.add(f"{role}-1", role.value, PASSWORD)
    made.accounts.add("examiner-2", "examiner", PASSWORD)
    return made


@pytest.fixture
def client(hub: Hub) -> Iterator[TestClient]:
    """Nobody's browser."""
    with TestClient(make_app(hub), base_url=BASE, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def probe(people: Path) -> Path:
    """A clean photo of somebody who is enrolled."""
    with (people / "probes.csv").open(encoding="utf-8", newline="") as file:
        return people / next(row["image"] for row in csv.DictReader(file) if row["quality"] == "clean")


@pytest.fixture
def examiner(client: TestClient) -> Person:
    return Person(client, "examiner-1")
