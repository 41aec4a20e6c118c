"""The report of a case as one page: what was searched, all candidates, who decided what, the log's signed head, limits.

It is made from what the log commits to, up to the last act that is not itself a report, an export or a look: the same
case gives the same bytes. Only what two people agreed on, or a third one settled, and somebody released, is reported.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from pipelines.casework.case import AUDIT, Case
from pipelines.casework.overview import overview
from pipelines.casework.review import ReviewError, Step
from pipelines.casework.reviews import review_of
from tgfr_search.audit import verify
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.verify import LOG, Record, checkpoint_text, read_records
from tgfr_search.outputs import check_file, write_whole
from tgfr_search.pages import render
from tgfr_search.pages.catalogue import Words

PASSED_OVER = frozenset({Act.EXPORT, Act.REPORT, Act.VIEW})
"""Acts after which nothing else is reported than before."""


def write_report(case: Case, target: Path, *, actor: str, language: str = "en", force: bool = False) -> str:
    """Writes the report of a case; returns its SHA-256, which the log has too.

    Args:
        case: The case.
        target: An HTML file outside the case's folder.
        actor: Account.
        language: One of `catalogue.LANGUAGES`.
        force: Also over a file that is no earlier report.

    Raises:
        ReviewError: A search with candidates is not released.
        InputError: The file must not be written, or a file of the case is not as it was logged.
        AuditError: It could not be logged.
    """
    check_file(target, endings=(".html",), outside=[case.folder], force=force)
    with case.settled():
        data = report_page(case, language).encode("utf-8")
        digest = hashlib.sha256(data).hexdigest()
        case.journal(actor).record(Entry(Act.REPORT, details={"sha256": digest, "language": language}))
    write_whole(target, data)
    return digest


def report_page(case: Case, language: str = "en") -> str:
    """The page.

    Raises:
        ReviewError, InputError: As `write_report`.
    """
    told = overview(case)
    counts = {
        entry["details"]["file"].removeprefix("searches/")[:-5]: entry["index"]["rows"]
        for entry in case.entries()
        if entry["act"] == Act.SEARCH
    }
    searches = [{**_search(case, each), "rows": counts[each["name"]]} for each in told["searches"]]
    logged = case.files.logged()
    evidence = [
        {**each, "sha256": hashlib.sha256(case.files.kept(f"evidence/{each['name']}", logged)).hexdigest()}
        for each in told["evidence"]
    ]
    records = _records(case)
    return render(
        "case_report.html",
        language=language,
        t=Words(language),
        case=told,
        evidence=evidence,
        searches=searches,
        checkpoint=_checkpoint(case, records),
        entries=len(records),
    )


def _search(case: Case, told: dict[str, Any]) -> dict[str, Any]:
    """All of one search: what was asked, the whole list, everybody's decisions in order."""
    kept = case.read_search(told["name"])
    result = kept["result"]
    review = review_of(case, told["name"]) if result["candidates"] else None
    if result["candidates"] and (review is None or review.step is not Step.RELEASED):
        raise ReviewError(
            f"search {told['name']}",
            found=told["step"],
            expected="a release, after two people who agree or a third one's conclusion",
            do="case decide, or the service",
        )
    view = review.view("") if review is not None else {}
    events = review.events if review is not None else []
    return {
        **told,
        "hits": result["candidates"],
        "persons": view.get("persons", []),
        "analyses": {event["actor"]: event["text"] for event in events if event["act"] == "analyse"},
        "revisions": [event for event in events if event["act"] == "revise"],
        "released_by": next((event["actor"] for event in events if event["act"] == "release"), ""),
        "conclusion": str(review.conclusion) if review is not None and review.conclusion else "",
        **{name: result[name] for name in ("index_id", "model_id", "mode", "notes")},
        "propositions": (result.get("calibration") or {}).get("propositions", []),
        "quality": (result["probe"].get("quality") or {}).get("predicted"),
        "sha256": result["probe"].get("sha256"),
    }


def _records(case: Case) -> list[Record]:
    """The log up to the last act that a report tells of."""
    records = list(read_records(io.BytesIO((case.folder / AUDIT / LOG).read_bytes())))
    while (body := records[-1].body) is not None and json.loads(body)["act"] in PASSED_OVER:
        records.pop()
    return records


def _checkpoint(case: Case, records: list[Record]) -> list[str]:
    """The signed head of the log after these records, line by line."""
    tree = verify.Tree()
    for record in records:
        tree.add(record.leaf)
    text = checkpoint_text(case.files.log.key.name, tree.size, tree.root())
    return [*text.splitlines(), "", (records[-1].seal or b"").decode()]
