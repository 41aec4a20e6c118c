"""docs/openapi.json is what the service says of itself, and every way in it says who may."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_snapshot_is_what_the_service_says() -> None:
    spec = importlib.util.spec_from_file_location("openapi_script", ROOT / ".ci" / "openapi.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = script.FILE.read_text(encoding="utf-8")
    assert script.schema() == text, (
        "`python .ci/openapi.py --write`, and a line in CHANGELOG.md where it breaks somebody"
    )
    ways = [way for path in json.loads(text)["paths"].values() for way in path.values()]
    assert len(ways) > 20
    assert [way["operationId"] for way in ways if "x-roles" not in way] == []
