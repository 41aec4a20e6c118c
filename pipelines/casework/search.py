"""Searches of cases: what was asked is kept whole with the answer, so that the same can be asked again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from indexer import Store
from pipelines.casework.case import Case
from pipelines.casework.evidence import GENERATED, about, steps_to
from pipelines.search.evidence import Judge
from pipelines.search.gallery import Gallery
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.forensic.calibration import read_calibration
from tgfr_search.forensic.evidence import Declared
from tgfr_search.forensic.refusals import ProbeKind
from tgfr_search.forensic.words import Origin
from tgfr_search.types import QueryResult

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
        calibration: Says what scores are worth, and is kept in the case; `none`: nothing does; None: the gallery's own.
        population: Of the people who might be in the probe, for H2; empty where it is the calibration's.

    Returns:
        (name of the search in the case, answer).

    Raises:
        InputError, FaceError, FilterError: As `Gallery.query`, `Case.search`.
        AuditError: It could not be logged.
    """
    asked = {
        "lines": list(lines),
        "top_k": top_k,
        "mode": mode,
        "where": where,
        "on_multiple": gallery.finder.options.on_multiple,
        "aligned": gallery.finder.options.aligned,
        "index": str(gallery.store.path.resolve()) if isinstance(gallery.store, Store) else "",
        "face": _told(face),
        "calibration": _kept(case, gallery.judge, calibration, actor) if isinstance(calibration, Path) else calibration,
        "population": population,
    }

    def run(data: bytes | None) -> QueryResult:
        return run_again(case, gallery, data, evidence, origin, asked)

    steps = () if evidence is None else steps_to(case, evidence)
    return case.search(
        run, actor=actor, evidence=evidence, asked=asked, lines=lines, origin=origin, rows=len(gallery), steps=steps
    )


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
        asked: As `search` keeps it; earlier searches have no `face`, `calibration` or `population`.
    """
    told = Gallery(gallery.store, gallery.model, gallery.finder, gallery.journal, _judge(case, gallery, asked))
    told.judge = replace(told.judge, declared=_declared(case, evidence, origin, asked.get("population", "")))
    query = (data, asked["lines"])
    (result,) = told.query_many(
        [query], top_k=asked["top_k"], mode=asked["mode"], where=asked["where"], choices=[chosen(asked)]
    )
    return result


def chosen(asked: dict[str, Any]) -> FaceChoice | None:
    """Which face of the probe was meant in a search, by what it was asked; None is the largest."""
    return FaceChoice(**_tuples(asked["face"])) if asked.get("face") else None


def _declared(case: Case, evidence: str | None, origin: str, population: str) -> Declared:
    """What the probe is, what was done to it, where the words come from: a sketch has no likelihood ratio."""
    said = Origin(origin or Origin.UNKNOWN)
    if evidence is None:
        return Declared(origin=said, population=population)
    kinds = {kind.replace(" ", "-"): kind for kind in ProbeKind}
    kind = kinds[about(case)[evidence]["kind"]]
    steps = steps_to(case, evidence)
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


def _told(face: FaceChoice | None) -> dict[str, Any] | None:
    """A choice as plain values; what it does not say is left out."""
    if face is None:
        return None
    told = {"number": face.number, "box": face.box, "points": face.points}
    return {name: value for name, value in told.items() if value is not None}


def _tuples(told: dict[str, Any]) -> dict[str, Any]:
    """The choice that `_told` told of, read from JSON."""
    given = dict(told)
    if "box" in given:
        given["box"] = tuple(given["box"])
    if "points" in given:
        given["points"] = tuple((x, y) for x, y in given["points"])
    return given
