"""Searches of a case: run and kept, run again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer import Store
from pipelines.casework.case import Case
from pipelines.search.gallery import Gallery
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.errors import InputError
from tgfr_search.forensic.evidence import Declared
from tgfr_search.forensic.refusals import ProbeKind
from tgfr_search.forensic.words import Origin
from tgfr_search.types import QueryResult

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


def search(
    case: Case,
    gallery: Gallery,
    *,
    actor: str,
    evidence: str | None = None,
    lines: Sequence[str] = (),
    origin: str = "unknown",
    top_k: int = 10,
    mode: str = "auto",
    where: str | None = None,
) -> tuple[str, QueryResult]:
    """Searches a gallery in a case; the whole answer is kept and logged before it is returned.

    Args:
        case: The case.
        gallery: What is searched; its own journal, if it has one, is told too.
        actor: Account.
        evidence: Name of the probe in the case.
        lines: Of the description.
        origin: Of the description, one of `case.ORIGINS`.
        top_k: Candidates.
        mode: As `Gallery.query`.
        where: As `Gallery.query`.

    Returns:
        (name of the search in the case, answer).

    Raises:
        InputError, FaceError, FilterError: As `Gallery.query`, `Case.search`.
        AuditError: It could not be logged.
    """
    asked = {
        "lines": list(lines),
        "top_k": top_k,
        "mode": mode,
        "where": where,
        "on_multiple": gallery.finder.options.on_multiple,
        "aligned": gallery.finder.options.aligned,
        "index": str(gallery.store.path.resolve()) if isinstance(gallery.store, Store) else "",
    }

    def run(data: bytes | None) -> QueryResult:
        return _run(_told_of(gallery, case, evidence, origin), data, asked)

    return case.search(run, actor=actor, evidence=evidence, asked=asked, lines=lines, origin=origin, rows=len(gallery))


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
    after = _run(_told_of(gallery, case, kept["evidence"], kept["origin"]), data, kept["asked"]).as_dict()
    differs = _differences(before, after)
    case.journal(actor).record(Entry(Act.REPLAY, details={"search": name, "same": not differs}))
    return Replay(name, not differs, tuple(differs))


def _told_of(gallery: Gallery, case: Case, evidence: str | None, origin: str) -> Gallery:
    """The gallery, told what the probe is and where the words come from: a sketch has no likelihood ratio."""
    kinds = {kind.replace(" ", "-"): kind for kind in ProbeKind}
    told = {Path(e["details"]["file"]).name: e["details"]["kind"] for e in case.entries() if e["act"] == Act.EVIDENCE}
    kind = ProbeKind.STILL if evidence is None else kinds[told[evidence]]
    judge = replace(gallery.judge, declared=Declared(kind=kind, origin=Origin(origin or Origin.UNKNOWN)))
    return Gallery(gallery.store, gallery.model, gallery.finder, gallery.journal, judge)


def _run(gallery: Gallery, data: bytes | None, asked: dict[str, Any]) -> QueryResult:
    return gallery.query(data, caption=asked["lines"], top_k=asked["top_k"], mode=asked["mode"], where=asked["where"])


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
