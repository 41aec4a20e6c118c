"""What a report tells of a case, as plain values: the same for the page and for the paper.

All of it comes from what the log commits to, up to the last act that is not itself a report, an export or a look.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

from pipelines.casework.case.case import AUDIT, CASE, Case
from pipelines.casework.case.evidence import place
from pipelines.casework.report.overview import overview
from pipelines.casework.review.review import Review, ReviewError, Step
from pipelines.casework.review.reviews import review_of, times_of
from tgfr_search.audit import verify
from tgfr_search.audit.entries import Act
from tgfr_search.audit.verify import LOG, Record, checkpoint_text, read_records
from tgfr_search.forensic.statement import log10_text

FEWEST = 0.001
"""Fewer expected strangers are not told by number: that far, a tail is extrapolated."""
FOIL = "foil"
"""In the place of a rank, of who has none."""
PASSED_OVER = frozenset({Act.EXPORT, Act.REPORT, Act.VIEW})
"""Acts after which nothing else is reported than before."""


@dataclass(frozen=True)
class Facts:
    """What is reported.

    Attributes:
        case: As `overview.overview`; who opened it (`by`), and who kept each note (`by`) when (`when`).
        evidence: Name, kind and SHA-256 of each file, who received it (`by`) and when.
        derived: Name, parent, operation, parameters and SHA-256 of each derivative, who received it and when.
        searches: Of each, what was asked, the whole list, who decided what and when.
        checkpoint: The signed head of the log, line by line.
        entries: That it signs.
        ended: UTC of the last of them; the date of the report.
        software: That wrote the last of them.
    """

    case: dict[str, Any]
    evidence: list[dict[str, Any]]
    derived: list[dict[str, Any]]
    searches: list[dict[str, Any]]
    checkpoint: list[str]
    entries: int
    ended: str
    software: str

    def values(self) -> dict[str, Any]:
        """The fields by name, not copied."""
        return dict(vars(self))


def facts_of(case: Case) -> Facts:
    """Everything that a report of this case tells.

    Raises:
        ReviewError: A search with candidates is not released.
        InputError: A file of the case is not as it was logged.
    """
    told = overview(case)
    logged = case.files.logged()
    kept = {e["details"]["file"]: e for e in case.entries() if "file" in e.get("details", {})}
    evidence, derived = (
        [{**each, **_received(case, kept, place(each["name"]), logged)} for each in files]
        for files in (told["evidence"], told["derived"])
    )
    searches = [_search(case, each, kept[f"searches/{each['name']}.json"]) for each in told["searches"]]
    told["by"] = kept[CASE]["actor"]
    told["notes"] = [{**each, **_by(kept[f"notes/{each['name']}.txt"])} for each in told["notes"]]
    records = _records(case)
    last = json.loads(records[-1].body or b"{}")
    return Facts(
        told, evidence, derived, searches, _checkpoint(case, records), len(records), last.get("ended", ""),
        last.get("software", ""),
    )  # fmt: skip


def _received(case: Case, kept: dict[str, Any], name: str, logged: dict[str, str]) -> dict[str, str]:
    """SHA-256 of a file as it is, who received it and when."""
    return {"sha256": hashlib.sha256(case.files.kept(name, logged)).hexdigest(), **_by(kept[name])}


def _by(entry: dict[str, Any]) -> dict[str, str]:
    return {"by": entry["actor"], "when": entry["ended"]}


def _search(case: Case, told: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """All of one search: what was asked, the whole list, everybody's decisions in order."""
    kept = case.read_search(told["name"])
    result, asked = kept["result"], kept["asked"]
    review = review_of(case, told["name"]) if result["candidates"] else None
    if result["candidates"] and (review is None or review.step is not Step.RELEASED):
        raise ReviewError(
            f"search {told['name']}",
            found=told["step"],
            expected="a release, after two people who agree or a third one's conclusion",
            do="case decide, or the service",
        )
    calibration = result.get("calibration") or {}
    quality = result["probe"].get("quality") or {}
    return {
        **told,
        "actor": entry["actor"],
        "started": entry["started"],
        "ended": entry["ended"],
        "software": entry["software"],
        "rows": entry["index"]["rows"],
        "searched": result.get("searched"),
        "asked_for": asked["top_k"],
        "chosen": _chosen(asked),
        "population": asked.get("population", ""),
        "witnesses": asked.get("witnesses") or [],
        "steps": entry.get("processing", []),
        "faces": len(result["probe"].get("faces") or []),
        "hits": [{**hit, **worth_told(hit)} for hit in result["candidates"]],
        "calibration": calibration.get("sha256", ""),
        "propositions": calibration,
        "cohort": calibration.get("cohort_sha256", ""),
        "index_sha256": result.get("index_sha256", ""),
        "quality": quality.get("predicted"),
        "eyes": quality.get("inter_eye_px"),
        "sha256": result["probe"].get("sha256"),
        **{name: result[name] for name in ("index_id", "model_id", "mode", "notes")},
        **_reviewed(case, kept, review),
    }  # fmt: skip


