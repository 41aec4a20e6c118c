"""The facts of a report as a language writes them: numbers, dates, reasons; the same for page and paper."""

from __future__ import annotations

from typing import Any

from pipelines.casework.report.facts import FOIL, Facts
from pipelines.casework.review.terms import Decision
from tgfr_search.pages.catalogue import Words


def spoken(facts: Facts, words: Words) -> dict[str, Any]:
    """The fields of the facts by name, with whatever a template prints of them as text."""
    return {
        **facts.values(),
        "case": {**facts.case, "opened": words.when(facts.case["opened"])},
        "ended": words.when(facts.ended),
        "entries": words.count(facts.entries),
        "searches": [_search(each, words) for each in facts.searches],
    }


def _search(told: dict[str, Any], words: Words) -> dict[str, Any]:
    quality, eyes, searched = (told[name] for name in ("quality", "eyes", "searched"))
    return {
        **told,
        **{name: words.when(told[name]) for name in ("started", "ended")},
        "rows": words.count(told["rows"]) if told["rows"] else "",
        "searched": None if searched is None else words.count(searched),
        "quality": None if quality is None else words.decimal(quality, 2),
        "eyes": None if eyes is None else words.decimal(eyes, 0),
        "propositions": words.propositions(told["propositions"]),
        "hits": [_hit(each, words) for each in told["hits"]],
        "marks": [_mark(each, words) for each in told["marks"]],
        "history": [_event(each, words) for each in told["history"]],
        "foils": None if told["foils"] is None else _foils(told["foils"], words),
    }


def _hit(hit: dict[str, Any], words: Words) -> dict[str, Any]:
    told = {"score": words.decimal(hit["score"], 3), "expected": words.figures(hit["expected"])}
    return {**hit, **told, "ratio": words.ratio(hit)}


def _mark(mark: dict[str, Any], words: Words) -> dict[str, Any]:
    places = [mark["probe"], mark["candidate"]]
    told = ["–" if at is None else f"({'; '.join(words.decimal(each, 2) for each in at)})" for at in places]
    return {**mark, "place": " ".join(told)}


def _event(event: dict[str, Any], words: Words) -> dict[str, Any]:
    rank = words("report.foil") if event["rank"] == FOIL else str(event["rank"] or "")
    return {**event, "when": words.when(event["when"]), "rank": rank}


def _foils(told: dict[str, Any], words: Words) -> dict[str, Any]:
    def said(decision: str) -> str:
        if not decision:
            return "–"
        wrong = f" ({words('report.false_positive')})" if decision == Decision.SAME else ""
        return words.of("decision", decision) + wrong

    rows = [
        {**each, "decisions": {actor: said(made) for actor, made in each["decisions"].items()}} for each in told["rows"]
    ]
    return {"rate": words.decimal(told["rate"], 2), "count": words.count(len(rows)), "rows": rows}
