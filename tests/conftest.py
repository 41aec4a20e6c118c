"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.models import FAST_MODEL

if TYPE_CHECKING:
    from tgfr_search.model.loaded import FaceTextModel

REPOSITORY = Path(__file__).resolve().parents[1]
MEMORY = Path("/dev/shm")


def pytest_configure() -> None:
    """The tests' files lie in memory where there is room: on a disk they wait for thousands of syncs and removals.

    What the suite holds at one time is some hundred MB; containers that have 64 MB there, and other systems, use the
    folder of temporary files.
    """
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(scope="session", autouse=True)
def fast_default() -> Iterator[None]:
    """In this process the fast model stands for the default; tests that start another process meet the shipped one."""
    from tgfr_search.model import checkpoint

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "DEFAULT_MODEL", FAST_MODEL)
        yield


@pytest.fixture(scope="session", autouse=True)
def loaded_once() -> Iterator[None]:
    """A model of the package is loaded once in this process, however many commands ask for it; none may change it."""
    from tgfr_search.encoders.base import tensors_sha256
    from tgfr_search.model import checkpoint

    loaded: dict[tuple[object, ...], tuple[FaceTextModel, str]] = {}
    load = checkpoint._load

    def once(folder: Path, *how: object) -> FaceTextModel:
        if folder.parent != REPOSITORY / "tgfr_search" / "weights":
            return load(folder, *how)  # type: ignore[arg-type]
        if (folder, *how) not in loaded:
            model = load(folder, *how)  # type: ignore[arg-type]
            model.ready()
            loaded[folder, *how] = model, tensors_sha256(model.tgfr.state_dict())
        return loaded[folder, *how][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "_load", once)
        yield
    for model, digest in loaded.values():
        same = tensors_sha256(model.tgfr.state_dict()) == digest and not model.tgfr.training
        assert same, f"a test has changed {model.folder.name}, which all share: let it take a copy of the folder"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The measurement data beside the checkout (real people's photographs: never part of the repository)."""
    data = Path(os.environ.get("TGFR_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not data.is_dir():
        pytest.skip(f"measurement data not there: {data} (set TGFR_SHARED to the folder that holds data/)")
    return data
