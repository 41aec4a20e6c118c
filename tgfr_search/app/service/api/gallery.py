"""The gallery, for those who keep it: rows, quarantine; no route shows it to somebody who works on a case."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from indexer import Row, Store
from pipelines.enrol.rows.edit import delete_rows, update_row
from pipelines.search.gallery import Gallery
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.cursors import make_cursor, read_cursor
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.app.service.schemas import Strict
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


class RowChange(Strict):
    """What is to be different of a row."""

    subject_id: str | None = Field(None, min_length=1, max_length=512)
    metadata: dict[Annotated[str, Field(min_length=1, max_length=200)], Any] = Field({}, max_length=100)
    unset: list[str] = Field([], max_length=100, description="Names of metadata that go.")


class Deleted(BaseModel):
    """What is left."""

    deleted: int
    rows: int


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


@routes("DELETE", PATH + "/rows", {Role.ENROLLER})
def delete(
    hub: TheHub,
    account: Who,
    gallery: str,
    subject: Annotated[str, Query(max_length=512, description="All rows of this subject; or")] = "",
    row: Annotated[list[int] | None, Query(max_length=100, description="these rows.")] = None,
) -> Deleted:
    """Deletes a subject, or rows: no search finds them from now on, and an enrolment leaves their photos out."""
    return deleted(hub, account, gallery, subject, row or [])


@routes("PATCH", PATH + "/rows/{row}", {Role.ENROLLER})
def update(hub: TheHub, account: Who, gallery: str, row: int, given: RowChange) -> RowTold:
    """Changes whose face a row is, or its metadata."""
    return told(updated(hub, account, gallery, row, given))


def deleted(hub: Hub, account: Account, gallery: str, subject: str, rows: list[int]) -> Deleted:
    """Deletes a subject or rows; the log is told before and after."""
    if bool(subject) == bool(rows):
        raise Problem(422, "bad_input", "found both or neither of subject and rows", "say which is to be deleted")
    store = hub.store(hub.gallery(gallery)[1])
    count, _ = delete_rows(store, rows=rows, subject=subject or None, journal=hub.journal_of(account))
    return Deleted(deleted=count, rows=len(store))


def updated(hub: Hub, account: Account, gallery: str, row: int, given: RowChange) -> Row:
    """Changes a row; the log is told before and after."""
    if given.subject_id is None and not given.metadata and not given.unset:
        raise Problem(422, "bad_input", "found nothing to change", "give subject_id, metadata or unset")
    assigned = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.metadata.items()]
    store, journal = hub.store(hub.gallery(gallery)[1]), hub.journal_of(account)
    return update_row(store, row, subject=given.subject_id, assigned=assigned, unset=given.unset, journal=journal)


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
