"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models import FAST_MODEL

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def fast_default() -> Iterator[None]:
    """In this process the fast model stands for the default; tests that start another process meet the shipped one."""
    from tgfr_search.model import checkpoint

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "DEFAULT_MODEL", FAST_MODEL)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The measurement data beside the checkout (real people's photographs: never part of the repository)."""
    data = Path(os.environ.get("TGFR_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not data.is_dir():
        pytest.skip(f"measurement data not there: {data} (set TGFR_SHARED to the folder that holds data/)")
    return data
