"""What people and programs do in a case, the same for pages and API; `pipelines.casework` does the work."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from pipelines.casework.case.case import Case
from pipelines.casework.report.facts import worth_told
from pipelines.casework.report.overview import overview as case_overview
from pipelines.casework.report.overview import pictures_of
from pipelines.casework.review.examiners import count_work
from pipelines.casework.review.marks import read_marks
from pipelines.casework.review.review import Review, ReviewError, Step
from pipelines.casework.review.reviews import act, review_of
from pipelines.casework.searches.search import Picture, chosen
from pipelines.casework.searches.search import search as search_in
from pipelines.casework.searches.then import as_searched
from pipelines.search.gallery import Gallery
from tgfr_search.app.service import spoken
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.api.search import slow_down
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.pictures import Placed, placed
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import Role
from tgfr_search.errors import InputError
from tgfr_search.model.witnesses import Witness

log = logging.getLogger("tgfr_search.service")

EXAMINERS = "examiners"
"""Folder of the service in which it is counted how examiners decide: `tgfr-search examiner stats`."""
LIST_LENGTH = 20
"""Candidates that are compared; more than people compare with care helps nobody."""


def overview(case: Case, account: Account) -> dict[str, Any]:
    """What a case holds, and of each search what this account can do now."""
    told = case_overview(case)
    for each in told["searches"]:
        review = review_of(case, each["name"]) if each["candidates"] else None
        each["turn"] = turn_of(review, account)
    return told


def turn_of(review: Review | None, account: Account) -> str:
    """What this account can do now: `begin`, an act of its own work, `release`, `wait` or `none`."""
    if review is None or review.step is Step.OPENED:
        return "begin"
    persons = [event["actor"] for event in review.events if event["act"] == "begin"]
    match review.step:
        case Step.RELEASED:
            return "none"
        case Step.AGREED:
            return "release" if account.role is Role.REVIEWER else "wait"
        case Step.NEXT_PERSON:
            return "wait" if account.name in persons else "begin"
        case _ if persons[-1] != account.name:
            return "wait"
        case Step.ANALYSIS:
            return "analyse"
        case Step.COMPARISON:
            return "decide"
        case Step.MASKED:
            return "unmask"
        case _:
            return "conclude"


def search(
    hub: Hub,
    account: Account,
    case: Case,
    *,
    pictures: Sequence[Picture] = (),
    lines: Sequence[str] = (),
    witnesses: Sequence[Witness] = (),
    origin: str,
    where: str | None,
    index: str = "",
    top_k: int = LIST_LENGTH,
    population: str = "",
) -> str:
    """Searches in a case; returns the search's name alone: its candidates are for the blind review.

    Args:
        hub: What all requests share.
        account: Who searches.
        case: In which case.
        pictures: Of the unknown; none searches by description alone.
        lines: Of a description.
        witnesses: In place of it.
        origin: Of the words.
        where: As `Gallery.query`.
        index: Name of the gallery; the first where none is named.
        top_k: Candidates.
        population: Who might be in the pictures, where these are not the people of the calibration: no ratios then.

    Raises:
        Problem: Too many searches, or no such gallery.
        InputError, FaceError, FilterError, AuditError: As `pipelines.casework.searches.search.search`.
    """
    first, more = (pictures[0], pictures[1:]) if pictures else (None, ())
    slow_down(hub, account)
    _, gallery = hub.gallery(index)
    told = Gallery(gallery.store, gallery.model, gallery.finder, hub.journal_of(account), gallery.judge)
    name, _ = hub.encode(
        lambda: search_in(
            case, told, actor=account.name, evidence=None if first is None else first.evidence,
            face=None if first is None else first.face, more=more, lines=lines, witnesses=witnesses,
            origin=origin, top_k=top_k, where=where, population=population,
        )
    )  # fmt: skip
    hub.metrics.searches.inc()
    return name


def review_act(hub: Hub, case: Case, search: str, name: str, account: Account, given: dict[str, Any]) -> Review:
    """One act of a review by an account that may; how it decides is counted apart from the case.

    Raises:
        Problem: It is to be released by somebody who is no reviewer.
        ReviewError, InputError, AuditError: As `pipelines.casework.review.reviews.act`.
    """
    if name == "release" and account.role is not Role.REVIEWER:
        raise Problem(403, "not_allowed", "a reviewer releases", "ask one")
    try:
        review = act(case, search, name, actor=account.name, **given)
    except TypeError as error:
        raise ReviewError(name, found=f"other values than it takes: {', '.join(given) or 'none'}") from error
    if name == "decide":
        hub.drafts.drop(case, search, account.name)  # a kill before it leaves what no page shows any more
    try:
        count_work(hub.settings.data / EXAMINERS, case, search, review)
    except InputError as error:  # the act is done and logged: what is derived from it must not make it fail
        log.error(json.dumps({"case": case.id, "search": search, "examiners": str(error)}))
    return review


def marks_of(text: str) -> dict[str, Any]:
    """The marks of a form, as JSON text, for an act that takes some; nothing where it has none.

    Raises:
        ReviewError: It is no list of JSON.
    """
    if not text.strip():
        return {}
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, list):
        raise ReviewError("marks", found="no list of JSON", expected="marks as the API takes them")
    return {"marks": told}


def keep_draft(hub: Hub, case: Case, search: str, account: Account, label: str, marks: str) -> None:
    """Keeps marks that are not locked yet, of the candidate that this account compares now.

    Raises:
        ReviewError: It compares another one, or none; or the marks are none.
    """
    view = seen(case, search, account)
    if view["turn"] != "decide" or next_label(view) != label:
        raise ReviewError("draft", found=f"marks of {label[:8]}", expected="of the candidate that is compared now")
    hub.drafts.keep(case, search, account.name, label, read_marks(marks_of(marks).get("marks", ())))


def seen(case: Case, search: str, account: Account) -> dict[str, Any]:
    """All of a search that an account may see now: of a candidate only its label, until its own work is unmasked."""
    kept, review = case.read_search(search), review_of(case, search)
    view: dict[str, Any] = {"step": str(Step.OPENED)} if review is None else review.view(account.name)
    result = kept["result"]
    by_row = {hit["row_id"]: hit for hit in result["candidates"]}
    for candidate in view.get("candidates", ()):
        if "row" in candidate:
            hit = by_row[candidate["row"]]
            candidate |= {name: hit[name] for name in ("subject_id", "score", "caption", "auto_caption", "blocks")}
            candidate |= {"lr": hit.get("lr"), "expected_strangers": hit.get("expected_strangers"), **worth_told(hit)}
            candidate["rivals"] = rivals(hit, result["candidates"])
            candidate |= {"card": spoken.card(hit.get("attributes")), "statements": hit.get("statements", [])}
    over = "persons" in view
    own = [event for event in review.events if event["actor"] == account.name] if review is not None else []
    view |= {
        "search": search,
        "turn": turn_of(review, account),
        "count": len(by_row) + len(kept.get("foils", {}).get("rows", ())),
        "analysis": next((event["text"] for event in own if event["act"] == "analyse"), ""),
        "evidence": kept["evidence"],
        "pictures": probe_pictures(kept),
        "witnesses": kept["asked"].get("witnesses") or [],
        "understood": spoken.understood(result.get("description")),
        "lines": kept["asked"]["lines"],
        "origin": kept["origin"],
        "where": kept["asked"]["where"],
        "searched": result.get("searched"),
        "rows": _rows_of(case, search),
    }
    if over or any("row" in each for each in view.get("candidates", ())):
        view |= {name: result[name] for name in ("index_id", "model_id", "notice", "mode", "offset")}
        view["notes"] = [note.partition("; --")[0] for note in result["notes"]]  # nobody types options here
        view |= {"calibration": result.get("calibration")}
        view["foils_declared"] = bool(case.lab.foil_where)
        question = spoken.next_question(result["candidates"], result.get("description"))
        view |= {"card": spoken.card(result["probe"].get("attributes"))}
        view |= {"question": None if question is None else question.as_dict()}
    if over:
        view["hits"] = [{**hit, **worth_told(hit)} for hit in result["candidates"]]
        view["events"] = [] if review is None else review.events
        drawn, declared = kept.get("foils"), {"declared": case.lab.foil_where}
        view["foils"] = {**{name: drawn[name] for name in ("rate", "rows")}, **declared} if drawn else None
    return view


def _rows_of(case: Case, search: str) -> int | None:
    """How many records the gallery had when it was searched."""
    asked = (entry for entry in case.entries() if entry.get("details", {}).get("file") == f"searches/{search}.json")
    return next((int(entry["index"]["rows"]) for entry in asked if "index" in entry), None)


def searched_gallery(hub: Hub, kept: dict[str, Any]) -> Gallery:
    """The gallery that a kept search was made in, at the state that it holds: a row is the one that was found.

    Raises:
        Problem: It is not served.
    """
    index_id = kept["result"]["index_id"].rpartition("@")[0]
    name = next((name for name, each in hub.galleries.items() if each.store.index_id == index_id), None)
    if name is None:
        raise Problem(404, "no_such_index", "the gallery that was searched is not served")
    _, found = hub.gallery(name)
    then = as_searched(found.store, kept["result"]["index_id"])
    return found if then is found.store else Gallery(then, found.model, found.finder, None, found.judge)


def probe_place(hub: Hub, case: Case, search: str, picture: int) -> tuple[bytes, Placed | None]:
    """A picture of the unknown as it was received, and where the face lies that was searched with.

    Args:
        hub: What all requests share.
        case: The case.
        search: A search in it.
        picture: Number of the picture, from 1.

    Raises:
        Problem: There is no such picture, or the gallery that was searched is not served.
    """
    kept = case.read_search(search)
    all_ = kept["asked"].get("pictures") or [{"evidence": kept["evidence"], "face": kept["asked"].get("face")}]
    if not 0 < picture <= len(all_) or all_[picture - 1]["evidence"] is None:
        raise Problem(404, "no_picture", "searched by description alone, or with fewer pictures")
    asked = all_[picture - 1]
    gallery, data = searched_gallery(hub, kept), case.evidence(asked["evidence"])
    key = (str(case.folder), search, picture)
    return data, hub.places.of(key, lambda: hub.encode(lambda: placed(gallery, data, chosen(asked))))


def probe_pictures(kept: dict[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a kept search: each one's name, why it was left out, and whether it is the best one."""
    told = kept["result"]["probe"].get("pictures") or []
    names = pictures_of(kept)
    out = [{"evidence": name, "left_out": "", "quality": None} for name in names]
    for each, own in zip(out, told, strict=False):
        each["left_out"] = (own["error"] or {}).get("reason", "")
        each["quality"] = (own.get("quality") or {}).get("predicted")
    used = [at for at, each in enumerate(out) if not each["left_out"]]
    best = max(used, key=lambda at: (out[at]["quality"] or 0.0, -at), default=0)
    return [{**each, "best": at == best} for at, each in enumerate(out)]


def rivals(hit: dict[str, Any], hits: Sequence[dict[str, Any]]) -> list[int]:
    """Ranks of the other candidates whose likelihood ratio is within a factor of ten of this one's."""
    own = (hit.get("lr") or {}).get("log10")
    if own is None:
        return []
    others = ((each["rank"], (each.get("lr") or {}).get("log10")) for each in hits if each is not hit)
    return [rank for rank, lr in others if lr is not None and abs(own - lr) <= 1]


def next_label(view: dict[str, Any]) -> str:
    """The candidate that is compared now."""
    return str(next(each["label"] for each in view["candidates"] if "decision" not in each))
