"""Reviews of the searches of a case: each act a file that the log commits to; the state machine is `review.Review`.

A review is made anew from its events each time, under the case's lock: two who act at the same moment act one after the
other, and the second is refused where the first one's act has taken its place.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from pipelines.casework.case.case import Case
from pipelines.casework.review.review import ACTS, Review, ReviewError
from tgfr_search.audit.entries import Act, Entry, canonical
from tgfr_search.errors import InputError

REVIEWS = "reviews"
_LOGGED_AS = {"unmask": Act.UNMASK, "decide": Act.DECISION, "revise": Act.DECISION, "conclude": Act.DECISION}
SEED_BITS = 48
"""Of the order; a number that JSON keeps exactly."""


def review_of(case: Case, search: str) -> Review | None:
    """The review of a search as it stands; None where nobody has begun one.

    Raises:
        InputError: There is no such search, or a file of the review is not as it was logged.
        ReviewError: The events cannot have happened.
    """
    rows, foils = rows_of(case.read_search(search), search)
    told = _told(case, search)
    return Review.again(rows, told[0]["seed"], [each["event"] for each in told], foils) if told else None


def act(case: Case, search: str, name: str, *, actor: str, **given: Any) -> Review:
    """Carries out one act of a review: kept and logged before it is answered.

    Args:
        case: The case.
        search: Name of the search.
        name: One of `review.ACTS`.
        actor: Account.
        given: What the act takes beside the actor.

    Returns:
        The review after it.

    Raises:
        ReviewError: It is not this person's turn, not yet the time, or no such act.
        InputError: As `review_of`, or the case is closed.
        AuditError: It could not be logged.
    """
    if name not in ACTS:
        raise ReviewError("act", found=name, expected=f"one of: {', '.join(ACTS)}")
    rows, foils = rows_of(case.read_search(search), search)
    with case.writing():
        told = _told(case, search)
        seed = told[0]["seed"] if told else secrets.randbits(SEED_BITS)
        review = Review.again(rows, seed, [each["event"] for each in told], foils)
        getattr(review, name)(actor, **given)
        (case.folder / REVIEWS).mkdir(exist_ok=True)
        file = case.files.next_name(REVIEWS, "R")
        data = canonical({"search": search, "seed": seed, "event": review.events[-1]})
        details = {"search": search, "step": name, **({} if told else {"seed": seed})}
        entry = Entry(_LOGGED_AS.get(name, Act.REVIEW), details=details)
        case.files.commit(f"{REVIEWS}/{file}.json", data, entry, case.journal(actor))
    return review


def times_of(case: Case, search: str) -> list[str]:
    """When each act of a search's review ended, UTC, in order."""
    entries = case.entries()
    return [e["ended"] for e in entries if e.get("details", {}).get("search") == search and "step" in e["details"]]


def rows_of(kept: dict[str, Any], search: str) -> tuple[list[int], list[int]]:
    """Row ids of the candidates of a kept search, best first, and of the foils among them.

    Raises:
        InputError: It has no candidate.
    """
    rows = [each["row_id"] for each in kept["result"]["candidates"]]
    if not rows:
        raise InputError(f"search {search}", found="no candidate", expected="candidates to be reviewed")
    return rows, list(kept.get("foils", {}).get("rows", ()))


def _told(case: Case, search: str) -> list[dict[str, Any]]:
    """The files of a search's review, in order."""
    logged = case.files.logged()
    names = sorted(name for name in logged if name.startswith(f"{REVIEWS}/"))
    told = (json.loads(case.files.kept(name, logged)) for name in names)
    return [each for each in told if each["search"] == search]
