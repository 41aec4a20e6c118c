"""The commands that show a case and review its searches: blind, one candidate after another, by two people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Actor
from tgfr_search.app.cli.case import Folder
from tgfr_search.app.cli.examiner import Statistics
from tgfr_search.app.cli.options import Json
from tgfr_search.audit.journal import account
from tgfr_search.errors import InputError
from tgfr_search.outputs import check_file, marked_jpeg, write_whole

STEPS = "begin, analyse, decide, unmask, revise, conclude, release"


def open_(directory: Folder, actor: Actor = None, as_json: Json = False) -> None:
    """Show what a case holds and where its reviews stand; that it was looked at is logged, but of an imported one."""
    from pipelines.casework.exchange.imported import open_to_read
    from pipelines.casework.report.overview import look, overview

    case = open_to_read(directory)
    if not case.imported:
        look(case, "case", actor=actor or account())
    values = {**overview(case), "imported": case.imported}

    def show() -> None:
        told = {name: values[name] for name in ("id", "purpose", "basis", "opened", "closed")}
        console.pairs({**told, "evidence": len(values["evidence"]), "notes": len(values["notes"])})
        rows = [
            [each["name"], each["evidence"] or "–", str(each["candidates"]), each["step"]]
            for each in values["searches"]
        ]
        console.table("searches", ("search", "evidence", "candidates", "review"), rows)

    console.emit(values, as_json, show)


def decide(
    directory: Folder,
    search: Annotated[str, typer.Argument(metavar="SEARCH", help="Name of the search, for instance S0001.")],
    step: Annotated[
        str | None, typer.Argument(metavar="[STEP]", help=f"One of: {STEPS}. Without one it is shown what comes next.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="analyse: what is seen in the probe.")] = None,
    unsuitable: Annotated[bool, typer.Option("--unsuitable", help="analyse: the probe does not serve.")] = False,
    label: Annotated[str | None, typer.Option(help="decide, revise: which candidate, for instance C01.")] = None,
    decision: Annotated[
        str | None,
        typer.Option(
            help="decide, revise: excluded, support for different, inconclusive, support for same, not suitable."
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="revise: why the decision changes.")] = None,
    mark: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE=FOUND[: NOTE]",
            help='decide, revise: a feature that was compared, as "nose=similar: broad bridge"; found is similar, '
            "different or not visible; may be repeated.",
        ),
    ] = None,
    conclusion: Annotated[
        str | None, typer.Option(help="conclude: potential candidates, no candidate, inconclusive.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also write the face of the candidate that is compared now (.jpg).")
    ] = None,
    statistics: Statistics = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Review a search blind: no score, rank or name until all candidates are decided on, then by a second person."""
    from pipelines.casework.case.case import Case
    from pipelines.casework.report.overview import look
    from pipelines.casework.review.examiners import count_work
    from pipelines.casework.review.review import Step
    from pipelines.casework.review.reviews import act, review_of

    case, who = Case.open(directory), actor or account()
    given: dict[str, Any] = {
        "marks": [_mark(each) for each in mark] if mark else None,
        "text": text, "label": label, "decision": decision, "reason": reason, "conclusion": conclusion,
        "suitable": False if unsuitable else None,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    takes = {"analyse": {"text", "suitable"}, "decide": {"label", "decision", "marks"}, "conclude": {"conclusion"}}
    takes["revise"] = {"label", "decision", "reason", "marks"}
    if extra := sorted(given.keys() - takes.get(step or "", set())):
        names = ", ".join({"suitable": "--unsuitable", "marks": "--mark"}.get(name, f"--{name}") for name in extra)
        raise InputError(f"case decide {step or ''}".strip(), found=names, expected="options of that step")
    if lacks := sorted(takes.get(step or "", set()) - given.keys() - {"suitable", "marks"}):
        missing = " and no ".join(f"--{name}" for name in lacks)
        raise InputError(f"case decide {step}", found=f"no {missing}", expected="what that step takes")
    if picture is not None:  # before the act, which stays done
        check_file(picture, endings=(".jpg", ".jpeg"), outside=[case.folder])
    if step is None:
        look(case, f"search {search}", actor=who)
    review = review_of(case, search) if step is None else act(case, search, step, actor=who, **given)
    if statistics is not None and review is not None and step is not None:
        count_work(statistics, case, search, review)
    view: dict[str, Any] = {"step": str(Step.OPENED)} if review is None else review.view(who)
    waiting = [each["label"] for each in view.get("candidates", ()) if "decision" not in each]
    values = {"search": search, **view, "next": waiting[0] if waiting else None}
    if picture is not None:
        if review is None or not waiting:
            raise InputError("--picture", found="no candidate to be compared now", expected="one whose turn it is")
        _write_picture(picture, case, search, review.row_to_show(who, waiting[0]))

    def show() -> None:
        console.pairs({"search": search, "step": values["step"], "next": values["next"] or "–"})
        rows = [
            [each["label"], each.get("decision", "–"), str(each.get("row", "–")), _rank(each, case.lab.foil_where)]
            for each in view.get("candidates", ())
        ]
        if rows:
            console.table("candidates", ("label", "decision", "row", "rank"), rows)
        for person in view.get("persons", ()):
            console.say(f"{person['actor']}: {person['conclusion']}")

    console.emit(values, as_json, show)


def report(
    directory: Folder,
    target: Annotated[Path, typer.Argument(metavar="OUT.pdf", help="File to write, .pdf or .html, outside the case.")],
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
    force: Annotated[bool, typer.Option("--force", help="Also over a file that is no earlier report.")] = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Write the report of a case whose searches are released; twice the same case is twice the same bytes."""
    from pipelines.casework.case.case import Case
    from pipelines.casework.report.report import write_report
    from tgfr_search.pages.catalogue import LANGUAGES

    if language not in LANGUAGES:
        raise InputError("--language", found=language, expected=f"one of: {', '.join(LANGUAGES)}")
    digest = write_report(Case.open(directory), target, actor=actor or account(), language=language, force=force)
    values = {"report": str(target), "sha256": digest}
    console.emit(values, as_json, lambda: console.pairs(values))


def _rank(candidate: dict[str, Any], declared: str) -> str:
    """The rank of one that is unmasked; of a foil, that it is one, and of a known stranger what was decided wrong."""
    if not candidate.get("foil"):
        return str(candidate.get("rank", "–"))
    return "foil: false positive" if candidate["decision"] == "support for same" and declared else "foil"


def _mark(text: str) -> dict[str, str]:
    """A mark without places, as it is given: `FEATURE=FOUND[: NOTE]`."""
    what, colon, note = text.partition(":")
    feature, equals, found = what.partition("=")
    if not equals:
        raise InputError("--mark", found=text, expected='FEATURE=FOUND[: NOTE], as "nose=similar: broad bridge"')
    return {"feature": feature.strip(), "found": found.strip(), "note": note.strip() if colon else ""}


def _write_picture(path: Path, case: Any, search: str, row: int) -> None:
    """The kept face of a row; nothing in it says whose it is."""
    from indexer import Store
    from pipelines.casework.searches.replay import index_of_search
    from pipelines.casework.searches.then import as_searched

    index_id = str(case.read_search(search)["result"]["index_id"])
    store = Store.open(index_of_search(case, search))
    if store.index_id != index_id.rpartition("@")[0]:
        raise InputError("--picture", found=f"another index at {store.path}", expected="the one that was searched")
    (found,) = as_searched(store, index_id).rows([row])
    if found.chip is None:
        raise InputError("--picture", found="no picture kept", expected="an index that keeps its crops")
    write_whole(path, marked_jpeg(found.chip))
