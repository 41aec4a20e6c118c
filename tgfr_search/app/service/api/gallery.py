"""The gallery, for those who keep it: rows, quarantine; no route shows it to somebody who works on a case."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from indexer import Row, Store
from pipelines.search.gallery import Gallery
from tgfr_search.app.service.cursors import make_cursor, read_cursor
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.audit.entries import Act

routes = Routes()
PATH = "/api/v1/galleries/{gallery}"
PAGE = 48


class RowTold(BaseModel):
    """A row of a gallery."""

    row_id: int
    subject_id: str
    image: str
    captions: list[str]
    metadata: dict[str, Any]
    quality: dict[str, Any]


class RowsTold(BaseModel):
    """Rows, by their ids."""

    rows: list[RowTold]
    next: str = Field("", description="Cursor of the rows after these; empty where there are none.")
    total: int


class Quarantined(BaseModel):
    """A photo that could not be enrolled."""

    image: str
    reason: str
    detail: str


@routes("GET", PATH + "/rows", {Role.ENROLLER})
def rows(
    hub: TheHub,
    account: Who,
    gallery: str,
    cursor: Annotated[str, Query(max_length=64)] = "",
    subject: Annotated[str, Query(max_length=512)] = "",
) -> RowsTold:
    """Rows of a gallery, or of one subject of it."""
    _, opened = hub.gallery(gallery)
    found, after, total = rows_after(opened, read_cursor(cursor), subject)
    hub.tell(Act.VIEW, account, what="gallery", rows=len(found))
    return RowsTold(rows=[told(row) for row in found], next=make_cursor(after) if after else "", total=total)


@routes("GET", PATH + "/quarantine", {Role.ENROLLER})
def quarantine(hub: TheHub, gallery: str) -> list[Quarantined]:
    """The photos that could not be enrolled, and why."""
    _, opened = hub.gallery(gallery)
    return [
        Quarantined(image=each.image, reason=each.reason, detail=each.detail) for each in store_of(opened).quarantined()
    ]


def rows_after(gallery: Gallery, after: int | None, subject: str = "") -> tuple[list[Row], int, int]:
    """A page of rows whose ids are above one; the id after which the next page begins, 0 for none; rows in all."""
    store = store_of(gallery).pinned()
    ids = store.row_ids(subject or None)
    rest = ids if after is None else ids[ids > after]
    shown = rest[:PAGE].tolist()
    return store.rows(shown, chips=False), (shown[-1] if len(rest) > PAGE else 0), len(ids)


def store_of(gallery: Gallery) -> Store:
    """The index of a gallery on this machine.

    Raises:
        Problem: It is a collection elsewhere.
    """
    if not isinstance(gallery.store, Store):
        raise Problem(501, "not_here", "the gallery is a collection of a cluster; it is kept there")
    return gallery.store


def told(row: Row) -> RowTold:
    """A row as it goes over the wire."""
    return RowTold(
        row_id=row.row_id,
        subject_id=row.subject_id,
        image=row.image,
        captions=list(row.captions),
        metadata=dict(row.metadata),
        quality=dict(row.quality),
    )
