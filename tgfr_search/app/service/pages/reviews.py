"""The blind review of a search: one address for all of its steps, which shows what this account may see now."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Form, Query, Request, Response

from indexer import UnknownRowError
from pipelines.casework.case.case import Case
from pipelines.casework.review.marks import MOST, Feature, Found
from pipelines.casework.review.review import Conclusion, Decision, Step
from pipelines.casework.review.reviews import review_of
from tgfr_search.app.service import casework, pictures
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.casebook import look, need_part, state_of
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.pages.common import page, see
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Routes

routes = Routes()
PATH = "/cases/{case}/searches/{search}"
DECISIONS = (
    Decision.EXCLUDED,
    Decision.DIFFERENT,
    Decision.INCONCLUSIVE,
    Decision.SAME,
    Decision.NOT_SUITABLE,
)
"""In the order of the keys 1 to 5."""
TEMPLATES = {
    "analyse": "analysis.html",
    "decide": "compare.html",
    "unmask": "masked.html",
    "conclude": "unmasked.html",
}
Short = Annotated[str, Form(max_length=64)]
Text = Annotated[str, Form(max_length=20_000)]


@routes("GET", PATH, CASEWORK)
def review_page(
    hub: TheHub,
    request: Request,
    account: Who,
    case: str,
    search: str,
    picture: Annotated[int, Query(ge=0, le=99)] = 0,
) -> Response:
    """The step at which the review is for this account; of several pictures shows the best, or the one of a number."""
    opened = hub.cases.open(case, account)
    look(opened, account, f"search {need_part(search)}")
    view = casework.seen(opened, search, account)
    template = TEMPLATES.get(view["turn"], "waiting.html")
    if "persons" in view:
        template = "released.html"
    shown = next((at for at, each in enumerate(view["pictures"], start=1) if each["best"]), 1)
    label = casework.next_label(view) if view["turn"] == "decide" else ""
    picture = picture if 0 < picture <= len(view["pictures"]) else shown
    place = None
    if view["evidence"] and view["turn"] in ("analyse", "decide"):
        _, place = casework.probe_place(hub, opened, search, picture)
    return page(
        request,
        template,
        case=case,
        search=search,
        view=view,
        label=label,
        picture=picture,
        place=None if place is None else " ".join(f"{each:.6g}" for each in place.transform()),
        state=state_of(opened),
        decisions=DECISIONS,
        features=list(Feature),
        findings=list(Found),
        most_marks=MOST,
        draft=json.dumps(_draft(hub, opened, search, account, label)),
        eyes=pictures.eyes_of(hub.gallery()[1]),
        conclusions=list(Conclusion),
        is_released=view["step"] == Step.RELEASED,
        purpose=opened.purpose,
        basis=opened.basis,
        checkpoint=opened.files.log.checkpoint().splitlines() if "persons" in view else [],
    )


@routes("POST", PATH, CASEWORK)
def review_act(
    hub: TheHub,
    account: Who,
    case: str,
    search: str,
    act: Short,
    state: Short = "*",
    text: Text = "",
    suitable: Short = "",
    label: Short = "",
    decision: Short = "",
    conclusion: Short = "",
    reason: Text = "",
    marks: Annotated[str, Form(max_length=200_000)] = "",
) -> Response:
    """Carries out one act, and shows what comes next; `marks` are those of the API, as JSON text."""
    seen = casework.marks_of(marks)
    takes: dict[str, dict[str, Any]] = {
        "analyse": {"text": text, "suitable": suitable != "no"},
        "decide": {"label": label, "decision": decision, **seen},
        "revise": {"label": label, "decision": decision, "reason": reason, **seen},
        "conclude": {"conclusion": conclusion},
    }
    with hub.cases.changing(case, state, account) as opened:
        casework.review_act(hub, opened, need_part(search), act, account, takes.get(act, {}))
    return see(f"/cases/{case}/searches/{search}")


@routes("POST", PATH + "/draft", CASEWORK, status_code=204)
def draft(
    hub: TheHub,
    account: Who,
    case: str,
    search: str,
    label: Short = "",
    marks: Annotated[str, Form(max_length=200_000)] = "",
) -> None:
    """Keeps marks that are not locked yet; the page has them when it is loaded again."""
    casework.keep_draft(hub, hub.cases.open(case, account), need_part(search), account, label, marks)


@routes("GET", PATH + "/candidates/{label}", CASEWORK)
def candidate_picture(hub: TheHub, account: Who, case: str, search: str, label: str) -> Response:
    """The face of a candidate under this account's own label for it."""
    opened = hub.cases.open(case, account)
    review = review_of(opened, need_part(search))
    if review is None:
        raise Problem(409, "not_now", "nobody has begun the review")
    row = review.row_to_show(account.name, label)
    gallery = casework.searched_gallery(hub, opened.read_search(search))
    try:
        picture = pictures.row_chip(gallery, row)
    except UnknownRowError as error:
        do = "bring back a snapshot of it"
        raise Problem(
            404, "no_picture", "the row was deleted, and the state that was searched is not held", do
        ) from error
    if picture is None:
        raise Problem(404, "no_picture", "the gallery keeps no picture of it")
    look(opened, account, f"search {search}, {label}")
    return Response(picture, media_type="image/jpeg")


def _draft(hub: Hub, case: Case, search: str, account: Account, label: str) -> list[dict[str, Any]]:
    return [each.told() for each in hub.drafts.find(case, search, account.name, label)] if label else []
