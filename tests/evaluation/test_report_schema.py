"""`docs/report.schema.json` is made from the types, and a real report is held to it (`measure/test_benchmark.py`)."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tgfr_search.evaluation.results import ReportRecord

SCHEMA = Path(__file__).resolve().parents[2] / "docs/report.schema.json"


def closed(schema: Any) -> Any:
    """The schema with nothing allowed that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if "properties" in schema else {}
    return {name: closed(part) for name, part in schema.items()} | more


def test_the_schema_is_that_of_the_types() -> None:
    made = closed(TypeAdapter(ReportRecord).json_schema())
    told = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == told
