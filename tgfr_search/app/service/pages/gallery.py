"""The gallery as those who keep it see it: faces with their quality, and what could not be enrolled."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from tgfr_search.app.service import pictures
from tgfr_search.app.service.api.gallery import rows_after, store_of
from tgfr_search.app.service.cursors import make_cursor, read_cursor
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.pages.common import page, see
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.audit.entries import Act

routes = Routes()


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


@routes("GET", "/gallery/{gallery}/rows/{row}/face", {Role.ENROLLER})
def face(hub: TheHub, gallery: str, row: int) -> Response:
    """The face that a row was made from."""
    picture = pictures.row_chip(hub.gallery(gallery)[1], row)
    if picture is None:
        raise Problem(404, "no_picture", "the gallery keeps no picture of this row")
    return Response(picture, media_type="image/jpeg")
