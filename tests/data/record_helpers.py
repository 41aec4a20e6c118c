"""What the tests of `read_records` share."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from tgfr_search.data.records import Problem, Records, read_records
from tgfr_search.errors import Reason
from tgfr_search.types import Record


def read(source: Path, **options: Any) -> tuple[list[Record], list[Problem], Records]:
    problems: list[Problem] = []
    records = read_records(source, on_problem=problems.append, **options)
    return list(records), problems, records


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never read here")
    return folder


def write_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", "utf-8")
    return path


def reasons(problems: list[Problem]) -> list[tuple[str, Reason]]:
    return [(problem.name, problem.reason) for problem in problems]
