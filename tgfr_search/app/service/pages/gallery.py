"""The gallery as those who keep it see it: faces with their quality, and what could not be enrolled."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from indexer import Store
from pipelines.casework.labels.check import Checked, check_gallery
from pipelines.enrol.index import detector_of
from pipelines.search.gallery import Gallery
from tgfr_search.app.service import pictures
from tgfr_search.app.service.api.gallery import rows_after, store_of
from tgfr_search.app.service.cursors import make_cursor, read_cursor
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.pages.common import page, see
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.audit.entries import Act

routes = Routes()
MOST_CHECKED = 5_000
"""Rows of a gallery whose labels the page looks at by itself: it compares each with each."""


@routes("GET", "/gallery", {Role.ENROLLER})
def galleries(hub: TheHub, request: Request) -> Response:
    """The galleries; the only one at once."""
    if len(hub.galleries) == 1:
        return see(f"/gallery/{next(iter(hub.galleries))}")
    return page(request, "galleries.html", galleries=[(name, len(hub.gallery(name)[1])) for name in hub.galleries])


@routes("GET", "/gallery/{gallery}", {Role.ENROLLER})
def gallery_page(
    hub: TheHub,
    request: Request,
    account: Who,
    gallery: str,
    cursor: Annotated[str, Query(max_length=64)] = "",
    subject: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """Rows of a gallery."""
    name, opened = hub.gallery(gallery)
    found, after, total = rows_after(opened, read_cursor(cursor), subject)
    hub.tell(Act.VIEW, account, what="gallery", rows=len(found))
    return page(
        request,
        "gallery.html",
        gallery=name,
        rows=found,
        total=total,
        subject=subject,
        next=make_cursor(after) if after else "",
        cursor=cursor,
        quarantined=store_of(opened).quarantined(),
        jobs=hub.jobs.all(name, most=8),
    )


@routes("GET", "/gallery/{gallery}/labels", {Role.ENROLLER})
def labels_page(hub: TheHub, request: Request, account: Who, gallery: str) -> Response:
    """What looks wrong about the labels: two names of one person, two people of one name, records that are crowded."""
    name, opened = hub.gallery(gallery)
    store = store_of(opened).pinned()
    hub.tell(Act.VIEW, account, what="labels of the gallery", rows=len(store))
    found = _checked(hub, name, opened, store) if len(store) <= MOST_CHECKED else None
    return page(request, "labels.html", gallery=name, found=found, rows=len(store), most=MOST_CHECKED)


@routes("GET", "/gallery/{gallery}/rows/{row}/face", {Role.ENROLLER})
def face(hub: TheHub, account: Who, gallery: str, row: int) -> Response:
    """The face that a row was made from."""
    picture = pictures.row_chip(hub.gallery(gallery)[1], row)
    if picture is None:
        raise Problem(404, "no_picture", "the gallery keeps no picture of this row")
    hub.tell(Act.VIEW, account, what="face", row=row)
    return Response(picture, media_type="image/jpeg")


def _checked(hub: Hub, name: str, gallery: Gallery, store: Store) -> Checked:
    """As `gallery check` finds it; kept until the gallery changes."""
    kept = hub.labels.get(name)
    if kept is None or kept[0] != store.generation:
        found = hub.encode(lambda: check_gallery(store, gallery.model, detector_of(store)))
        kept = hub.labels[name] = store.generation, found
    return kept[1]
