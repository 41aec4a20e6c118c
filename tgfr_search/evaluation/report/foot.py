"""The end of the report page: examples, protocol, provenance."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from tgfr_search.evaluation.report.reading import ABOUT, Report, spoken
from tgfr_search.evaluation.report.tables import table
from tgfr_search.evaluation.report.words import CAVEATS, PROTOCOL

KINDS = {"success": "Found first, where the frozen encoder does not", "failure": "Not found first"}


def examples(report: Report, pictures: Mapping[str, bytes]) -> str:
    """Searches with their faces: what was said, who came first, and where the mate was."""
    out = ""
    for kind, told in KINDS.items():
        found = [example for example in report.tree["examples"] if example["kind"] == kind]
        cards = "".join(_example(example, pictures) for example in found)
        out += f'<h3>{told}</h3><div class="examples">{cards}</div>' if cards else ""
    system, captions = report.main
    who = f"{ABOUT.get(system, system)}, captions {captions}"
    told = f"<p>Searches by {escape(who)}; drawn at random with the seed, not picked.</p>"
    return told + out if out else ""


def _example(example: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    shown = "".join(
        f'<figure class="{style}">{_picture(pictures.get(example["pictures"][role]), example[role])}<b>{told}</b><br>'
        f"<small>{escape(example[role])}</small></figure>"
        for role, style, told in _faces(example)
    )
    frozen = f", {example['frozen_rank']} with frozen" if example["frozen_rank"] is not None else ""
    words = escape(" ".join(example["caption"])) or "<i>nothing</i>"
    return (
        f'<article class="example"><div class="faces">{shown}</div><p class="said">Mate at rank '
        f"<b>{example['rank']}</b>{frozen}. Said: {words}</p></article>"
    )


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


def _picture(data: bytes | None, name: str) -> str:
    if data is None:
        return '<div class="none">no picture kept</div>'
    return f'<img alt="{escape(name)}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'


def protocol(report: Report) -> str:
    """How it was measured, with the ladder's parameters, and what that cannot show."""
    rows = [
        f"<tr><th>{spoken(level)}</th><td>{step['side'] or '–'}</td><td>{step['blur']:g}</td><td>{step['noise']:g}</td>"
        f"<td>{step['jpeg'] or '–'}</td></tr>"
        for level, step in report.tree["ladder"].items()
    ]
    heads = ["level", "side of the face crop, px", "blur σ, px", "noise σ (0–255)", "JPEG quality"]
    items, caveats = ("".join(f"<li>{text}</li>" for text in texts) for texts in (PROTOCOL, CAVEATS))
    return f"<ul>{items}</ul>{table('The quality ladder', heads, rows)}<h3>Caveats</h3><ul>{caveats}</ul>"


def provenance(report: Report) -> str:
    """What was run, on what, with which models."""
    tree = report.tree
    told = {
        "measured": f"{tree['created']}, in {tree['seconds']} s",
        "package, protocol, schema": f"{tree['package']}, {tree['protocol']}, {tree['schema']}",
        "intervals": f"95 %, {tree['interval']['resamples']} resamples of subjects",
        "data sha256": tree["data"]["data_sha256"],
        "machine": ", ".join(f"{name} {value}" for name, value in tree["machine"].items()),
        **{name: _value(value) for name, value in tree["options"].items() if value is not None},
        **{f"model of {name}": values["model_id"] for name, values in tree["systems"].items()},
    }
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in told.items())
    origins = escape(json.dumps({name: values["provenance"] for name, values in tree["systems"].items()}, indent=1))
    return (
        f'<dl>{pairs}</dl><details><summary>Where the models come from</summary><pre class="wide">{origins}</pre>'
        "</details><p><small>Every figure is in report.json and tables.csv beside this page; the plots are in plots/."
        "</small></p>"
    )


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
