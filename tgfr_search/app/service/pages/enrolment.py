"""Enrolling on pages: photos come in, a job enrols them, what was refused is mended by a chosen face or by its eyes."""

from __future__ import annotations

from typing import Annotated

from fastapi import File, Form, Query, Request, Response, UploadFile

from tgfr_search.app.service import pictures
from tgfr_search.app.service.api.gallery import RowChange, deleted, updated
from tgfr_search.app.service.api.jobs import changed, dismissed, mended, need_quarantined, receive
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.job import State
from tgfr_search.app.service.pages.common import page, see
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.audit.entries import Act
from tgfr_search.errors import FaceError
from tgfr_search.faces.choice import FaceChoice

routes = Routes()
JOB = "/enrolment/{job}"
PHOTO = JOB + "/photos/{number}"
SHOWN = 200
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
Short = Annotated[str, Form(max_length=512)]
Text = Annotated[str, Form(max_length=20_000)]
Name = Annotated[str, Form(max_length=2000)]


@routes("POST", "/gallery/{gallery}/jobs", {Role.ENROLLER})
def enrol(
    hub: TheHub,
    account: Who,
    gallery: str,
    photos: Annotated[list[UploadFile], File()],
    subject: Short = "",
    captions: Text = "",
    again: Short = "",
    quarantined: Name = "",
) -> Response:
    """Receives photos, and shows the job that enrols them."""
    lines = [line.strip()[:1000] for line in captions.splitlines() if line.strip()][:20]
    job, _ = receive(hub, account, gallery, photos, subject, lines, again == "yes", quarantined=quarantined)
    return see(f"/enrolment/{job.id}")


@routes("GET", "/gallery/{gallery}/quarantine", {Role.ENROLLER})
def quarantined_page(
    hub: TheHub, request: Request, gallery: str, image: Annotated[str, Query(max_length=2000)] = ""
) -> Response:
    """Asks for a photo that `index` refused; one that is here already is mended where it is."""
    name, opened = hub.gallery(gallery)
    if (found := hub.jobs.refused(name).get(image)) is not None:
        return see(f"/enrolment/{found[0]}/photos/{found[1]}")
    record, (whose, _, _) = need_quarantined(opened, image), image.rpartition("/")
    return page(request, "quarantined.html", gallery=name, record=record, whose=whose.rpartition("/")[2])


@routes("POST", "/gallery/{gallery}/delete", {Role.ENROLLER})
def delete(hub: TheHub, account: Who, gallery: str, subject: Short = "", sure: Short = "") -> Response:
    """Deletes a subject."""
    if sure != "yes":
        raise Problem(422, "not_confirmed", "nothing was deleted", "tick the box that says that it is meant")
    deleted(hub, account, gallery, subject, [])
    return see(f"/gallery/{gallery}")


@routes("POST", "/gallery/{gallery}/rows/{row}", {Role.ENROLLER})
def update(hub: TheHub, account: Who, gallery: str, row: int, subject: Short) -> Response:
    """Changes whose face a row is."""
    updated(hub, account, gallery, row, RowChange(subject_id=subject.strip() or None, metadata={}, unset=[]))
    return see(f"/gallery/{gallery}")


@routes("GET", JOB, {Role.ENROLLER})
def job_page(hub: TheHub, request: Request, account: Who, job: str) -> Response:
    """How far a job is, and what became of its photos: those that need a person first."""
    found = hub.jobs.get(job)
    photos = sorted(hub.jobs.photos(job), key=lambda each: (each["state"] != "refused", each["number"]))
    hub.tell(Act.VIEW, account, what="enrolment", photos=len(photos))
    return page(request, "job.html", job=found, photos=photos[:SHOWN], ended=found.state in ENDED)


@routes("POST", JOB, {Role.ENROLLER})
def job_act(hub: TheHub, account: Who, job: str, act: Short = "") -> Response:
    """Cancels or resumes a job."""
    if act not in ("cancelled", "resumed"):
        raise Problem(422, "bad_input", f"found {act[:16]}", "cancel or resume it")
    changed(hub, account, job, act)
    return see(f"/enrolment/{job}")


@routes("GET", PHOTO, {Role.ENROLLER})
def photo_page(hub: TheHub, request: Request, account: Who, job: str, number: int) -> Response:
    """A refused photo, with the faces that can be seen in it."""
    photo, opened = hub.jobs.photo(job, number), hub.jobs.get(job)
    if photo["state"] != "refused":
        return see(f"/enrolment/{job}")
    hub.tell(Act.VIEW, account, what="refused photo", job=job, photo=number)
    finder = hub.gallery(opened.gallery)[1].finder
    data = hub.jobs.picture(job, number).read_bytes()
    seen = hub.encode(lambda: pictures.face_seen(finder, data))
    return page(request, "mend.html", job=opened, photo=photo, seen=seen)


@routes("GET", PHOTO + "/picture", {Role.ENROLLER})
def photo_picture(hub: TheHub, account: Who, job: str, number: int) -> Response:
    """A photo that waits or was refused, encoded anew."""
    hub.jobs.photo(job, number)
    path = hub.jobs.picture(job, number)
    if not path.is_file():
        raise Problem(404, "no_picture", "the photo is not kept any more")
    finder = hub.gallery(hub.jobs.get(job).gallery)[1].finder
    try:
        shown = pictures.photo_jpeg(finder, path.read_bytes())
    except FaceError as error:
        raise Problem(404, "no_picture", error.detail) from error
    hub.tell(Act.VIEW, account, what="enrolment photo", job=job, photo=number)
    return Response(shown, media_type="image/jpeg")


@routes("POST", PHOTO, {Role.ENROLLER})
def photo_act(
    hub: TheHub, account: Who, job: str, number: int, act: Short = "", box: Short = "", eyes: Short = ""
) -> Response:
    """Mends a refused photo, or lets go of it."""
    if act == "dismiss":
        dismissed(hub, account, job, number)
    else:
        by_eyes = eyes.strip()
        mended(hub, account, job, number, FaceChoice.of(None, None if by_eyes else box or None, by_eyes or None))
    return see(f"/enrolment/{job}")
