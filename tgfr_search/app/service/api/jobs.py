"""Enrolling: photos come in and are enrolled by a job; what was refused is mended or let go."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import File, Form, Header, Query, Response, UploadFile
from pydantic import BaseModel, Field

from indexer import QuarantineRecord
from pipelines.search.gallery import Gallery
from tgfr_search.app.service.accounts import Account
from tgfr_search.app.service.api.gallery import store_of
from tgfr_search.app.service.guard import TheHub, Who
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.job import UPLOADS, Job
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.roles import Role, Routes
from tgfr_search.app.service.schemas import Strict
from tgfr_search.app.service.uploads import read_uploads
from tgfr_search.audit.entries import Act
from tgfr_search.faces.choice import BOX_COLUMN, EYES_COLUMN, FaceChoice

routes = Routes()
GALLERY, JOB = "/api/v1/galleries/{gallery}/jobs", "/api/v1/jobs/{job}"
Caption = Annotated[str, Field(max_length=1000)]


class JobTold(BaseModel):
    """An enrolment."""

    id: str
    gallery: str
    state: str = Field(description="waiting, running, cancelling, cancelled, failed or done")
    done: int
    total: int
    counts: dict[str, int] = Field(description="State of its photos → how many.")
    code: str = ""
    detail: str = ""
    notes: list[str] = Field([], description="What of an upload was left out, and why; told once.")


class JobPhoto(BaseModel):
    """A photo of a job."""

    number: int
    file: str
    subject: str
    state: str = Field(description="waiting, enrolled, unchanged, duplicate, removed, refused or dismissed")
    reason: str = ""
    detail: str = ""


class Mend(Strict):
    """Where the face of a photo is: a box that holds it, or the centres of its eyes."""

    box: list[float] | None = Field(None, max_length=4)
    eyes: list[float] | None = Field(None, max_length=10)


@routes("POST", GALLERY, {Role.ENROLLER}, status_code=202)
def enrol(
    hub: TheHub,
    account: Who,
    gallery: str,
    response: Response,
    photos: Annotated[list[UploadFile], File(description="Photos, or ZIPs of gallery folders.")],
    subject: Annotated[str, Form(max_length=512, description="Whose face the photos show; a ZIP has folders.")] = "",
    caption: Annotated[list[Caption] | None, Form(max_length=20, description="What is said of them.")] = None,
    again: Annotated[bool, Form(description="Also photos that were deleted earlier.")] = False,
    quarantined: Annotated[
        str, Form(max_length=2000, description="The photo is the one that is in quarantine under this name.")
    ] = "",
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> JobTold:
    """Receives photos, and starts the job that enrols them."""
    job, notes = receive(hub, account, gallery, photos, subject, caption or [], again, idempotency_key, quarantined)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return _told(job, notes)


@routes("GET", GALLERY, {Role.ENROLLER})
def jobs(hub: TheHub, gallery: str) -> list[JobTold]:
    """The newest jobs of a gallery."""
    name, _ = hub.gallery(gallery)
    return [_told(each) for each in hub.jobs.all(name)]


@routes("GET", JOB, {Role.ENROLLER})
def job_(hub: TheHub, job: str) -> JobTold:
    """How far a job is."""
    return _told(hub.jobs.get(job))


@routes("GET", JOB + "/photos", {Role.ENROLLER})
def job_photos(hub: TheHub, job: str, state: Annotated[str, Query(max_length=16)] = "") -> list[JobPhoto]:
    """The photos of a job, or those of a state: `refused` is its quarantine."""
    found = hub.jobs.photos(hub.jobs.get(job).id)
    return [
        JobPhoto.model_validate({name: each[name] for name in JobPhoto.model_fields})
        for each in found
        if state in ("", each["state"])
    ]


@routes("POST", JOB + "/cancel", {Role.ENROLLER})
def cancel(hub: TheHub, account: Who, job: str) -> JobTold:
    """Stops a job after the photos at work; what is enrolled stays."""
    return _told(changed(hub, account, job, "cancelled"))


@routes("POST", JOB + "/resume", {Role.ENROLLER})
def resume(hub: TheHub, account: Who, job: str) -> JobTold:
    """Goes on with a job that was cancelled or failed."""
    return _told(changed(hub, account, job, "resumed"))


@routes("POST", JOB + "/photos/{number}/mend", {Role.ENROLLER})
def mend(hub: TheHub, account: Who, job: str, number: int, given: Mend) -> JobTold:
    """Says where the face of a refused photo is, and has it enrolled."""
    return _told(mended(hub, account, job, number, FaceChoice.of(None, given.box, given.eyes)))


@routes("DELETE", JOB + "/photos/{number}", {Role.ENROLLER}, status_code=204)
def dismiss(hub: TheHub, account: Who, job: str, number: int) -> None:
    """Lets go of a refused photo; its bytes are removed."""
    dismissed(hub, account, job, number)


def receive(
    hub: Hub,
    account: Account,
    gallery: str,
    files: list[UploadFile],
    subject: str,
    captions: list[str],
    again: bool,
    key: str = "",
    quarantined: str = "",
) -> tuple[Job, list[str]]:
    """Keeps what came in, tells the log, and lets the job wait for its turn.

    Raises:
        Problem: There are too many files, or what is wrong with one; or several come in the place of a quarantined one.
    """
    name, opened = hub.gallery(gallery)
    if len(files) > (most := hub.settings.limits.files):
        raise Problem(413, "too_many_files", f"found {len(files)} files in one request; expected at most {most}")
    uploads, notes = read_uploads(files, subject, captions, hub.cases.incoming)
    if quarantined:
        need_quarantined(opened, quarantined)
        if len(uploads) != 1:
            raise Problem(422, "bad_input", f"found {len(uploads)} photos in the place of one", "send that photo alone")
        uploads = [replace(uploads[0], quarantined=quarantined)]
    hub.tell(Act.ENROL, account, phase="received", photos=len(uploads))
    return hub.jobs.new(name, account, uploads, again=again, key=key), notes


def need_quarantined(gallery: Gallery, name: str) -> QuarantineRecord:
    """The record of a photo that is in quarantine.

    Raises:
        Problem: There is none of that name.
    """
    found = next((each for each in store_of(gallery).quarantined() if each.image == name), None)
    if found is None:
        raise Problem(404, "not_in_quarantine", "found no photo of that name in the quarantine of the gallery")
    return found


def changed(hub: Hub, account: Account, job: str, change: str) -> Job:
    """Cancels or resumes a job, and tells the log."""
    made = hub.jobs.cancel(job) if change == "cancelled" else hub.jobs.resume(job)
    hub.tell(Act.ENROL, account, phase=change, job=made.id)
    return made


def mended(hub: Hub, account: Account, job: str, number: int, choice: FaceChoice | None) -> Job:
    """Has a refused photo enrolled with a face that somebody chose, and tells the log.

    Raises:
        Problem: No face is chosen, or the photo was not refused.
    """
    if choice is None or (choice.box is None and choice.points is None):
        raise Problem(422, "bad_input", "found no box and no eyes", "say where the face is")
    told: dict[str, Any] = {BOX_COLUMN: list(choice.box)} if choice.box is not None else {}
    if choice.points is not None:
        told = {EYES_COLUMN: [value for point in choice.points for value in point]}
    made = hub.jobs.mend(job, number, told)
    hub.tell(Act.ENROL, account, phase="mended", job=made.id, photo=number)
    return made


def dismissed(hub: Hub, account: Account, job: str, number: int) -> None:
    """Lets go of a refused photo, takes it off the index's quarantine, and tells the log.

    The record of a photo that `index` refused stays: its gallery has the photo as before.
    """
    _, gallery = hub.gallery(hub.jobs.get(job).gallery)
    photo = hub.jobs.dismiss(job, number)
    if photo["name"].startswith(f"{UPLOADS}/"):
        with hub.store(gallery).writer() as writer:
            if writer.release([photo["name"]]):
                writer.commit()
    hub.tell(Act.ENROL, account, phase="dismissed", job=job, photo=number)


def _told(job: Job, notes: list[str] | None = None) -> JobTold:
    return JobTold(
        id=job.id, gallery=job.gallery, state=job.state, done=job.done, total=job.total, counts=job.counts,
        code=job.code, detail=job.detail, notes=notes or [],
    )  # fmt: skip
