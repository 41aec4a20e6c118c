"""The end of the report page: examples, the ladder, provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tgfr_search.evaluation.report.reading import ABOUT, Report, spoken
from tgfr_search.evaluation.report.tables import Cell, Row, Table

KINDS = {"success": "Found first, where the frozen encoder does not", "failure": "Not found first"}


@dataclass(frozen=True, slots=True)
class Face:
    """A picture of an example: `style` is `hit`, `miss` or nothing, `data` its JPEG or None."""

    style: str
    data: bytes | None
    told: str
    name: str


@dataclass(frozen=True, slots=True)
class Example:
    """One search: its three faces, where the mate was, what was said."""

    faces: list[Face]
    rank: int
    frozen_rank: int | None
    said: str


def examples(report: Report, pictures: Mapping[str, bytes]) -> dict[str, list[Example]]:
    """Searches with their faces, by what they show; a kind without any is left out."""
    found = {
        told: [_example(example, pictures) for example in report.tree["examples"] if example["kind"] == kind]
        for kind, told in KINDS.items()
    }
    return {told: cards for told, cards in found.items() if cards}


def searched_by(report: Report) -> str:
    """Which system the examples are of."""
    system, captions = report.main
    return f"{ABOUT.get(system, system)}, captions {captions}"


def _example(example: Mapping[str, Any], pictures: Mapping[str, bytes]) -> Example:
    faces = [
        Face(style, pictures.get(example["pictures"][role]), told, example[role])
        for role, style, told in _faces(example)
    ]
    return Example(faces, example["rank"], example["frozen_rank"], " ".join(example["caption"]))


def _faces(example: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(role, style, caption) of the three faces of a card."""
    hit = example["rank"] == 1
    yield "probe", "", f"probe, {spoken(example['level'])}"
    who = "right" if hit else "wrong"
    yield "first", "hit" if hit else "miss", f"first candidate, {who}, score {example['first_score']:.2f}"
    if hit and "frozen_first" in example:
        yield "frozen_first", "miss", "frozen put this one first"
    else:
        yield "mate", "hit", f"the right one, score {example['mate_score']:.2f}"


def ladder(report: Report) -> Table:
    """The parameters of the quality ladder."""
    rows = [
        Row(
            [
                Cell(spoken(level), head=True),
                Cell(str(step["side"] or "–")),
                Cell(f"{step['blur']:g}"),
                Cell(f"{step['noise']:g}"),
                Cell(str(step["jpeg"] or "–")),
            ]
        )
        for level, step in report.tree["ladder"].items()
    ]
    heads = ["level", "side of the face crop, px", "blur σ, px", "noise σ (0–255)", "JPEG quality"]
    return Table("The quality ladder", heads, rows)


def provenance(report: Report) -> dict[str, str]:
    """What was run, on what, with which models."""
    tree = report.tree
    return {
        "measured": f"{tree['created']}, in {tree['seconds']} s",
        "package, protocol, schema": f"{tree['package']}, {tree['protocol']}, {tree['schema']}",
        "intervals": f"95 %, {tree['interval']['resamples']} resamples of subjects",
        "data sha256": tree["data"]["data_sha256"],
        "machine": ", ".join(f"{name} {value}" for name, value in tree["machine"].items()),
        **{name: _value(value) for name, value in tree["options"].items() if value is not None},
        **{f"model of {name}": values["model_id"] for name, values in tree["systems"].items()},
    }


def origins(report: Report) -> list[str]:
    """Where the models come from, as lines of JSON."""
    told = {name: values["provenance"] for name, values in report.tree["systems"].items()}
    return json.dumps(told, indent=1).split("\n")


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
