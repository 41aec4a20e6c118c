"""The facts of a report as a language writes them: numbers, dates, reasons; the same for page and paper."""

from __future__ import annotations

from typing import Any

from pipelines.casework.report.facts import FOIL, Facts
from pipelines.casework.review.terms import Decision
from tgfr_search.pages.catalogue import Words
from tgfr_search.pages.sentences import said


def spoken(facts: Facts, words: Words) -> dict[str, Any]:
    """The fields of the facts by name, with whatever a template prints of them as text."""
    return {
        **facts.values(),
        "case": {
            **facts.case,
            "opened": words("report.by", when=words.when(facts.case["opened"]), actor=facts.case["by"]),
            "notes": [_when(each, words) for each in facts.case["notes"]],
        },
        "evidence": [_when(each, words) for each in facts.evidence],
        "ended": words.when(facts.ended),
        "entries": words.count(facts.entries),
        "derived": [_derivative(each, words) for each in facts.derived],
        "searches": [_search(each, words) for each in facts.searches],
    }


def _when(told: dict[str, Any], words: Words) -> dict[str, Any]:
    """When something was received or kept, and by whom."""
    return {**told, "received": words("report.by", when=words.when(told["when"]), actor=told["by"])}


def _derivative(told: dict[str, Any], words: Words) -> dict[str, Any]:
    """A derivative with its operation and parameters, whose names a person gave, as one text."""
    given = [f"{name} = {words.figures(f'{value:,g}')}" for name, value in told["parameters"].items()]
    return {
        **_when(told, words),
        "done": words.of("operation", told["operation"]) + (f" ({'; '.join(given)})" if given else ""),
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
        "face": "; ".join(" ".join([name, _face(face, words)]).strip() for name, face in told["chosen"]),
        "steps": [words.of("operation", each) for each in told["steps"]],
        "notes": [said(each, words) for each in told["notes"]],
        "lines": _lines(told, words),
        "propositions": _propositions(told, words),
        "none": _none(told, words),
        "hits": [_hit(each, words) for each in told["hits"]],
        "marks": [_mark(each, words) for each in told["marks"]],
        "history": [_event(each, words) for each in told["history"]],
        "foils": None if told["foils"] is None else _foils(told["foils"], words),
    }


def _propositions(told: dict[str, Any], words: Words) -> list[str]:
    """H1 and H2; where no candidate has a ratio first that there is none, and why."""
    both = words.propositions(told["propositions"])
    refused = [(hit.get("lr") or {}).get("refused") for hit in told["hits"]]
    if not both or not refused or not all(refused):
        return both
    why = "; ".join(dict.fromkeys(words.of("refusal", each) for each in refused))
    return [words("report.all_refused", why=why), *both]


def _none(told: dict[str, Any], words: Words) -> str:
    """What the disclosure asks for and this search has none of: foils, features that were compared."""
    lacks = [name for name in ("foils", "marks") if told["persons"] and not told[name]]
    return " ".join(words(f"report.no_{name}") for name in lacks)


def _lines(told: dict[str, Any], words: Words) -> list[str]:
    """The description, quoted; of several witnesses each one's, with how far each is believed."""
    if not told["witnesses"]:
        return [words("page.quoted", text=each) for each in told["lines"]]
    out = []
    for number, each in enumerate(told["witnesses"], start=1):
        believed = words("search.believed", share=words.figures(f"{each['reliability']:g}"))
        quoted = " ".join(words("page.quoted", text=line) for line in each["lines"])
        out.append(f"{words('search.witness', number=number)} ({believed}): {quoted}")
    return out


def _face(chosen: dict[str, Any], words: Words) -> str:
    """Which face was chosen: by its number, a rectangle, or points."""
    if "box" in chosen:
        x, y, width, height = (words.figures(f"{each:g}") for each in chosen["box"])
        return words("choice.box", x=x, y=y, width=width, height=height)
    if "points" in chosen:
        places = ["; ".join(words.figures(f"{each:g}") for each in point) for point in chosen["points"]]
        return words("choice.points", points=" ".join(f"({each})" for each in places))
    return words("choice.number", number=chosen["number"])


def _hit(hit: dict[str, Any], words: Words) -> dict[str, Any]:
    told = {"score": words.decimal(hit["score"], 3), "expected": words.figures(hit["expected"])}
    return {**hit, **told, "ratio": words.ratio(hit)}


def _mark(mark: dict[str, Any], words: Words) -> dict[str, Any]:
    places = [mark["probe"], mark["candidate"]]
    told = ["–" if at is None else f"({'; '.join(words.decimal(each, 2) for each in at)})" for at in places]
    return {**mark, "place": " ".join(told)}


def _event(event: dict[str, Any], words: Words) -> dict[str, Any]:
    rank = words("report.foil") if event["rank"] == FOIL else str(event["rank"] or "")
    rank += f" ({event['label']})" if event["label"] else ""
    return {**event, "when": words.when(event["when"]), "rank": rank}


def _foils(told: dict[str, Any], words: Words) -> dict[str, Any]:
    def made_of(decision: str) -> str:
        if not decision:
            return "–"
        wrong = f" ({words('report.false_positive')})" if decision == Decision.SAME and told["declared"] else ""
        return words.of("decision", decision) + wrong

    rows = [
        {**each, "decisions": {actor: made_of(made) for actor, made in each["decisions"].items()}}
        for each in told["rows"]
    ]
    return {"note": words.foils(told), "rows": rows}
