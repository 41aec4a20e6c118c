"""Searching outside a case: a list with scores, for programs. People search in a case, where it is reviewed blind."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import File, Form, UploadFile

from pipelines.search.compare import compare as compare_two
from pipelines.search.compare import compared_entry
from pipelines.search.evidence import Judge
from pipelines.search.gallery import Gallery
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role, Routes
from tgfr_search.app.service.schemas import GalleryTold, SearchAnswer
from tgfr_search.audit.entries import now
from tgfr_search.terms import QueryMode

routes = Routes()
MOST = 200
"""Candidates of one answer."""


Purpose = Annotated[str, Form(min_length=1, max_length=1000, description="Why faces are searched or compared.")]
Basis = Annotated[str, Form(min_length=1, max_length=1000, description="On which legal basis.")]
Whoever = Annotated[str, Form(max_length=200, description="Who might be in the probe; none: the calibration's.")]


@routes("GET", "/api/v1/galleries", CASEWORK | {Role.ENROLLER})
def galleries(hub: TheHub) -> list[GalleryTold]:
    """The galleries that are served."""
    found = [hub.gallery(name) for name in hub.galleries]
    return [
        GalleryTold(
            name=name,
            rows=len(gallery),
            index_id=gallery.store.index_id,
            generation=gallery.store.generation,
            model_id=gallery.model.model_id,
        )
        for name, gallery in found
    ]


@routes("POST", "/api/v1/search", {Role.EXAMINER})
def search(
    hub: TheHub,
    account: Who,
    purpose: Purpose,
    basis: Basis,
    photo: Annotated[UploadFile | None, File(description="Probe photo.")] = None,
    caption: Annotated[list[str] | None, Form(description="What a witness said, a line each.")] = None,
    top_k: Annotated[int, Form(ge=1, le=MOST)] = 10,
    mode: Annotated[QueryMode, Form()] = "auto",
    where: Annotated[str | None, Form(max_length=2000, description="Search only rows of which this is true.")] = None,
    index: Annotated[str, Form(max_length=255, description="Gallery; the first where none is named.")] = "",
    population: Whoever = "",
) -> SearchAnswer:
    """Ranks a gallery's subjects for a photo, a description, or both; logged before it is answered."""
    slow_down(hub, account)
    _, gallery = hub.gallery(index)
    journal = hub.journal_of(account, purpose=purpose, basis=basis)
    model = replace(gallery.model, face_encoder=hub.passes)
    told = Gallery(gallery.store, model, gallery.finder, journal, _judge(gallery, population))
    data = None if photo is None or not photo.size else photo.file.read()
    result = hub.encode(lambda: told.query(data, caption=caption or (), top_k=top_k, mode=mode, where=where or None))
    hub.metrics.searches.inc()
    return SearchAnswer.model_validate(result.as_dict())


@routes("POST", "/api/v1/compare", {Role.EXAMINER})
def compare(
    hub: TheHub,
    account: Who,
    purpose: Purpose,
    basis: Basis,
    probe: Annotated[UploadFile, File(description="The questioned picture.")],
    record: Annotated[UploadFile, File(description="The picture of a known person, the better one.")],
    caption: Annotated[list[str] | None, Form(description="What a witness said of the person in `probe`.")] = None,
    index: Annotated[str, Form(max_length=255, description="Gallery whose model compares; the first by default.")] = "",
    population: Whoever = "",
) -> dict[str, Any]:
    """Compares one picture with one: the score, and what it is worth; logged before it is answered."""
    slow_down(hub, account)
    _, gallery = hub.gallery(index)
    judge, pictures, started = _judge(gallery, population), (probe.file.read(), record.file.read()), now()
    told = hub.encode(lambda: compare_two(gallery.model, gallery.finder, judge, *pictures, caption or ()))
    answer, journal = told.as_dict(), hub.journal_of(account, purpose=purpose, basis=basis)
    entry = compared_entry(journal, told, started=started, lines=caption or (), declared=judge.declared)
    journal.record(entry)
    return answer


def _judge(gallery: Gallery, population: str) -> Judge:
    return replace(gallery.judge, declared=replace(gallery.judge.declared, population=population))


def slow_down(hub: Hub, account: Account) -> None:
    """Takes a token of the account's bucket of searches.

    Raises:
        Problem: There is none.
    """
    if wait := hub.searches.take(account.name):
        hub.metrics.refused.labels("too_many_searches").inc()
        raise Problem(
            429, "too_many_searches", f"try again in {wait:.0f} s", headers={"Retry-After": str(int(wait) + 1)}
        )
