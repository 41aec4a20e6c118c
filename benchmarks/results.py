"""Where results are kept: JSON with command, machine, versions and time."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tgfr_search
from tgfr_search.model.checkpoint import machine

RESULTS = Path(__file__).resolve().parent / "results"


def write_result(name: str, values: dict[str, Any], path: Path | None = None) -> Path:
    """Writes `values` with their provenance.

    Args:
        name: File name without ending.
        values: JSON values.
        path: Another place than benchmarks/results.
    """
    path = path or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {
        "command": shlex.join(["python", "-m", _module(Path(sys.argv[0])), *sys.argv[1:]]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "package": tgfr_search.__version__,
        "machine": machine(),
    }
    path.write_text(json.dumps({**head, **values}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_result(name: str) -> dict[str, Any] | None:
    """A result file, or None where it was not measured."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def _module(script: Path) -> str:
    """The name by which `python -m` was told to run a file of this package."""
    script = script.resolve()
    inside = script.relative_to(RESULTS.parent) if script.is_relative_to(RESULTS.parent) else Path(script.name)
    return ".".join(["benchmarks", *inside.with_suffix("").parts])
