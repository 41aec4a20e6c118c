"""A new search: the photos of one unknown, which face of each is meant, what witnesses said."""

from __future__ import annotations

from itertools import zip_longest
from typing import Annotated

from fastapi import Form, Query, Request, Response
from pydantic import StringConstraints
from starlette.datastructures import FormData

from pipelines.casework.case.case import ORIGINS
from pipelines.casework.case.evidence import about
from pipelines.casework.searches.search import Picture
from tgfr_search.app.service import casework, pictures
from tgfr_search.app.service.casebook import look, need_part
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import TheForm, page, see
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import CASEWORK, Role, Routes
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.model.witnesses import Witness

routes = Routes()
MOST_PHOTOS = 12
WITNESSES = 3
"""Whose words the page has a place for."""
LEFT_OUT = "none"
"""In the place of a face's number: this photo is not searched with."""
Line = Annotated[str, Form(max_length=1000)]
Name = Annotated[str, StringConstraints(max_length=32)]
Words = Annotated[str, StringConstraints(max_length=20_000)]
Parts = Annotated[list[Name] | None, Query(max_length=MOST_PHOTOS)]
Named = Annotated[list[Name] | None, Form(max_length=MOST_PHOTOS)]
Said = Annotated[list[Words] | None, Form(max_length=WITNESSES)]
Believed = Annotated[list[Name] | None, Form(max_length=WITNESSES)]


@routes("GET", "/cases/{case}/search", {Role.EXAMINER})
def search_page(hub: TheHub, request: Request, account: Who, case: str, evidence: Parts = None) -> Response:
    """Asks what is searched with; shows every face of every photo."""
    opened = hub.cases.open(case, account)
    names, known = list(dict.fromkeys(name for name in evidence or () if name)), about(opened)
    if missing := [name for name in names if name not in known]:
        raise Problem(404, "no_such_part", f"found no evidence {missing[0][:32]} in the case")
    for name in names:
        look(opened, account, f"picture {name}")
    finder = hub.gallery()[1].finder
    return page(
        request,
        "search.html",
        case=case,
        photos=hub.encode(lambda: [(name, pictures.face_seen(finder, opened.evidence(name))) for name in names]),
        origins=[each for each in ORIGINS if not (opened.lab.declared_origin and each == "unknown")],
        galleries=[(name, len(hub.gallery(name)[1])) for name in hub.galleries],
        most=casework.LIST_LENGTH,
        witnesses=WITNESSES,
        left_out=LEFT_OUT,
    )


@routes("POST", "/cases/{case}/searches", {Role.EXAMINER})
def search(
    hub: TheHub,
    account: Who,
    case: str,
    form: TheForm,
    evidence: Named = None,
    lines: Said = None,
    reliability: Believed = None,
    origin: Line = "unknown",
    where: Line = "",
    index: Line = "",
    population: Line = "",
    top_k: Annotated[int, Form(ge=1, le=casework.LIST_LENGTH)] = casework.LIST_LENGTH,
) -> Response:
    """Searches, and goes on to the analysis of the probe: the candidates come later, blind."""
    names = [need_part(name) for name in evidence or () if name]
    meant = [each for name in names if (each := _picture(name, form)) is not None]
    if names and not meant:
        raise Problem(422, "bad_input", "every photo was left out", "leave one in, or search by description alone")
    witnesses = _witnesses(lines or (), reliability or ())
    plain = len(witnesses) == 1 and witnesses[0].reliability == 1
    name = casework.search(
        hub,
        account,
        hub.cases.open(case, account),
        pictures=meant,
        lines=witnesses[0].lines if plain else (),
        witnesses=() if plain else witnesses,
        origin=origin,
        where=where or None,
        index=index,
        top_k=top_k,
        population=population.strip(),
    )
    return see(f"/cases/{case}/searches/{name}")


@routes("GET", "/cases/{case}/searches/{search}/probe", CASEWORK)
def probe_picture(
    hub: TheHub, account: Who, case: str, search: str, picture: Annotated[int, Query(ge=1, le=MOST_PHOTOS)] = 1
) -> Response:
    """The probe's face, where it lies as candidates' faces do; the whole photo where no face was found."""
    opened = hub.cases.open(case, account)
    data, place = casework.probe_place(hub, opened, need_part(search), picture)
    look(opened, account, f"search {search}, picture {picture}")
    finder = hub.gallery()[1].finder
    shown = pictures.photo_jpeg(finder, data) if place is None else pictures.probe_chip(finder, data, place)
    return Response(shown, media_type="image/jpeg")


def _picture(name: str, form: FormData) -> Picture | None:
    """A photo with the face of it that was chosen; None where it is to be left out."""
    face, eyes = (str(form.get(f"{field}-{name}", "")).strip() for field in ("face", "eyes"))
    if eyes:
        return Picture(name, FaceChoice.of(None, None, eyes))
    if face == LEFT_OUT:
        return None
    if face and not (face.isdecimal() and len(face) < 5):
        raise Problem(422, "bad_input", f"the face of {name}: found no number", "choose one of those that are shown")
    return Picture(name, FaceChoice.of(int(face)) if face else None)


def _witnesses(said: list[str] | tuple[str, ...], believed: list[str] | tuple[str, ...]) -> list[Witness]:
    """Who said something, each believed as far as was said; surely where nothing was."""
    out = []
    for words, text in zip_longest(said, believed, fillvalue=""):
        lines = tuple(line for line in words.splitlines() if line.strip())
        if not lines:
            continue
        try:
            out.append(Witness(lines, float(text.replace(",", ".") or 1)))
        except ValueError as error:
            raise Problem(422, "bad_input", f"reliability: found {text!r}", "a number from 0 to 1") from error
    return out
