"""A service over the demo's people in this process, for a browser or a program of this machine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from pipelines.enrol.index import index_gallery
from tgfr_search.app.service.app import make_app
from tgfr_search.app.service.enrolling import Enroller
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.roles import Role
from tgfr_search.app.service.run import listen
from tgfr_search.app.service.settings import Limits, Settings
from tgfr_search.client import Client
from tgfr_search.model.loaded import FaceTextModel

PASSWORD = "correct horse battery staple"


@contextmanager
def served(demo: Path, model: FaceTextModel, folder: Path) -> Iterator[tuple[str, Hub]]:
    """A service over two galleries of the demo's people, without an account; its address."""
    index_gallery(demo / "gallery", folder / "people", model, workers=0)
    shutil.copytree(folder / "people", folder / "others")
    settings = Settings(folder / "data", port=0, insecure_loopback=True, limits=Limits(logins=1000, searches=1000))
    hub = Hub.open(settings, [folder / "people", folder / "others"], model=model)
    listening = listen(settings)
    server = uvicorn.Server(uvicorn.Config(make_app(hub), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    enroller = Enroller(hub)
    enroller.start()
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", hub
    finally:
        server.should_exit = True
        thread.join(30)
        enroller.stop()


def add_accounts(hub: Hub) -> None:
    """One of each role: `role-1`."""
    for role in Role:
        hub.accounts.add(f"{role}-1", role.value, PASSWORD)


def client_of(hub: Hub, base: str, name: str) -> Client:
    """A client of an account, which is made where it is not there: `role-N`."""
    account = hub.accounts.get(name) or hub.accounts.add(name, name.partition("-")[0], PASSWORD)
    return Client(base, hub.sessions.make_token(account, 1))
