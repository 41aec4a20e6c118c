"""Searches of cases: what was asked is kept whole with the answer, so that the same can be asked again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from indexer import Store
from pipelines.casework.case import holds
from pipelines.casework.case.case import Case
from pipelines.casework.case.evidence import GENERATED, about, steps_to
from pipelines.casework.searches import foils
from pipelines.casework.searches.pictures import Picture, chosen, pictures_of, told_face
from pipelines.search.evidence import Judge
from pipelines.search.gallery import Gallery
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.forensic.calibration import read_calibration
from tgfr_search.forensic.evidence import Declared
from tgfr_search.forensic.refusals import NOT_THE_PERSON, ProbeKind
from tgfr_search.forensic.words import Origin
from tgfr_search.model.witnesses import Witness
from tgfr_search.types import QueryResult

__all__ = ["Picture", "chosen", "search"]

CALIBRATIONS = "calibrations"
NONE: Literal["none"] = "none"
"""In the place of a calibration's file: the answer has no likelihood ratios."""


def search(
    case: Case,
    gallery: Gallery,
    *,
    actor: str,
    evidence: str | None = None,
    lines: Sequence[str] = (),
    origin: str = "unknown",
    top_k: int = 10,
    mode: str = "auto",
    where: str | None = None,
    face: FaceChoice | None = None,
    more: Sequence[Picture] = (),
    witnesses: Sequence[Witness] = (),
    calibration: Path | Literal["none"] | None = None,
    population: str = "",
) -> tuple[str, QueryResult]:
    """Searches a gallery in a case; the whole answer is kept and logged before it is returned.

    Args:
        case: The case.
        gallery: What is searched; its own journal, if it has one, is told too.
        actor: Account.
        evidence: Name of the probe in the case, evidence or a derivative.
        lines: Of the description.
        origin: Of the description, one of `case.ORIGINS`.
        top_k: Candidates.
        mode: As `Gallery.query`.
        where: As `Gallery.query`.
        face: Which face of the probe is meant; None is the largest.
        more: Further pictures of the same unknown: see `pipelines.search.probes.several`.
        witnesses: In place of `lines`, each with a reliability: see `tgfr_search.model.witnesses`.
        calibration: Says what scores are worth, and is kept in the case; `none`: nothing does; None: the gallery's own.
        population: Of the people who might be in the probe, for H2; empty where it is the calibration's.

    Returns:
        (name of the search in the case, answer).

    Raises:
        InputError, FaceError, FilterError: As `Gallery.query`, `Case.search`.
        AuditError: It could not be logged.
    """
    said, pictures = _said(lines, witnesses), pictures_of(evidence, face, more)
    kept = _kept(case, gallery.judge, calibration, actor) if isinstance(calibration, Path) else calibration
    asked = {
        "lines": said,
        "top_k": top_k,
        "mode": mode,
        "where": where,
        "calibration": kept,
        "population": population,
        **_meant(gallery, pictures),
        "witnesses": [{"lines": list(each.lines), "reliability": each.reliability} for each in witnesses],
    }
    return _carried_out(case, gallery, pictures, asked, actor, origin)


def _said(lines: Sequence[str], witnesses: Sequence[Witness]) -> list[str]:
    """All lines of a description, whoever said them."""
    if lines and witnesses:
        raise InputError("description", found="lines, and witnesses", expected="one of both")
    return [line for witness in witnesses for line in witness.lines] or list(lines)


