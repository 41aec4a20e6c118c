"""The report of a case as a page (HTML) and on paper (PDF): what was searched, all candidates, who decided, limits.

It is made from what the log commits to, up to the last act that is not itself a report, an export or a look: the same
case gives the same bytes. Only what two people agreed on, or a third one settled, and somebody released, is reported.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.casework.case.case import Case
from pipelines.casework.report.facts import Facts, facts_of
from pipelines.casework.report.spoken import spoken
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.outputs import check_file, write_whole
from tgfr_search.pages import render
from tgfr_search.pages.catalogue import Words
from tgfr_search.pages.paper import check_printer, printed
from tgfr_search.pages.qr import qr_svg

PAGE, PAPER = (".html", ".htm"), (".pdf",)
DISCLOSED = ("search", "list", "strangers", "people", "foils", "marks", "software", "array", "check")
"""What the sheet says that is to be disclosed: entries `report.disclosed_…` of the catalogue."""


def write_report(case: Case, target: Path, *, actor: str, language: str = "en", force: bool = False) -> str:
    """Writes the report of a case; returns its SHA-256, which the log has too.

    Args:
        case: The case.
        target: An HTML or PDF file outside the case's folder.
        actor: Account.
        language: One of `catalogue.LANGUAGES`.
        force: Also over a file that is no earlier report.

    Raises:
        ReviewError: A search with candidates is not released.
        InputError: The file must not be written, or a file of the case is not as it was logged.
        MissingPartError: A PDF, and what prints it is not installed.
        AuditError: It could not be logged.
    """
    check_file(target, endings=(*PAGE, *PAPER), outside=[case.folder], force=force)
    paper = target.suffix.lower() in PAPER
    if paper:
        check_printer()
    data = logged_report(case, actor=actor, language=language, paper=paper)
    write_whole(target, data)
    return hashlib.sha256(data).hexdigest()


def logged_report(case: Case, *, actor: str, language: str = "en", paper: bool = False) -> bytes:
    """The report of a case, a page or a PDF, once the log has its SHA-256.

    Raises:
        ReviewError, InputError, MissingPartError, AuditError: As `write_report`.
    """
    with case.files.settled("report"):
        data = report_paper(case, language) if paper else report_page(case, language).encode("utf-8")
        digest = hashlib.sha256(data).hexdigest()
        details = {"sha256": digest, "language": language, "form": "pdf" if paper else "html"}
        case.journal(actor).record(Entry(Act.REPORT, details=details))
    return data


def report_page(case: Case, language: str = "en") -> str:
    """The page.

    Raises:
        ReviewError, InputError: As `write_report`.
    """
    facts, words = facts_of(case), Words(language)
    return render("case_report.html", language=language, t=words, **_printed(facts, words))


def report_paper(case: Case, language: str = "en") -> bytes:
    """The PDF.

    Raises:
        ReviewError, InputError, MissingPartError: As `write_report`.
    """
    facts = facts_of(case)
    made = datetime.fromisoformat(facts.ended.replace("Z", "+00:00"))
    given = _printed(facts, Words(language))
    return printed("case_report.typ", given, language=language, made=made)


def _printed(facts: Facts, words: Words) -> dict[str, Any]:
    """What page and paper print."""
    return {**spoken(facts, words), "disclosed": DISCLOSED, "qr": qr_svg("\n".join(facts.checkpoint) + "\n")}
