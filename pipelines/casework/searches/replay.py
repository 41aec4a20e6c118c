"""Searches of a case: run and kept, run again and compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.casework.case.case import Case
from pipelines.casework.searches.search import run_again
from pipelines.search.gallery import Gallery
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.errors import InputError

TOLERANCE = 1e-6
"""Of a score, when a search is run again."""


@dataclass(frozen=True)
class Replay:
    """What a search gave when it was run again.

    Attributes:
        search: Its name.
        same: Nothing differs.
        differs: What does, a line each.
    """

    search: str
    same: bool
    differs: tuple[str, ...]


def replay(case: Case, gallery: Gallery, name: str, *, actor: str) -> Replay:
    """Runs a search of a case again and compares candidates and scores. That it was done is logged.

    Args:
        case: The case.
        gallery: The index that was searched, wherever it is now.
        name: Of the search.
        actor: Account.

    Raises:
        InputError: There is no such search, or evidence or answer are not as they were logged.
        AuditError: It could not be logged.
    """
    kept = case.read_search(name)
    before = kept["result"]
    data = None if kept["evidence"] is None else case.evidence(kept["evidence"])
    after = run_again(case, gallery, data, kept["evidence"], kept["origin"], kept["asked"]).as_dict()
    differs = _differences(before, after)
    case.journal(actor).record(Entry(Act.REPLAY, details={"search": name, "same": not differs}))
    return Replay(name, not differs, tuple(differs))


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    told = [
        f"{name}: {before[name]} then, {after[name]} now"
        for name in ("model_id", "index_id", "mode")
        if before[name] != after[name]
    ]
    # Answers of before there were likelihood ratios have no calibration to compare.
    if "calibration" in before and before["calibration"] != after["calibration"]:
        told.append(f"calibration: {_digest(before)} then, {_digest(after)} now")
    then, now = before["candidates"], after["candidates"]
    if len(then) != len(now):
        told.append(f"candidates: {len(then)} then, {len(now)} now")
    for old, new in zip(then, now, strict=False):
        if (old["row_id"], old["subject_id"]) != (new["row_id"], new["subject_id"]):
            told.append(f"rank {old['rank']}: row {old['row_id']} then, row {new['row_id']} now")
        elif abs(old["score"] - new["score"]) > TOLERANCE:
            told.append(f"rank {old['rank']}: score {old['score']:.7f} then, {new['score']:.7f} now")
        elif ratio := _ratio_differs(old.get("lr"), new.get("lr")):
            told.append(f"rank {old['rank']}: {ratio}")
    return told


def index_of_search(case: Case, name: str) -> Path:
    """Where the index of a search was.

    Raises:
        InputError: There is no such search.
    """
    path = str(case.read_search(name)["asked"]["index"])
    if not path:
        raise InputError("--index", found="a search in a Milvus collection", expected="the index it was published from")
    return Path(path)


def _digest(result: dict[str, Any]) -> str:
    return "none" if result["calibration"] is None else str(result["calibration"]["sha256"])


def _ratio_differs(old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    """How a likelihood ratio differs from that of an earlier answer, where that had one; empty where it does not."""
    if old is None:
        return ""
    if new is None or old["refused"] != new["refused"]:
        return f"likelihood ratio: {old['refused'] or 'a number'} then, {(new or {}).get('refused') or 'a number'} now"
    if old["log10"] is not None and abs(old["log10"] - new["log10"]) > TOLERANCE:
        return f"log10 LR {old['log10']:.7f} then, {new['log10']:.7f} now"
    return ""