def _meant(gallery: Gallery, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Which faces of which pictures are searched with, how they are found, and in which index, as plain values."""
    several = pictures if len(pictures) > 1 else ()
    return {
        "on_multiple": gallery.finder.options.on_multiple,
        "aligned": gallery.finder.options.aligned,
        "index": str(gallery.store.path.resolve()) if isinstance(gallery.store, Store) else "",
        "face": told_face(pictures[0].face) if pictures else None,
        "pictures": [{"evidence": each.evidence, "face": told_face(each.face)} for each in several],
    }


def _carried_out(
    case: Case, gallery: Gallery, pictures: Sequence[Picture], asked: dict[str, Any], actor: str, origin: str
) -> tuple[str, QueryResult]:
    """The search that was asked for: run at one generation, which is held, and kept with all that it was."""
    # At one generation, whoever else works with this gallery: what is searched is what is held.
    still = Gallery(gallery.store.pinned(), gallery.model, gallery.finder, gallery.journal, gallery.judge)
    silent = Gallery(still.store, still.model, still.finder, None, still.judge)  # foils are part of the same act
    evidence, drawn = pictures[0].evidence if pictures else None, dict[str, Any]()

    def run(data: bytes | None) -> QueryResult:
        def ask(other: dict[str, Any]) -> QueryResult:
            return run_again(case, silent, data, evidence, origin, {**other, "calibration": NONE})

        result = run_again(case, still, data, evidence, origin, asked)
        drawn.update(foils.draw(case.lab, still, asked, result, ask))
        return result

    def finish(name: str, result: QueryResult) -> dict[str, Any]:
        held = {"held": holds.place(case, still.store, name, result)}
        return {**held, "foils": drawn} if drawn else held

    steps = list(dict.fromkeys(step for each in pictures for step in steps_to(case, each.evidence)))
    return case.search(
        run, actor=actor, evidence=evidence, asked=asked, lines=asked["lines"], origin=origin, rows=len(still),
        steps=steps, finish=finish,
    )  # fmt: skip


def run_again(
    case: Case, gallery: Gallery, data: bytes | None, evidence: str | None, origin: str, asked: dict[str, Any]
) -> QueryResult:
    """The answer to what was asked in a case, now.

    Args:
        case: The case.
        gallery: What is searched.
        data: The probe's bytes.
        evidence: Its name in the case.
        origin: Of the description.
        asked: As `search` keeps it; earlier searches have fewer of its names.
    """
    told = Gallery(gallery.store, gallery.model, gallery.finder, gallery.journal, _judge(case, gallery, asked))
    pictures = asked.get("pictures") or []
    names = [each["evidence"] for each in pictures] or ([] if evidence is None else [evidence])
    told.judge = replace(told.judge, declared=_declared(case, names, origin, asked.get("population", "")))
    how: dict[str, Any] = {name: asked[name] for name in ("top_k", "mode", "where")}
    witnesses = [Witness(tuple(each["lines"]), each["reliability"]) for each in asked.get("witnesses") or ()]
    if pictures:
        images, choices = [case.evidence(name) for name in names], [chosen(each) for each in pictures]
        said = () if witnesses else asked["lines"]
        return told.query(images=images, choices=choices, caption=said, witnesses=witnesses or None, **how)
    choice = chosen(asked)
    if witnesses:
        which: dict[str, Any] = (
            {} if choice is None else {"face": choice.number, "box": choice.box, "eyes": choice.points}
        )
        return told.query(data, witnesses=witnesses, **which, **how)
    (result,) = told.query_many([(data, asked["lines"])], choices=[choice], **how)
    return result


def _declared(case: Case, names: Sequence[str], origin: str, population: str) -> Declared:
    """What the probe is, what was done to it, where the words come from: a sketch has no likelihood ratio."""
    said = Origin(origin or Origin.UNKNOWN)
    if not names:
        return Declared(origin=said, population=population)
    kinds, known = {kind.replace(" ", "-"): kind for kind in ProbeKind}, about(case)
    own = [kinds[known[name]["kind"]] for name in names]
    kind = next((each for each in own if each in NOT_THE_PERSON), own[0])
    steps = [step for name in names for step in steps_to(case, name)]
    done = tuple(step for step in steps if step not in ("frame", GENERATED))
    generated = GENERATED in steps
    return Declared(kind=kind, processing=done, generated=generated, origin=said, population=population)


def _judge(case: Case, gallery: Gallery, asked: dict[str, Any]) -> Judge:
    name = asked.get("calibration")
    if name is None:
        return gallery.judge
    if name == NONE:
        return replace(gallery.judge, calibration=None)
    case.files.kept(name)
    return _with(gallery.judge, case.folder / name)


def _with(judge: Judge, path: Path) -> Judge:
    given = read_calibration(path)
    if not given.binding.cohort_sha256:  # fitted without a cohort, and used without one
        judge = replace(judge, cohort=None, binding=replace(judge.binding, cohort_sha256=""))
    given.require(judge.binding, f"{path}")
    return replace(judge, calibration=given)


def _kept(case: Case, judge: Judge, path: Path, actor: str) -> str:
    """Keeps a calibration that fits the gallery in the case, once; returns its name there."""
    _with(judge, path)
    data = path.read_bytes()
    name = f"{CALIBRATIONS}/{hashlib.sha256(data).hexdigest()[:32]}.json"
    with case.writing():
        if name not in case.files.logged():
            (case.folder / CALIBRATIONS).mkdir(exist_ok=True)
            case.files.commit(name, data, Entry(Act.CALIBRATION), case.journal(actor))
    return name