def _reviewed(case: Case, kept: dict[str, Any], review: Review | None) -> dict[str, Any]:
    """Who examined the list and what each one did, in order, with the time of each act."""
    if review is None:
        return {"persons": [], "history": [], "marks": [], "foils": None, "released_by": "", "conclusion": ""}
    ranks = {
        actor: {each["label"]: each.get("rank", FOIL) for each in review.view(actor).get("candidates", ())}
        for actor in {event["actor"] for event in review.events}
    }
    history = [
        {
            **{key: event[key] for key in ("actor", "act")},
            **{key: event.get(key, "") for key in ("label", "decision", "conclusion", "reason")},
            "when": when,
            "rank": ranks[event["actor"]].get(event.get("label", "")),
        }
        for when, event in zip(times_of(case, kept["search"]), review.events, strict=True)
    ]
    analyses = {event["actor"]: event for event in review.events if event["act"] == "analyse"}
    persons = [
        {**each, **{key: analyses[each["actor"]][key] for key in ("text", "suitable")}}
        for each in review.view("").get("persons", ())
    ]
    return {
        "persons": persons,
        "history": history,
        "marks": _marks(review, persons),
        "foils": _foils(kept, persons, case.lab.foil_where),
        "released_by": next((event["actor"] for event in review.events if event["act"] == "release"), ""),
        "conclusion": str(review.conclusion or ""),
    }


def _foils(kept: dict[str, Any], persons: list[dict[str, Any]], declared: str) -> dict[str, Any] | None:
    """The foils among the candidates and how each person decided on each; None where the laboratory had none.

    Earlier versions drew them also where the laboratory had declared nobody (`declared` is empty): these people are not
    known to be strangers.
    """
    if "foils" not in kept:
        return None
    rows = [
        {"row": row, "decisions": {each["actor"]: each["foils"].get(row, "") for each in persons}}
        for row in kept["foils"]["rows"]
    ]
    return {"rate": kept["foils"]["rate"], "declared": declared, "rows": rows}


def _marks(review: Review, persons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The features that were compared, as they stand at the end, by rank of the candidate and person."""
    return [
        {"rank": rank, "actor": person["actor"], **mark}
        for rank, row in enumerate(review.rows, start=1)
        for person in persons
        for mark in person["marks"].get(row, ())
    ]


def worth_told(hit: dict[str, Any]) -> dict[str, str]:
    """What a candidate's score is worth, as people read it: `ratio` and `expected` strangers.

    The ratio is log10 LR with its interval, `*` where a bound cuts it, the reason where there is no number.
    """
    return {"ratio": _ratio_told(hit), "expected": _few(hit.get("expected_strangers"))}


def _ratio_told(hit: dict[str, Any]) -> str:
    lr = hit.get("lr")
    if not lr:
        return "–"
    if lr["log10"] is None:
        return str(lr["refused"]).replace("_", " ")
    return log10_text(lr["log10"], lr["low"], lr["high"]) + (" *" if lr["bounded"] else "")


def _chosen(asked: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Picture and which of its faces was chosen, where it is not the largest; of one picture without its name."""
    several = asked.get("pictures") or [{"evidence": "", "face": asked.get("face")}]
    return [(str(each["evidence"]), each["face"]) for each in several if each["face"]]


def _few(strangers: float | None) -> str:
    """Expected strangers with two digits that mean something; never none at all, which nobody counted."""
    if strangers is None:
        return "–"
    if strangers < FEWEST:
        return f"< {FEWEST}"
    return f"{strangers:.2g}" if strangers < 10 else f"{strangers:,.0f}"


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
