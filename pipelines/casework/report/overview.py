"""What a case holds, for whoever opens it: parts by name, never a candidate."""

from __future__ import annotations

from typing import Any

from pipelines.casework.case.case import Case
from pipelines.casework.case.evidence import about
from pipelines.casework.review.review import Step
from pipelines.casework.review.reviews import review_of
from tgfr_search.audit.entries import Act, Entry


def overview(case: Case) -> dict[str, Any]:
    """Purpose and basis, evidence, searches with the step of their review, notes.

    Raises:
        InputError: A file is not as it was logged.
    """
    entries = case.entries()
    received = about(case)
    names = [e["details"]["file"].removeprefix("searches/")[:-5] for e in entries if e["act"] == Act.SEARCH]
    notes = [e["details"]["file"].split("/")[-1][:-4] for e in entries if e["act"] == Act.NOTE]
    return {
        "id": case.id,
        "purpose": case.purpose,
        "basis": case.basis,
        "opened": next((e["ended"] for e in entries if e["act"] == Act.CASE_OPENED), ""),
        "closed": any(e["act"] == Act.CASE_CLOSED for e in entries),
        "fields": dict(case.fields),
        "evidence": [{"name": n, "kind": d["kind"]} for n, d in received.items() if "parent" not in d],
        "derived": [
            {"name": n, **{key: d[key] for key in ("kind", "parent", "operation", "parameters")}}
            for n, d in received.items()
            if "parent" in d
        ],
        "searches": [search_told(case, name) for name in names],
        "notes": [{"name": name, "text": case.files.kept(f"notes/{name}.txt").decode()} for name in notes],
    }


def look(case: Case, what: str, *, actor: str) -> None:
    """Tells the case's log that somebody looks at something, before it is shown.

    Raises:
        AuditError: It could not be logged.
    """
    case.journal(actor).record(Entry(Act.VIEW, details={"what": what}))


def search_told(case: Case, name: str) -> dict[str, Any]:
    """What was asked in a search, and where its review stands; nothing of the answer."""
    kept = case.read_search(name)
    review = review_of(case, name) if kept["result"]["candidates"] else None
    return {
        "name": name,
        "evidence": kept["evidence"],
        "pictures": pictures_of(kept),
        "lines": kept["asked"]["lines"],
        "where": kept["asked"]["where"],
        "origin": kept["origin"],
        "candidates": len(kept["result"]["candidates"]),
        "step": str(Step.OPENED if review is None else review.step),
    }


def pictures_of(kept: dict[str, Any]) -> list[str]:
    """Names of what a search searched with, by what was kept of it; empty where it searched by description alone."""
    several = [str(each["evidence"]) for each in kept["asked"].get("pictures") or ()]
    return several or ([] if kept["evidence"] is None else [str(kept["evidence"])])
