"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The measurement data beside the checkout (real people's photographs: never part of the repository)."""
    data = Path(os.environ.get("TGFR_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not data.is_dir():
        pytest.skip(f"measurement data not there: {data} (set TGFR_SHARED to the folder that holds data/)")
    return data
